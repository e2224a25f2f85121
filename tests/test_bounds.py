"""Numbers that a user can give have bounds: beyond them there is one line, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augan_cli._parameters import assignments, build_estimator
from augan_cli.app import app
from typer import BadParameter
from typer.testing import CliRunner

from augan import GANSampler
from augan.evaluation import detection_metrics, evaluate_augmentation
from augan.exceptions import ParameterError

HUGE = "9" * 30


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small table."""
    path = tmp_path_factory.mktemp("bounds") / "d.csv"
    path.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    return path


BAD_USAGE: list[tuple[str, list[str]]] = [
    *(("score", ["--threads", value]) for value in ("0", "-1", "100000", HUGE, "nan", "1e3")),
    *(("fit", ["--seed", value]) for value in ("-1", str(2**32), HUGE, "1.5", "9" * 5000)),
    *(("fit", ["--steps", value]) for value in ("0", "-5", HUGE)),
    *(("fit", ["--max-time", value]) for value in ("-1", "nan", "inf", "1e12", "5 days", "x" * 99)),
    *(("score", ["--top", value]) for value in ("0", "-3", HUGE)),
    *(("score", ["--fpr", value]) for value in ("some", "")),
    *(("sample", ["-n", value]) for value in ("0", "-1", HUGE)),
    *(("sample", ["--seed", value]) for value in ("-1", str(2**32))),
    *(("evaluate", ["--bootstrap", value]) for value in ("-1", str(10**9))),
    *(("evaluate-augmentation", ["--splits", value]) for value in ("1", str(10**6))),
    *(("evaluate-generator", ["--samples", value]) for value in ("19", str(10**9))),
    *(("interpolate", ["-n", value]) for value in ("1", str(10**9))),
    *(("inpaint", ["--steps", value]) for value in ("1", str(10**9))),
    *(("demo", ["--seed", value]) for value in ("-1", str(2**32))),
]


@pytest.mark.parametrize("command, words", BAD_USAGE)
def test_a_number_beyond_its_bounds_is_bad_usage(
    command: str, words: list[str], data: Path
) -> None:
    places = {"fit": [str(data), "--out", "m"], "sample": ["m", "--out", "x.csv"], "demo": []}
    places |= {"interpolate": ["m", "d", "--out", "x.png"], "inpaint": ["m", "d", "--out", "x.png"]}
    result = CliRunner().invoke(app, [command, *places.get(command, ["m", str(data)]), *words])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr and words[0] in result.stderr
    assert len(result.stderr) < 2000


BAD_VALUES: dict[str, str] = {
    "width=10**9": "width='10**9'",
    "width=1000000000": "width=1000000000: must be 'auto' or an integer of at least 1, at most",
    "n_folds=1000000": "n_folds=1000000: must be",
    "latent_dim=nan": "latent_dim='nan'",
    "max_steps=-1": "max_steps=-1",
    "target_fpr=2": "target_fpr=2",
    "betas=(0.5,)": "betas=(0.5,)",
    "gan=b'x'": "gan=b'x'",
    "batch_size=" + HUGE: f"batch_size={HUGE}",
    "batch_size=True": "batch_size=True",
    "lr_critic=1e999": "lr_critic=inf",
    "heads=" + str(["x" * 500] * 10).replace(" ", ""): "heads=['xxx",
    "widht=3": "no such parameter; did you mean width?",
    "random_state=-1": "random_state=-1",
    "contamination={}": "contamination={}",
    "\x1b[31m=3": "no such parameter",
}


@pytest.mark.parametrize("text", BAD_VALUES)
def test_a_value_of_a_parameter_beyond_its_bounds_is_one_line(text: str, data: Path) -> None:
    words = ["fit", str(data), "--out", str(data.with_name("m")), "--set", text]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("augan: error: ") and BAD_VALUES[text] in line
    assert len(line) < 600 and "\x1b" not in line
    assert not data.with_name("m").exists()


@pytest.mark.parametrize(
    "text", ["width", "=3", "", "x=" + "9" * 20_000, "x=" + "-" * 9_000 + "1", "x=" + "(" * 9000]
)
def test_an_assignment_that_cannot_be_read_is_bad_usage(text: str) -> None:
    try:
        given: Any = assignments([text])
    except BadParameter as error:
        assert len(str(error)) < 200
    else:
        assert given == {"x": text[2:]}  # no literal, so a text


def test_a_mistyped_parameter_is_guessed() -> None:
    with pytest.raises(ParameterError, match="did you mean n_critic"):
        build_estimator("FAnoGAN", {"n_critc": 1}, {})


@pytest.mark.parametrize("ratio", ["0", "-1", "nan", "inf", "2"])
def test_a_ratio_is_above_0_and_at_most_1(ratio: str, data: Path) -> None:
    words = ["balance", str(data), "--target", "y", "--ratio", ratio]
    result = CliRunner().invoke(app, [*words, "--out", str(data.with_name("b.csv"))])
    assert result.exit_code == 1
    assert f"--ratio {float(ratio)}: must be above 0, at most 1" in result.stderr


@pytest.mark.parametrize("strategy", [0, -1.0, np.nan, 2, "most", [99], {9: 1}, {0: -1}, "x" * 999])
def test_a_sampling_strategy_that_cannot_be_is_named(strategy: Any) -> None:
    X, y = np.arange(40.0).reshape(20, 2), np.repeat([0, 1], [15, 5])
    with pytest.raises(ParameterError, match=r"^sampling_strategy=") as error:
        GANSampler(sampling_strategy=strategy).fit(X, y)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("n", [-1, 10**9, 1.5, True, "many", np.nan])
def test_resamples_have_a_bound(n: Any) -> None:
    with pytest.raises(ParameterError, match=r"n_bootstrap=.*: must be an integer from 0"):
        detection_metrics([0, 1], [0.0, 1.0], n_bootstrap=n)


@pytest.mark.parametrize("n", [1, 10**9, 2.0, True])
def test_splits_have_a_bound(n: Any) -> None:
    X, y = np.arange(80.0).reshape(40, 2), np.repeat([0, 1], 20)
    with pytest.raises(ParameterError, match=r"n_seeds=.*: must be an integer of at least 2"):
        evaluate_augmentation(X, y, n_seeds=n)
