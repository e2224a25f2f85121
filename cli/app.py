"""The `augan` command."""

from __future__ import annotations

from typing import Annotated

import typer

from ._command import Command
from .commands.demo import demo
from .commands.evaluate import evaluate
from .commands.export import export
from .commands.fit import fit
from .commands.info import info
from .commands.latent import edit, inpaint, interpolate
from .commands.sample import sample
from .commands.score import score

app = typer.Typer(
    name="augan",
    help="Find anomalies in tables and images with GANs trained on normal data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(cls=Command)(fit)
app.command(cls=Command)(score)
app.command(cls=Command)(sample)
app.command(cls=Command)(evaluate)
app.command(cls=Command)(export)
app.command(cls=Command)(interpolate)
app.command(cls=Command)(inpaint)
app.command(cls=Command)(edit)
app.command(cls=Command)(info)
app.command(cls=Command)(demo)


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


def main() -> None:
    """Run the command line."""
    from .__main__ import main

    main()
