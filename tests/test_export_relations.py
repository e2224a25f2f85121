"""Rows of exported column models obey the relations between columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

from augan import GANSampler, OnnxGenerator
from augan.deploy import export
from augan.deploy.checksum import with_checksum
from augan.exceptions import DataError, ExportError, ModelFileError

CITIES = {"Paris": "FR", "Lyon": "FR", "Rome": "IT"}
RELATIONS = ["total = unit * count", "city -> country", "start <= end"]


@pytest.fixture(scope="module")
def sampler() -> GANSampler:
    random, n = np.random.default_rng(0), 400
    frame = pd.DataFrame({"unit": random.integers(1, 60, n), "count": random.integers(1, 9, n)})
    frame["total"] = frame["unit"] * frame["count"]
    frame["city"] = random.choice(np.array([*CITIES, None], dtype=object), n)
    frame["country"] = frame["city"].map(CITIES).fillna("unknown")
    frame["start"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 90, n), "D")
    frame["end"] = frame["start"] + pd.to_timedelta(random.integers(0, 20, n), "D")
    y = np.where(frame["total"] > 200, "large", "small")
    quick: dict[str, Any] = {"max_steps": 250, "width": 32, "random_state": 0}
    return GANSampler(method="columns", relations=RELATIONS, **quick).fit(frame, y)


@pytest.fixture(scope="module")
def path(sampler: GANSampler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("relations") / "g.onnx"
    assert sampler.export_onnx(path).found.agrees
    return path


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"country": "FR", "total": (50, 90)},
        {"city": None, "count": 3},
        {"start": ("2024-02-01", None), "end": (None, "2024-02-20")},
        {"total": 24},
    ],
)
def test_rows_obey_relations_and_conditions(path: Path, where: dict[str, Any]) -> None:
    rows, classes = OnnxGenerator(path, providers="cpu").sample(
        {"small": 60, "large": 5} if not where else {"small": 60}, where=where, random_state=0
    )
    assert (rows["total"] == rows["unit"] * rows["count"]).all()
    assert (rows["country"] == rows["city"].map(CITIES).fillna("unknown")).all()
    assert (rows["start"] <= rows["end"]).all()
    for name, value in where.items():
        if isinstance(value, tuple):
            low, high = (pd.Timestamp(v) if isinstance(v, str) else v for v in value)
            assert low is None or (rows[name] >= low).all()
            assert high is None or (rows[name] <= high).all()
        else:
            assert (rows[name].isna() if value is None else rows[name] == value).all()
    assert classes.tolist() == ["small"] * 60 + ["large"] * (0 if where else 5)


def test_shares_of_classes_follow_from_conditions(path: Path) -> None:
    generator = OnnxGenerator(path, providers="cpu")
    rows, classes = generator.sample(100, where={"total": (300, None)}, random_state=0)
    assert (rows["total"] >= 300).all() and (classes == "large").mean() > 0.6
    with pytest.raises(DataError, match="where: no training row meets the conditions, as 'city'"):
        generator.sample(2, where={"country": "FR", "city": "Rome"})


def test_too_many_columns_for_a_graph_are_an_error(
    sampler: GANSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MAX_NODES", 100)
    with pytest.raises(ExportError, match="part='generator': 8 columns are too many"):
        sampler.export_onnx(tmp_path / "g.onnx")
    assert not list(tmp_path.iterdir())


def test_the_file_tells_its_relations_and_wrong_ones_are_refused(
    sampler: GANSampler, path: Path, tmp_path: Path
) -> None:
    found = CliRunner().invoke(app, ["info", str(path), "--json"])
    assert json.loads(found.stdout)["relations"] == sampler.relations_
    for old, new in (
        ('"kind": "determined"', '"kind": "guessed"'),
        ('"source": 3', '"source": 33'),
        ('"source": 3', '"source": "x"'),
        ('.keys"', '.key"'),
        ('"label": "y"', '"label": "city"'),
    ):
        model = onnx.load(path)
        del model.metadata_props[-1]
        stored = next(prop for prop in model.metadata_props if prop.key == "augan.relations")
        assert old in stored.value
        stored.value = stored.value.replace(old, new)
        wrong = tmp_path / "wrong.onnx"
        wrong.write_bytes(with_checksum(model.SerializeToString()))
        with pytest.raises(ModelFileError, match=r"wrong.onnx: metadata: relations: ") as caught:
            OnnxGenerator(wrong, providers="cpu")
        assert "\n" not in str(caught.value)
