"""A model that is evaluated on rows that it was trained on: noticed, and only then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import augan
from augan import FAnoGAN
from augan.codecs.seen_rows import (
    MOST,
    hashes_of,
    hashes_of_numbers,
    seen_rows,
    share_seen,
)
from augan.evaluation import evaluate_detector
from augan.exceptions import DataWarning


def labels(n: int) -> np.ndarray:
    return (np.arange(n) % 5 == 0).astype(int)


def test_training_rows_are_noticed_in_python_and_after_saving(
    default_detector: FAnoGAN, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    rows = mixed_frame.sample(100, random_state=0)
    default_detector.save(tmp_path / "m.augan")
    for detector in (default_detector, augan.load(tmp_path / "m.augan")):
        with pytest.warns(DataWarning, match="trained on about 100% of the 80 normal rows"):
            evaluate_detector(detector, rows, labels(100), n_bootstrap=0)
        others = rows.assign(amount=rows["amount"].where(np.arange(100) >= 60, 77.77))
        evaluate_detector(detector, others, labels(100), n_bootstrap=0)


def test_training_images_are_noticed(image_detector: FAnoGAN, digits: np.ndarray) -> None:
    with pytest.warns(DataWarning, match="trained on about 100%"):
        evaluate_detector(image_detector, digits[:40], labels(40), n_bootstrap=0)
    evaluate_detector(image_detector, 16 - digits[:40], labels(40), n_bootstrap=0)


def test_hashes_do_not_depend_on_company_dtype_or_the_sign_of_zero(
    default_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    codec = default_detector.codec_
    every = hashes_of(codec, mixed_frame)
    assert len(np.unique(every)) == len(mixed_frame)
    assert np.array_equal(hashes_of(codec, mixed_frame[7:9]), every[7:9])
    other = mixed_frame.astype({"count": float, "shop": "category", "visits": float})
    assert np.array_equal(hashes_of(codec, other), every)
    pair = hashes_of_numbers(np.array([[0.0, np.nan], [-0.0, -np.nan], [np.nan, 0.0]]))
    assert pair[0] == pair[1] != pair[2]


def test_a_few_kept_hashes_tell_of_many_rows() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60_000, 2))
    seen = seen_rows(hashes_of_numbers(rows))
    assert seen["rows"] == seen["distinct"] == 60_000 and len(seen["hashes"]) < 1.4 * 8 * MOST
    mixed = np.concatenate([rows[:3000], random.normal(size=(1000, 2))])
    assert share_seen(seen, hashes_of_numbers(mixed)) == pytest.approx(0.75, abs=0.1)
    assert share_seen(seen, hashes_of_numbers(random.normal(size=(4000, 2)))) == 0
    assert share_seen(seen, hashes_of_numbers(rows[:3])) is None  # too few to compare


def test_nothing_is_said_of_rows_that_are_often_equal_or_of_other_models() -> None:
    few = np.random.default_rng(0).integers(0, 3, (500, 2)).astype(float)
    assert share_seen(seen_rows(hashes_of_numbers(few)), hashes_of_numbers(few)) is None
    for odd in (None, {}, [], {"hashes": "?", "rows": 1, "distinct": 1}, {"hashes": 3}):
        assert share_seen(odd, hashes_of_numbers(few)) is None
