"""What `augan fit` and `augan fit-sampler` share: parameters, files that they write, dry runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._console import STOPPED, data_errors, print_facts
from ._outputs import check_apart, check_output
from ._parameters import assignments


@dataclass(frozen=True)
class Run:
    """Files of a training: the data, the model, and a folder that shows the training."""

    data: Path
    out: Path
    run_dir: Path | None = None
    overwrite: bool = False
    tensorboard: bool = False
    resume: bool = False
    quiet: bool = False

    @property
    def checkpoint(self) -> Path:
        """The file beside the model that holds the state while it is trained."""
        return self.out.with_name(f"{self.out.name}.checkpoint") if self.out.name else self.out

    def callbacks(self) -> list[Any]:
        """Return the callback that writes to the run's folder, if it has one.

        Raises
        ------
        ParameterError
            For a file that cannot be written, now rather than after the training.
        """
        import augan.model_file  # noqa: F401 - what writes the model is there
        from augan._files import is_stream
        from augan.exceptions import ParameterError
        from augan.io.image_files import holds_images

        check_output(self.out, "--out", self.data)
        if not is_stream(self.out):
            check_output(self.checkpoint, "--out", self.data)
        elif self.resume:
            raise ParameterError(f"--resume: {self.out} is not a file, so it has no checkpoint")
        if self.run_dir is None:
            given = {"--overwrite": self.overwrite, "--tensorboard": self.tensorboard}
            for option in (name for name, is_given in given.items() if is_given):
                raise ParameterError(f"{option} needs --run-dir, the folder of the run")
            return []
        if self.data.is_dir() and holds_images(self.data):
            check_apart(self.run_dir, "--run-dir", self.data)
        from augan.training.run_directory import RunDirectory

        how = {"overwrite": self.overwrite, "tensorboard": self.tensorboard}
        return [RunDirectory(self.run_dir, resume=self.resume, **how)]

    def stopped(self) -> str:
        """Return the message after the training has been stopped."""
        if not self.checkpoint.exists():
            return f"{STOPPED} before the first checkpoint"
        return f"{STOPPED}; {self.how_to_resume()}"

    def how_to_resume(self) -> str:
        """Return how to continue the training."""
        return f"the state is in {self.checkpoint}: the same command with --resume continues"


def parameters(
    set_: list[str] | None, steps: int | None, max_time: float | None, **others: Any
) -> dict[str, Any]:
    """Return the parameters of the options and of ``--set``.

    Raises
    ------
    ParameterError
        For a parameter that both set.
    """
    options = {"max_steps": steps, "max_time": max_time}
    options = {name: value for name, value in options.items() if value is not None}
    given = assignments(set_, dict.fromkeys(options, "is set by an option"))
    return {**others, **options, **given}


def show_plan(estimator: Any, data: Path, *rows: Any) -> None:
    """Print the sizes, steps and estimated time of a training on these rows and labels."""
    with data_errors(data):
        print_facts(estimator.dry_run(*rows))
