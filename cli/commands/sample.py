"""`augan sample`: new rows from a model."""

from __future__ import annotations

from typing import Annotated

import typer

from .._console import plain_errors, say, set_threads
from .._options import (
    MAX_COUNT,
    Device,
    Model,
    Quiet,
    RowsOut,
    Seed,
    Threads,
    at_most,
)
from .._outputs import check_sample
from .._sampling import Request, write_sample

Number = Annotated[
    int,
    typer.Option(
        "--number",
        "-n",
        min=1,
        callback=at_most(MAX_COUNT),
        metavar="N",
        help="Number of new rows or images.",
    ),
]
Class = Annotated[
    str | None, typer.Option("--class", metavar="LABEL", help="Only rows of this class.")
]
Balanced = Annotated[
    bool, typer.Option("--balanced", help="The same number of rows of each class.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="COL=VALUE", help="Or COL=LOW..HIGH, or COL= (missing); repeatable."),
]
ScoreRange = Annotated[
    str | None,
    typer.Option(
        metavar="LOW..HIGH",
        help="Only rows with scores between these training quantiles.",
    ),
]
MaxCopies = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Largest share of near copies.",
    ),
]
Truncation = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Largest absolute latent value; lower: more typical rows.",
    ),
]


def sample(
    model: Model,
    out: RowsOut,
    number: Number,
    class_: Class = None,
    balanced: Balanced = False,
    where: Where = None,
    score_range: ScoreRange = None,
    truncation: Truncation = None,
    max_copies: MaxCopies = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write new rows or images like those that MODEL was trained on."""
    with plain_errors():
        set_threads(threads, model=model)
        check_sample(out, model)
        conditions = where or []
        request = Request(
            number, class_, balanced, conditions, score_range, truncation, max_copies, seed
        )
        say(write_sample(model, out, request, device, quiet=quiet), quiet=quiet)
