"""The README's Python and commands run as they stand."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from augan_cli.app import app
from typer.main import get_command

ROOT = Path(__file__).parents[1]
TINY = "max_steps=2, encoder_steps=2, pretext_steps=2, n_folds=2, width=8, random_state=0"


def _readme_blocks(language):
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def _readme_commands():
    """Return the `augan` lines of the README's shell blocks, and those that make their data."""
    lines = [line for block in _readme_blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(("augan ", "python -c"))]


def test_the_first_python_block_runs():
    """The first block of the README, with a tiny training; the names of all blocks are known."""
    first, *others = _readme_blocks("python")
    assert "random_state=0" in first
    exec(compile(first.replace("random_state=0", TINY), "README.md", "exec"), {})
    for block in others:
        compile(block, "README.md", "exec")
        for line in re.findall(r"^from augan.* import .*$", block, flags=re.MULTILINE):
            exec(line, {})


@pytest.mark.parametrize("line", [line for line in _readme_commands() if line[:5] == "augan"])
def test_commands_have_the_options_that_the_readme_names(line):
    words = shlex.split(line)[1:]
    command = get_command(app)
    with command.make_context("augan", list(words)) as context:
        name, subcommand, rest = command.resolve_command(context, words)
        with subcommand.make_context(name, rest, parent=context) as parsed:
            assert parsed.params  # all words are options and arguments of the command


@pytest.mark.slow
def test_readme_python_runs(tmp_path, run_alone):
    blocks = _readme_blocks("python")
    assert blocks
    (tmp_path / "readme.py").write_text("\n".join(blocks))
    run_alone(sys.executable, "readme.py", cwd=tmp_path)


@pytest.mark.slow
def test_readme_commands_run(tmp_path, run_alone):
    """Every `augan` line of the README's shell blocks, in order, on the table that it makes."""
    commands = _readme_commands()
    assert any(line.startswith("augan fit") for line in commands)
    environment_bin = Path(sys.executable).parent
    for line in commands:
        run_alone("bash", "-ec", f'export PATH="{environment_bin}:$PATH"; {line}', cwd=tmp_path)
    assert (tmp_path / "scores.csv").exists()
