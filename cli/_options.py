"""Options and arguments that several commands have, each written once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

# Groups of options in `augan COMMAND --help`; those in no group come first.
TRAINING = "Training"
OUTPUT = "Output"
READING = "Reading files"
DEVICES = "Devices and speed"
ADVANCED = "Advanced"

MAX_THREADS, MAX_SEED, MAX_COUNT = 1024, 2**32 - 1, 10**9
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def at_most(highest: int) -> Callable[[int | None], int | None]:
    """Return a check that refuses higher numbers; unlike `max=`, the help does not show it."""

    def check(value: int | None) -> int | None:
        if value is not None and value > highest:
            raise typer.BadParameter(f"{value} is more than {highest}")
        return value

    return check


def seconds(text: str) -> float:
    """Return the seconds of a time such as 90, 90s, 5m or 1h.

    Raises
    ------
    typer.BadParameter
        If the text is not a time.
    """
    from augan.exceptions import shown

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if not found:
        raise typer.BadParameter(f"{shown(text)} is not a time (90, 90s, 5m, 1h)")
    return float(found[1]) * UNITS[found[2]]


Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Model file written by augan fit or augan export.")
]
Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="CSV, JSON Lines, Parquet, .npy, .npz, a folder, or - (stdin).",
    ),
]
Images = Annotated[Path, typer.Argument(metavar="DATA", help="Images: a folder, .npy or .npz.")]
Drop = Annotated[
    list[str] | None, typer.Option(metavar="COLS", help="Columns to leave out: a,b; repeatable.")
]
Classes = Annotated[
    str,
    typer.Option(
        "--target",
        metavar="COL",
        help="Classes: a column, an .npz array, or folder (of images).",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COL",
        help="Labels: a column, an .npz array, or folder (of images).",
    ),
]
ModelOut = Annotated[Path, typer.Option(metavar="FILE", help="Model file to write (.augan).")]
RowsOut = Annotated[
    Path,
    typer.Option(metavar="FILE", help="File (.csv, .parquet, .jsonl); for images a new folder."),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0, callback=at_most(MAX_SEED), metavar="N", help="Random seed: same seed, same result."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")]

# training
Loss = Annotated[
    Literal["wgan-gp", "dcgan", "gan", "hinge"],
    typer.Option(
        metavar="LOSS", help="Loss: wgan-gp, dcgan, gan or hinge.", rich_help_panel=TRAINING
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        min=1,
        callback=at_most(MAX_COUNT),
        metavar="N",
        help="Steps of the generator, which is then trained.",
        rich_help_panel=TRAINING,
    ),
]
MaxTime = Annotated[
    float | None,
    typer.Option(parser=seconds, metavar="TIME", help="Longest training time: 90, 90s, 5m or 1h."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any parameter of the estimator; repeatable.",
        rich_help_panel=TRAINING,
    ),
]
RunDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for metrics, loss curves and sample images.",
        rich_help_panel=TRAINING,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace the run that --run-dir holds.", rich_help_panel=TRAINING
    ),
]
TensorBoard = Annotated[
    bool,
    typer.Option(
        "--tensorboard", help="Also write TensorBoard logs to --run-dir.", rich_help_panel=TRAINING
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be trained, and for how long.")
]
Mark = Annotated[
    bool,
    typer.Option(
        "--mark/--no-mark",
        help="Mark new rows (a column 'synthetic') or images (names).",
        rich_help_panel=OUTPUT,
    ),
]

# which rows are flagged
Fpr = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Share of normal rows that may be flagged, 0 to 1."),
]
Threshold = Annotated[
    float | None,
    typer.Option(metavar="SCORE", help="Flag rows whose anomaly_score is above this."),
]

Picture = Annotated[Path, typer.Option(metavar="FILE", help="Picture to write (.png).")]

# images
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Leave out images that cannot be read.", rich_help_panel=READING
    ),
]

# where to compute
Device = Annotated[
    str,
    typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:1, mps …", rich_help_panel=DEVICES),
]
ModelDevice = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda …; default: the device stored in the model.",
        rich_help_panel=DEVICES,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        callback=at_most(MAX_THREADS),
        metavar="N",
        help="CPU threads; default: 1 for training on tables, else all.",
        rich_help_panel=DEVICES,
    ),
]
