"""`augan balance`: the rows of a file, and new ones of its rare classes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .._balance import add_rows
from .._console import plain_errors, say, set_threads
from .._options import (
    Assignments,
    Classes,
    Data,
    Device,
    Drop,
    Mark,
    Quiet,
    RowsOut,
    Seed,
    Threads,
)
from .._outputs import check_sample
from .._parameters import assignments
from .._reading import reading_options

OWN = {
    "device": "use --device",
    "random_state": "use --seed",
    "sampling_strategy": "use --ratio",
}

Ratio = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", help="Of two classes: rare rows per other row; default: 1."),
]


@reading_options
def balance(
    data: Data,
    out: RowsOut,
    target: Classes,
    ratio: Ratio = None,
    drop: Drop = None,
    mark: Mark = True,
    seed: Seed = 0,
    quiet: Quiet = False,
    set_: Assignments = None,
    device: Device = "auto",
    threads: Threads = None,
    options: Any = None,
) -> None:
    """Write the rows of DATA and new rows of the rare classes, until all classes are as large.

    The rows of DATA are written unchanged, the new ones after them.
    """
    from augan.exceptions import ParameterError

    with plain_errors():
        set_threads(threads, small_batches=True)
        check_sample(out, data)
        given = assignments(set_, OWN) | {"random_state": seed, "device": device}
        if ratio is not None:
            if not 0 < ratio <= 1:
                raise ParameterError(f"--ratio {ratio}: must be above 0, at most 1")
            given["sampling_strategy"] = ratio
        say(add_rows(data, options, target, drop or [], given, out, mark, quiet=quiet), quiet=quiet)
