"""Model files whose manifest says something else than it did: refused in one line, or they score.

Each value of a manifest is replaced in turn by things that fit no type, or are too large.
"""

from __future__ import annotations

import copy
import json
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import augan
from augan.exceptions import ModelFileError

from .conftest import LONGEST

HERE = "@@here@@"
ODD = {
    "text": '"evil"',
    "empty": '""',
    "negative": "-1",
    "zero": "0",
    "large": "1000000000",
    "larger": "1e308",
    "longer": "1" + "0" * 400,
    "infinite": "1e999",
    "nan": "NaN",
    "long": json.dumps("x" * 2_000_000),
    "deep": "[" * 100_000 + "]" * 100_000,
    "surrogate": '"\\ud800"',
    "escape": '"\\u001b[2J"',
    "list": "[" + ",".join(["1"] * 1_000_000) + "]",
    "lists": "[" + ",".join(["[]"] * 1_000_000) + "]",
    "markup": '"[/b]"',
    "flag": "true",
    "nothing": "null",
    "object": "{}",
    "decimal": '{"type": "Decimal", "value": "1e999999999"}',
    "dtype": '"U1000000000"',
}
SLOW = ("list", "lists")  # to read, if only a second
SECONDS = 10  # that a file may take
pytestmark = pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a value, and each inside it, stands; of long lists the first two."""
    if place:
        yield place
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value if place[0] == "codec" else value[:2])
    for key, part in inner:
        yield from places(part, (*place, key))


def changed(manifest: dict[str, Any], place: tuple[Any, ...], odd: str) -> str:
    """Return the JSON of a manifest in which something odd stands at a place."""
    manifest = copy.deepcopy(manifest)
    parent: Any = manifest
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = HERE
    return json.dumps(manifest).replace(json.dumps(HERE), odd)


def try_mutants(
    detector: Any, rows: Any, path: Path, every: int, seed: int, odd: dict[str, str]
) -> dict[str, int]:
    """Load a share of all files that have an odd value somewhere, and count what came of them."""
    detector.save(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        weights = archive.read("weights.safetensors")
    pairs = [(place, name) for place in places(manifest) for name in odd]
    chosen = np.random.default_rng(seed).permutation(len(pairs))[: len(pairs) // every]
    counts = {"refused": 0, "loaded": 0}
    for place, name in (pairs[i] for i in chosen):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", changed(manifest, place, odd[name]))
            archive.writestr("weights.safetensors", weights)
        started = time.process_time()
        try:
            loaded = augan.load(path)
        except ModelFileError as error:
            counts["refused"] += 1
            message = str(error)
            assert message.startswith(f"{path}: ") and message.isprintable(), (place, name)
            assert len(message) < len(str(path)) + LONGEST, (place, name)
        else:
            counts["loaded"] += 1
            if rows is None:
                assert len(loaded.sample(3)[0]) == 3, (place, name)
            else:
                with warnings.catch_warnings():  # of lost names of columns, or another scale
                    warnings.simplefilter("ignore", UserWarning)
                    assert np.isfinite(loaded.anomaly_score(rows)).all(), (place, name)
        assert time.process_time() - started < SECONDS, (place, name)
    return counts


def test_odd_values_in_a_manifest_are_refused_or_harmless(
    default_detector: Any, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    odd = {name: text for name, text in ODD.items() if name not in SLOW}
    counts = try_mutants(default_detector, mixed_frame.head(5), tmp_path / "m.augan", 45, 0, odd)
    assert sum(counts.values()) >= 120 and counts["refused"] > counts["loaded"]


@pytest.mark.slow  # of a table by default: the test above
def test_odd_values_in_a_manifest_of_images_are_refused_or_harmless(
    image_detector: Any, digits: np.ndarray, tmp_path: Path
) -> None:
    odd = {name: text for name, text in ODD.items() if name not in SLOW}
    counts = try_mutants(image_detector, digits[:5], tmp_path / "m.augan", 45, 1, odd)
    assert sum(counts.values()) >= 30


def test_a_million_values_in_place_of_one_are_refused(
    default_detector: Any, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    odd = {name: ODD[name] for name in SLOW}
    path = tmp_path / "m.augan"
    counts = try_mutants(default_detector, mixed_frame.head(5), path, 150, 2, odd)
    assert counts["loaded"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["default_detector", "search_detector", "image_detector"])
def test_odd_values_everywhere_are_refused_or_harmless(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    data = request.getfixturevalue("digits" if "image" in name else "mixed_frame")
    detector, path = request.getfixturevalue(name), tmp_path / "m.augan"
    counts = try_mutants(detector, data[:5], path, 4, 3, ODD)
    assert sum(counts.values()) >= 500
