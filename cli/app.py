"""The `augan` command."""

from __future__ import annotations

from typing import Annotated

import typer

from ._command import Command, Group
from .commands.balance import balance
from .commands.demo import demo
from .commands.evaluate import evaluate
from .commands.evaluate_augmentation import evaluate_augmentation
from .commands.evaluate_generator import evaluate_generator
from .commands.export import export
from .commands.fit import fit
from .commands.fit_sampler import fit_sampler
from .commands.info import info
from .commands.latent import edit, inpaint, interpolate
from .commands.sample import sample
from .commands.score import score

COMMANDS = {
    "Find anomalies": (fit, score, evaluate),
    "Make new rows": (fit_sampler, sample, balance, evaluate_augmentation, evaluate_generator),
    "Edit images": (interpolate, inpaint, edit),
    "Models": (info, export, demo),
}

app = typer.Typer(
    name="augan",
    help="Find anomalies in tables and images, and make new rows and images, with GANs.",
    no_args_is_help=True,
    cls=Group,
    pretty_exceptions_enable=False,
)
for _panel, _functions in COMMANDS.items():
    for _function in _functions:
        app.command(cls=Command, rich_help_panel=_panel)(_function)


def _show_version(wanted: bool) -> None:
    if wanted:
        from augan._version import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass
