"""Exported column models: the rows of torch, conditions, and files that are refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest
import torch
from augan_cli.app import app
from typer.testing import CliRunner

from augan import GANSampler, OnnxGenerator
from augan.codecs.bins import Given
from augan.deploy.checksum import with_checksum
from augan.deploy.inputs import GIVEN, LABEL, ORDER, UNIFORM
from augan.exceptions import DataError, ExportError, ModelFileError, ParameterError
from augan.sampling.columns import Draws

QUICK: dict[str, Any] = {"method": "columns", "max_steps": 300, "width": 48, "random_state": 0}


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, np.ndarray]:
    """A table with every kind of column, some named like inputs of the graph, and its classes."""
    random, n = np.random.default_rng(0), 400
    paid = np.round(random.lognormal(3, 1, n), 2)
    times = pd.Timestamp("2024-03-01") + pd.to_timedelta(random.integers(0, 10**7, n), "s")
    frame = pd.DataFrame(
        {
            "order": paid,
            "label": random.integers(1, 9, n),
            "card": random.random(n) < 0.3,
            "shop": pd.Categorical(random.choice(["north", "süd"], n), ["süd", "north", "east"]),
            "day": pd.Series(times).dt.tz_localize("Europe/Berlin", ambiguous=True),
            "age": pd.array(random.integers(18, 80, n), dtype="Int64"),
            "country": "DE",
            "rate": np.float32(0.1),
            "price": [Decimal(x) / 100 for x in random.integers(100, 9999, n).tolist()],
            "width": random.normal(size=n).astype(np.float32),
            "word": random.choice(["a", "b", None], n),
        }
    )
    frame.loc[random.random(n) < 0.2, "age"] = pd.NA
    return frame, np.where(paid > 30, "fraud", "fine")


@pytest.fixture(scope="module")
def sampler(table: Any) -> GANSampler:
    return GANSampler(**QUICK).fit(*table)


@pytest.fixture(scope="module")
def report(sampler: GANSampler, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return sampler.export_onnx(tmp_path_factory.mktemp("columns") / "g.onnx")


@pytest.fixture(scope="module")
def generator(report: Any) -> OnnxGenerator:
    return OnnxGenerator(report.path, providers="cpu")


def test_the_file_gives_the_rows_of_torch(sampler: GANSampler, generator: OnnxGenerator) -> None:
    """All cells, but for at most one row of 500, where rounding may choose another code."""
    columns, exported = sampler.model_.columns.model, generator._columns
    k = len(columns.bins)
    for known in ({}, {k - 1: Given(1.0, 1.0)}, {0: Given(20.0, 45.5), 5: Given(np.nan, np.nan)}):
        draws = Draws.of(500, k, torch.Generator().manual_seed(2), known)
        ours = columns.drawn(draws, known)
        codes = np.full((500, k), -1)
        codes[:, -1] = 1 if k - 1 in known else -1
        uniform = np.stack([draws.codes.numpy(), draws.values], axis=2)
        ranges = {place: given for place, given in known.items() if place < k - 1}
        found = exported.run((draws.order, uniform), codes, ranges)
        assert np.array_equal(found[LABEL], ours[:, -1]) or (found[LABEL] != ours[:, -1]).sum() < 2
        raw = np.zeros((500, columns.codec.width))
        raw[:, columns.places] = ours[:, :-1]
        rows, made = columns.codec.from_raw(raw), generator.codec_.rows_of(found)
        same = [made[c].eq(rows[c]).fillna(False) | (made[c].isna() & rows[c].isna()) for c in rows]
        assert np.logical_and.reduce(same).sum() >= 499


def test_codes_may_be_given_row_by_row_and_drawn_in_any_order(
    sampler: GANSampler, generator: OnnxGenerator
) -> None:
    """A plain loop over the columns, with the network's own forward pass, gives the same."""
    columns, random = sampler.model_.columns.model, np.random.default_rng(1)
    sizes = np.array([bins.size for bins in columns.bins])
    n, k = 60, len(sizes)
    given = np.where(random.random((n, k)) < 0.4, random.integers(sizes, size=(n, k)), -1)
    order, uniform = random.permutation(k), random.random((n, k, 2))
    codes = torch.from_numpy(np.where(given < 0, sizes, given))  # the size means masked
    for place in order:
        logits = columns.network(codes)[place].detach().double()
        totals = logits.softmax(1).cumsum(1).numpy()
        drawn = (totals <= uniform[:, [place], 0]).sum(1).clip(max=sizes[place] - 1)
        free = given[:, place] < 0
        codes[free, place] = torch.from_numpy(drawn[free])
    found = generator._columns.run((order.tolist(), uniform), given)
    for j, (bins, place) in enumerate(zip(columns.bins[:-1], columns.places, strict=False)):
        values = bins.draw(codes[:, j].numpy(), uniform[:, j, 1])
        form = generator.codec_
        expected = form.columns[place].from_raw(values)
        made = form.rows_of(found).iloc[:, place]
        assert expected.equals(made.set_axis(expected.index).rename(None)), form.labels[place]
    assert np.array_equal(codes[:, -1].numpy(), found[LABEL])


def test_rows_have_the_columns_types_and_values_of_training(
    table: Any, report: Any, generator: OnnxGenerator
) -> None:
    frame, _ = table
    assert report.found.agrees and report.n_bytes < 1e6 and report.part == "generator"
    rows, classes = generator.sample(600, random_state=0)
    assert rows.dtypes.equals(frame.dtypes) and list(rows) == list(frame)
    for name in frame:
        if name != "age":
            assert (rows[name].isin(frame[name]) | rows[name].isna()).all(), name
    assert abs(rows["age"].isna().mean() - frame["age"].isna().mean()) < 0.08
    assert (rows["country"] == "DE").all() and rows["word"].isna().any()
    assert ((rows["order"] > 30) == (classes == "fraud")).mean() > 0.8
    again = generator.sample(600, random_state=0)[0]
    pd.testing.assert_frame_equal(rows, again)
    assert not rows.equals(generator.sample(600, random_state=1)[0])


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"order": 12.34}, lambda f: f["order"] == 12.34),
        ({"order": (10, 20.5), "word": None}, lambda f: f["order"].between(10, 20.5)),
        ({"label": 3, "card": True}, lambda f: (f["label"] == 3) & f["card"]),
        ({"day": ("2024-04-02", "2024-04-20")}, lambda f: f["day"].dt.month == 4),
        ({"age": None, "shop": "süd"}, lambda f: f["age"].isna() & (f["shop"] == "süd")),
        ({"country": "DE", "price": (None, 5)}, lambda f: f["price"] <= 5),
        ({"width": (1.5, None)}, lambda f: f["width"] >= 1.5),
    ],
)
def test_conditions_and_numbers_of_classes_are_exact(
    table: Any, generator: OnnxGenerator, where: Any, holds: Any
) -> None:
    rows, classes = generator.sample({"fraud": 30, "fine": 12}, where=where, random_state=0)
    assert holds(rows).all() and rows.dtypes.equals(table[0].dtypes)
    assert (classes == "fraud").sum() == 30 and len(rows) == len(classes) == 42


def test_a_condition_changes_the_shares_of_the_classes(generator: OnnxGenerator) -> None:
    assert (generator.sample(300, where={"order": (80, None)})[1] == "fraud").mean() > 0.8
    rows, classes = generator.sample(100, label="fine", random_state=0)
    assert (classes == "fine").all() and (rows["order"] <= 30).mean() > 0.8


def test_what_cannot_be_asked_is_said_in_one_line(
    sampler: GANSampler, generator: OnnxGenerator, tmp_path: Path
) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"n_samples": 0}, "n_samples=0"),
        ({"label": "other"}, "no class 'other'"),
        ({"n_samples": {"fine": 2}, "label": "fine"}, "n_samples: give numbers"),
        ({"where": {"colour": 1}}, "where: no column 'colour'"),
        ({"where": {"shop": "west"}}, "where: column 'shop' has no 'west' in training"),
        ({"where": {"label": (20, 30)}}, "where: column 'label' has no"),
        ({"where": {"label": (2.2, 2.8)}}, "where: column 'label' has no training value"),
        ({"where": "order"}, "where='order': must be a mapping"),
    ]
    for asked, says in wrong:
        with pytest.raises((ParameterError, DataError)) as caught:
            generator.sample(**asked)
        assert says in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match="draws columns and has no latents"):
        generator.generate(np.zeros((1, 4), np.float32))
    with pytest.raises(ExportError, match="does not score rows"):
        sampler.export_onnx(tmp_path / "m.onnx", part="scorer")


def changed(path: str, change: Callable[[onnx.ModelProto], None], out: Path) -> Path:
    """Write a file with a change and a checksum that fits."""
    model = onnx.load(path)
    del model.metadata_props[-1]
    change(model)
    out.write_bytes(with_checksum(model.SerializeToString()))
    return out


def codes_of(model: onnx.ModelProto) -> Any:
    return next(prop for prop in model.metadata_props if prop.key == "augan.codes")


def one_code_more(model: onnx.ModelProto) -> None:
    codes_of(model).value = codes_of(model).value.replace('"values": 8', '"values": 9')


