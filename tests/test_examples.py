"""The examples run as they stand."""

import functools
import re
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def output_of(run_alone):
    """Return what runs an example, once, and gives its output."""

    @functools.cache
    def run(example):
        with tempfile.TemporaryDirectory() as folder:
            return run_alone(sys.executable, str(example), cwd=folder)

    return run


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, output_of):
    assert output_of(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short(example):
    assert len(example.read_text().splitlines()) <= 60


def test_examples_say_what_they_promise(output_of):
    output = output_of(ROOT / "examples" / "fraud_table.py")
    assert float(re.search(r"AUROC ([\d.]+)", output)[1]) > 0.95
    output = output_of(ROOT / "examples" / "balance_classes.py")
    without, *with_rows = map(float, re.findall(r"precision, [^:]+: ([\d.]+)", output))
    assert len(with_rows) == 2 and min(with_rows) > without
