"""The commands of `augan`: former spellings, their help, and what a shell completes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli._deprecated import new_command
from augan_cli.app import app
from typer.testing import CliRunner

import augan.evaluation
from augan import FAnoGAN

COMMANDS = [
    *("fit", "score", "evaluate", "fit-sampler", "sample", "balance"),
    *("evaluate-augmentation", "evaluate-generator", "interpolate", "inpaint", "edit"),
    *("info", "export", "demo"),
]
QUICK = ["--threads", "1", "--set", "method=data", "-q"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of a rare class, where commands run."""
    X = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=np.arange(60) % 4 == 0)
    frame.to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words, env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            ["fit", "t.csv", "--target", "y", "--method", "f-anogan"],
            ["fit-sampler", "t.csv", "--target", "y"],
            "'augan fit --target without --normal' is deprecated, use 'augan fit-sampler'",
        ),
        (
            ["sample", "--balance", "t.csv", "--target", "y"],
            ["balance", "t.csv", "--target", "y"],
            "'augan sample --balance' is deprecated, use 'augan balance'",
        ),
    ],
)
def test_a_former_spelling_writes_the_same_file(
    folder: Path, old: list[str], new: list[str], says: str
) -> None:
    former = run(*old, "--out", "former.csv", *QUICK)
    assert former.exit_code == 0, former.stderr
    assert former.stderr == f"augan: warning: {says}\n" and former.stdout == ""
    assert run(*new, "--out", "now.csv", *QUICK).exit_code == 0
    if old[0] == "sample":  # a model file has the time in it
        assert (folder / "former.csv").read_bytes() == (folder / "now.csv").read_bytes()
    else:
        assert "GANSampler" in run("info", "former.csv").stdout


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (
            ["evaluate", "--augmentation", "t.csv", "--target", "y", "--splits", "2"],
            ["evaluate-augmentation", "t.csv", "--target", "y", "--splits", "2"],
            "evaluate_augmentation",
        ),
        (
            ["evaluate", "m.augan", "--generative", "i.npz", "--judge=own", "--samples", "20"],
            ["evaluate-generator", "m.augan", "i.npz", "--samples", "20"],
            "evaluate_generator",
        ),
    ],
)
def test_a_former_spelling_of_evaluate_asks_for_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, old: list[str], new: list[str], name: str
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(folder / "i.npz", X=images)
    if name == "evaluate_generator":
        sizes = {"max_steps": 1, "pretext_steps": 1, "encoder_steps": 1, "n_folds": 2, "width": 4}
        FAnoGAN(**sizes, random_state=0).fit(images).save(folder / "m.augan")
    calls: list[Any] = []

    def stand_in(*given: Any, **how: Any) -> None:
        calls.append((np.shape(given[1]), how.get("n_seeds"), how.get("n_samples")))
        raise KeyboardInterrupt

    monkeypatch.setattr(augan.evaluation, name, stand_in)
    former = run(*old, "--threads", "1")
    assert former.stderr.splitlines()[0].endswith(f"is deprecated, use 'augan {new[0]}'")
    run(*new, "--threads", "1")
    assert len(calls) == 2 and calls[0] == calls[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["fit", "d", "--target=y"], ["fit-sampler", "d", "--target=y"]),
        (["fit", "d", "--target", "y", "--normal="], None),
        (["fit", "d", "--target", "y", "--holdout", ".1"], None),
        (["fit", "d", "--target", "y", "--help"], None),
        (["sample", "--balance=d", "--out", "o"], ["balance", "--out", "o", "d"]),
        (["sample", "--balance"], ["balance"]),
        (["evaluate", "--generative", "i", "m"], ["evaluate-generator", "m", "i"]),
        (["evaluate", "m", "d"], None),
    ],
)
def test_arguments_of_a_former_spelling(old: list[str], new: list[str] | None) -> None:
    assert new_command(old) == (new or old)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_everyday_options_first_on_about_one_screen(command: str) -> None:
    lines = run(command, "--help").stdout.rstrip().splitlines()
    assert len(lines) <= 55
    panels = [line.split()[1] for line in lines if line.startswith("╭─")]
    assert panels[:2] in (["Arguments", "Options"], ["Options", "Devices"])
    start = next(i for i, line in enumerate(lines) if line.startswith("╭─ Options"))
    end = next(i for i in range(start, len(lines)) if lines[i].startswith("╰"))
    assert end - start - 1 <= 15


def test_the_help_names_every_command() -> None:
    shown = run("--help").stdout
    assert [name for name in COMMANDS if f"│ {name} " not in shown] == []


def complete(typed: str) -> list[str]:
    """Return what bash offers for the last word."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    env = {"_AUGAN_COMPLETE": "complete_bash", **words}
    result = CliRunner().invoke(app, [], prog_name="augan", env=env)
    return str(result.stdout).split()


@pytest.mark.parametrize(
    ("typed", "offers"),
    [
        ("augan eval", ["evaluate", "evaluate-augmentation", "evaluate-generator"]),
        ("augan fit t.csv --gan ", ["wgan-gp", "dcgan", "gan", "hinge"]),
        ("augan fit t.csv --target y --norm", ["--normal"]),
        ("augan export m.augan o.onnx --part s", ["scorer"]),
        ("augan evaluate-generator --feature-extractor ", ["own", "inception"]),
    ],
)
def test_a_shell_completes_commands_options_and_choices(typed: str, offers: list[str]) -> None:
    assert complete(typed) == offers


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_is_printed(shell: str) -> None:
    code = "import sys; from augan_cli.__main__ import main; sys.argv[0] = 'augan'; main()"
    env = {"_AUGAN_COMPLETE": f"source_{shell}", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert "_AUGAN_COMPLETE" in found.stdout and "augan" in found.stdout


@pytest.mark.parametrize(
    ("words", "takes", "refuses"),
    [
        (["fit", "--help-parameters"], "heads", "checkpoint"),
        (["fit", "--help-parameters", "--method", "anogan"], "search_steps", "encoder_steps"),
        (["fit-sampler", "t.csv", "--help-parameters"], "spread", "callbacks"),
    ],
)
def test_the_parameters_for_set_are_listed(words: list[str], takes: str, refuses: str) -> None:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    head, *lines = result.stdout.splitlines()
    assert head.split()[:3] == ["parameter", "default", "type"] and "description" in head
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert {"gan", "width", takes} <= set(names) and refuses not in names
    assert "at most" in result.stdout and "Adversarial loss" in result.stdout


def test_the_former_name_of_a_parameter_works_and_warns(folder: Path) -> None:
    words = ["fit", "t.csv", "--out", "m.augan", "--drop", "y", "--dry-run", "--threads", "1"]
    former = run(*words, "--set", "score=paper")
    assert former.exit_code == 0, former.stderr
    (line,) = former.stderr.splitlines()
    assert line == "augan: warning: --set score: the parameter was renamed to scoring"
    assert "gan: 2000" in former.stdout  # steps of the score "paper"