def one_column_less(model: onnx.ModelProto) -> None:
    codes_of(model).value = json.dumps(json.loads(codes_of(model).value)[1:])


def no_codes(model: onnx.ModelProto) -> None:
    model.metadata_props.remove(codes_of(model))


def values_out_of_order(model: onnx.ModelProto) -> None:
    tables = (t for t in model.graph.initializer if t.data_type == onnx.TensorProto.DOUBLE)
    table = max(tables, key=lambda t: len(t.raw_data))
    values = np.ascontiguousarray(onnx.numpy_helper.to_array(table)[::-1])
    table.CopyFrom(onnx.numpy_helper.from_array(values, table.name))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (one_code_more, "optional input 'first' of its graph is"),
        (one_column_less, "codes of 9 columns, 10 are needed"),
        (no_codes, "latent_dim is missing"),
        (values_out_of_order, "of a column are not"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    report: Any, tmp_path: Path, change: Any, says: str
) -> None:
    path = changed(report.path, change, tmp_path / "wrong.onnx")
    with pytest.raises(ModelFileError, match=says) as caught:
        OnnxGenerator(path, providers="cpu").sample(3, where={"order": (10, None)})
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(report: Any, tmp_path: Path) -> None:
    content, path = Path(report.path).read_bytes(), tmp_path / "damaged.onnx"
    for bit in np.random.default_rng(0).integers(8 * len(content), size=20):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="not an ONNX file, or damaged"):
            OnnxGenerator(path, providers="cpu")


def test_arrays_and_frames_of_polars_come_back_as_such(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(200, 3)).astype(np.float32), np.repeat([3, 7], 100)
    quick = QUICK | {"max_steps": 10}
    for data in (X, pl.DataFrame(X, schema=["a", "b", "c"])):
        GANSampler(**quick).fit(data, y).export_onnx(tmp_path / "g.onnx")
        generator = OnnxGenerator(tmp_path / "g.onnx", providers="cpu")
        rows, classes = generator.sample({7: 30, 3: 5}, random_state=0)
        assert type(rows) is type(data) and rows.shape == (35, 3)
        assert classes.dtype == y.dtype and (classes == 7).sum() == 30
        assert np.isin(np.asarray(rows), X).all()


def test_the_graph_is_run_by_onnx_runtime_alone(report: Any, generator: OnnxGenerator) -> None:
    session = generator._session.session
    (_, k, _), random = session.get_inputs()[0].shape, np.random.default_rng(0)
    feeds = {UNIFORM: random.random((50, k, 2)), GIVEN: np.full((50, k), -1)}
    names = ["column:order", "country", LABEL]
    plain, other = (
        session.run(names, feeds | more) for more in ({}, {ORDER: np.arange(k)[::-1].copy()})
    )
    assert plain[0].shape == (50, 1) and (plain[1] == "DE").all() and plain[2].max() <= 1
    assert not np.array_equal(plain[0], other[0])


def test_the_command_line_exports_samplers_as_generators(
    sampler: GANSampler, tmp_path: Path
) -> None:
    sampler.save(tmp_path / "m.augan")
    words = ["export", str(tmp_path / "m.augan"), str(tmp_path / "m.onnx"), "--quiet"]
    done = CliRunner().invoke(app, [*words, "--triton", str(tmp_path / "triton")])
    assert done.exit_code == 0, done.output
    config = (tmp_path / "triton" / "m" / "config.pbtxt").read_text()
    assert config.count("input {") == 2 and '"values"' not in config
    found = CliRunner().invoke(app, ["info", str(tmp_path / "m.onnx"), "--json"])
    facts = json.loads(found.stdout)
    assert facts["part"] == "generator" and facts["codes"]["columns"] == 10
    assert facts["classes"]["labels"] == ["fine", "fraud"]


def test_torch_is_not_needed(report: Any, tmp_path: Path, run_alone: Any) -> None:
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx", "imblearn", "safetensors"):
            raise ModuleNotFoundError(name, name=name.split(".")[0])
sys.meta_path.insert(0, Missing())
from augan_cli.app import app
app(sys.argv[1:])
"""
    words = ("sample", report.path, "-n", "40", "--out", "new.csv", "--class", "fraud")
    asked = ("--where", "label=2..4", "--where", "shop=süd", "--device", "cpu")
    run_alone(sys.executable, "-c", code, *words, *asked, cwd=tmp_path)
    rows = pd.read_csv(tmp_path / "new.csv")
    assert len(rows) == 40 and rows["label"].between(2, 4).all() and (rows["shop"] == "süd").all()
