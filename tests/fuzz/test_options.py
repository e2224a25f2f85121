"""Options and parameters with odd values: done, or one line that names the option and the value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import augan
from augan import AnoGAN, FAnoGAN, GANSampler
from augan.exceptions import AuganError

from .conftest import QUICK, base_table

NUMBERS = ["-1", "0", "nan", "inf", "1e999", "10" * 10, "x", "", "1.5", "0x10", "１"]
FIT = ["--threads", "--seed", "--steps", "--max-time"]
SCORE = ["--fpr", "--threshold", "--top"]
EVALUATE = ["--bootstrap", "--seed"]
SAMPLE = ["-n", "--seed"]
RIGHT = {("--seed", "0"), ("--threshold", "0"), ("--threshold", "-1"), ("--threshold", "1.5")}
RIGHT |= {("--max-time", "1.5"), ("--threads", "1")}


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("option", FIT + SCORE + SAMPLE)
def test_a_number_that_cannot_be_is_refused(
    option: str, value: str, house: Path, tmp_path: Path, command: Any
) -> None:
    model, data, out = house / "base.augan", house / "base.csv", tmp_path / "out.csv"
    if option in FIT:
        words = ["fit", data, "--out", tmp_path / "m.augan", *QUICK]
    elif option in SCORE:
        words = ["score", model, data, *([] if option == "--top" else ["--out", out])]
    else:
        words = ["sample", model, "--out", out, *(["-n", "5"] if option != "-n" else [])]
    if option == "--threads" and value == "1":
        return
    done = command(*words, option, value, folder=tmp_path)
    if done.exit_code == 1:
        name = option.lstrip("-").replace("-", "_")
        assert option in done.stderr or name in done.stderr or value in done.stderr, done.stderr
    if value in ("nan", "x", ""):
        assert done.exit_code != 0, (option, value)


@pytest.mark.parametrize(
    "text",
    [
        *("width=10**9", "width=1000000000", "n_folds=1000000", "width=-1", "width=0", "width=x"),
        *("width=1.5", "width=None", "width=True", "width=[]", "width={}", "nothing=1", "width"),
        *("=1", "", "width=" + "(" * 5000, "width=" + "9" * 5000, "heads=('x',)", "heads=()"),
        *("gan=x", "device=x", "device=cuda:99", "random_state=x", "random_state=-1"),
        *("random_state=4294967296", "target_fpr=0", "target_fpr=1", "target_fpr=2"),
        *("target_fpr=nan", "contamination=2", "contamination=0", "learning_rate=0"),
        *("latent_dim=1000000000", "batch_size=0", "batch_size=1000000000", "callbacks=1"),
        *("validation_fraction=1", "validation_fraction=0", "weights={}", "max_time=-1"),
        *("image_size=1", "image_size=1000000000", "n_neighbors=0", "max_categories=0"),
        *("warm_start_from=nothing.augan", "warm_start_from=/dev/zero", "checkpoint=x", "resume=1"),
        *("Width=8", "wdith=8", "x [/b]=1", "\x1b[31m=1"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(
    text: str, house: Path, tmp_path: Path, command: Any
) -> None:
    words = "fit", house / "base.csv", "--out", tmp_path / "m.augan", *QUICK, "--set", text
    done = command(*words, folder=tmp_path)
    assert done.exit_code in (1, 2), text
    assert "\x1b[31m" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        *(["--delimiter", value] for value in ("", "ab", "\n", '"', "é")),
        *(["--encoding", value] for value in ("rot13", "base64", "x", "", "hex", "zlib", "idna")),
        *(["--column-names", value] for value in ("", ",", "a,a,b,c,d,e", "a")),
        *(["--drop", value] for value in ("nothing", "amount,nothing", "x" * 5000)),
        *(["--target", value] for value in ("nothing", "", "x [/b]")),
        *(["--target", "shop", "--normal", value] for value in ("nothing", "", "None")),
        ["--normal", "north"],
        ["--method", "x"],
        ["--gan", "x"],
        ["--device", "x"],
        ["--nothing"],
        ["--holdout", "2"],
        ["--holdout", "x"],
        ["--resume", "--target", "shop"],
        ["--overwrite"],
        ["--decimal", "ab"],
        ["--decimal", ""],
        ["--thousands", "ab"],
        ["--date-format", "nothing=%Y"],
        ["--text", "nothing"],
    ],
)
def test_an_option_that_cannot_be_is_refused(
    words: list[str], house: Path, tmp_path: Path, command: Any
) -> None:
    given = "fit", house / "base.csv", "--out", tmp_path / "m.augan", *QUICK, *words
    done = command(*given, folder=tmp_path)
    assert done.exit_code in (1, 2), words


@pytest.mark.parametrize("out", ["", ".", "..", "/", "no/such/folder/m.augan", "/dev/full", "a\0b"])
@pytest.mark.parametrize("what", ["fit", "score", "sample", "export"])
def test_an_output_that_cannot_be_written_is_refused(
    what: str, out: str, house: Path, tmp_path: Path, command: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    model = house / "base.augan"
    words = {
        "fit": ["fit", house / "base.csv", "--out", out, *QUICK],
        "score": ["score", model, house / "base.csv", "--out", out],
        "sample": ["sample", model, "-n", "3", "--out", out],
        "export": ["export", model, out],
    }[what]
    done = command(*words, folder=tmp_path)
    assert done.exit_code in (1, 2), (what, out)
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    "data", ["", ".", "/dev/zero", "/dev/null", "nothing.csv", "a\0b", "x" * 300]
)
@pytest.mark.parametrize("what", ["fit", "score", "evaluate", "info", "load"])
def test_an_input_that_is_no_file_is_refused(
    what: str, data: str, house: Path, tmp_path: Path, command: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    model = house / "base.augan"
    words = {
        "fit": ["fit", data, "--out", "m.augan", *QUICK],
        "score": ["score", model, data, "--out", "s.csv"],
        "evaluate": ["evaluate", model, data, "--target", "shop", "--anomaly", "west"],
        "info": ["info", data],
        "load": ["score", data, house / "base.csv", "--out", "s.csv"],
    }[what]
    done = command(*words, folder=tmp_path)
    assert done.exit_code in (1, 2), (what, data)


ODD: list[Any] = [None, "", "x", -1, 0, 2.5, np.nan, np.inf, 10**12, True, [], {}, object(), ("x",)]


@pytest.mark.parametrize("cls", [FAnoGAN, AnoGAN, GANSampler])
def test_odd_values_of_every_parameter_are_refused_or_kept(cls: Any) -> None:
    from augan.parameters import check_params

    defaults = cls().get_params(deep=False)
    tried = 0
    for name in defaults:
        for value in ODD:
            try:
                check_params(cls, {**defaults, name: value})
            except (AuganError, TypeError, ValueError) as error:
                assert name in str(error), (name, value, error)
                assert len(str(error)) < 500
            tried += 1
    assert tried == len(defaults) * len(ODD)


ROWS = base_table()[["amount", "count"]]
DATA: dict[str, Any] = {
    "nothing": None,
    "a number": 3,
    "a text": "rows",
    "a dict": {"a": [1, 2]},
    "no rows": ROWS[:0],
    "no columns": ROWS[[]],
    "one row": ROWS[:1],
    "one axis": ROWS["amount"],
    "ragged": [[1, 2], [3]],
    "complex": ROWS.to_numpy() + 1j,
    "infinite": ROWS.replace(ROWS.iloc[3, 0], np.inf),
    "lists": ROWS.assign(count=[[1]] * len(ROWS)),
    "two names": ROWS.set_axis(["a", "a"], axis=1),
    "structured": np.zeros(9, dtype=[("a", "f8"), ("b", "i4")]),
    "five channels": np.zeros((9, 8, 8, 5)),
    "one pixel": np.zeros((9, 1, 1)),
    "missing pixel": np.full((9, 8, 8), np.nan),
}


@pytest.mark.parametrize("name", DATA)
def test_data_that_cannot_be_is_refused_in_one_line(name: str, house: Path) -> None:
    for call in (FAnoGAN(max_steps=1).fit, augan.load(house / "base.augan").score_samples):
        with pytest.raises((AuganError, TypeError, ValueError)) as caught:
            call(DATA[name])
        assert len(str(caught.value)) < 400
