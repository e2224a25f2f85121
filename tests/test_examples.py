"""The examples and the README's commands run as they stand."""

import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def _run(*command, cwd):
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # several wait for each other under load
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, env=one_thread
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@functools.cache
def _output(example):
    with tempfile.TemporaryDirectory() as folder:
        return _run(sys.executable, str(example), cwd=folder)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example):
    assert _output(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short(example):
    assert len(example.read_text().splitlines()) <= 60


def test_examples_say_what_they_promise():
    output = _output(ROOT / "examples" / "fraud_table.py")
    assert float(re.search(r"AUROC ([\d.]+)", output)[1]) > 0.95
    output = _output(ROOT / "examples" / "balance_classes.py")
    without, *with_rows = map(float, re.findall(r"precision, [^:]+: ([\d.]+)", output))
    assert len(with_rows) == 2 and min(with_rows) > without


def _readme_blocks(language):
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_readme_python_runs(tmp_path):
    blocks = _readme_blocks("python")
    assert blocks
    (tmp_path / "readme.py").write_text("\n".join(blocks))
    _run(sys.executable, "readme.py", cwd=tmp_path)


def test_readme_commands_run(tmp_path):
    """Every `augan` line of the README's shell blocks, in order, on the table that it makes."""
    lines = [line for block in _readme_blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith(("augan ", "python -c"))]
    assert any(line.startswith("augan fit") for line in commands)
    environment_bin = Path(sys.executable).parent
    for line in commands:
        _run("bash", "-ec", f'export PATH="{environment_bin}:$PATH"; {line}', cwd=tmp_path)
    assert (tmp_path / "scores.csv").exists()
