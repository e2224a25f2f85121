"""The examples run as they stand."""

import functools
import importlib.util
import re
import runpy
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ARGUMENTS = {"fashion_mnist": ("--minutes", "0.2")}  # what takes long otherwise
NEEDS = {"openvino_photographs": "openvino"}  # what is in no extra
TOYS = [ROOT / "examples" / "fraud_table.py"]


def skip_without(package):
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module")
def output_of(run_alone):
    """Yield what runs an example, once, and gives its output."""

    @functools.cache
    def run(example):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ARGUMENTS.get(example.stem, ())
            return run_alone(sys.executable, str(example), *arguments, cwd=folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "true")  # OpenVINO then sends no statistics
        yield run


@pytest.mark.parametrize("example", TOYS, ids=lambda path: path.stem)
def test_examples_run_at_toy_size(example, tmp_path, monkeypatch):
    """One of a table and one of images, with two training steps for each that they say."""
    text, n = re.subn(r'(_steps": )\d+', r"\g<1>2", example.read_text())
    assert n == 3
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example)])
    exec(compile(text, example, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, output_of):
    skip_without(NEEDS.get(example.stem))
    assert output_of(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_finds_what_it_imports(example):
    assert len(example.read_text().splitlines()) <= 60
    runpy.run_path(str(example), run_name=example.stem)


@pytest.mark.slow
def test_examples_say_what_they_promise(output_of):
    output = output_of(ROOT / "examples" / "fraud_table.py")
    assert float(re.search(r"AUROC ([\d.]+)", output)[1]) > 0.95
    output = output_of(ROOT / "examples" / "balance_classes.py")
    without, *with_rows = map(float, re.findall(r"precision, [^:]+: ([\d.]+)", output))
    assert len(with_rows) == 2 and min(with_rows) > without
    output = output_of(ROOT / "examples" / "grouped_images.py")
    before, after = map(float, re.findall(r"parts not seen, [^:]+: ([\d.]+)", output))
    assert "chosen: dihedral" in output and after > before


@pytest.mark.slow
def test_clothes_are_judged_scored_and_exported(output_of):
    output = output_of(ROOT / "examples" / "fashion_mnist.py")
    assert "the GAN, at last: " in output and "at last: starting" not in output
    fid = re.search(r"fid {'new': ([\d.]+), 'real': ([\d.]+)}", output)
    assert float(fid[1]) > float(fid[2])
    assert float(re.search(r"AUROC of bags among unseen clothes: ([\d.]+)", output)[1]) > 0.9
    assert "0 decided differently" in output


def test_openvino_scores_as_onnx_runtime_does(output_of):
    skip_without("openvino")
    output = output_of(ROOT / "examples" / "openvino_photographs.py")
    assert float(re.search(r"difference of a score: (\S+)", output)[1]) < 1e-3
    assert float(re.search(r"of a heatmap: (\S+)", output)[1]) < 1e-2
    assert re.search(r"flagged: (9|10) of 10 scratched, [0-2] of 10 good", output)
