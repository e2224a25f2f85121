"""Frames of every library: compared by name, given back as they came, rows keep their index."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from imblearn.over_sampling import RandomOverSampler
from sklearn.base import BaseEstimator

from augan import FAnoGAN, GANSampler, load
from augan.classifiers.tables import plain as classifier_table
from augan.codecs.drift import no_drift_warnings
from augan.codecs.origin import from_json, to_json
from augan.deploy.parity import batches_to_compare
from augan.deploy.raw import TableForm
from augan.exceptions import DataError, DataTypeError
from augan.frames import given_back, is_frame, library_of, like, to_pandas
from augan.inputs.reading import normal_rows, read_input, read_like_training

TINY = {
    "max_steps": 5,
    "encoder_steps": 5,
    "pretext_steps": 5,
    "n_folds": 2,
    "width": 16,
    "random_state": 0,
}
N = 150


def polars_frame(n: int = N) -> pl.DataFrame:
    """Return a table with a column of each of polars' types."""
    random = np.random.default_rng(0)
    gone = random.random(n) < 0.1
    day = [datetime.date(2024, 1, 1 + i % 28) for i in range(n)]
    return pl.DataFrame(
        {
            "number": random.normal(size=n),
            "whole": pl.Series([None if g else i % 7 for i, g in enumerate(gone)], dtype=pl.Int32),
            "text": [None if g else "xyz"[i % 3] for i, g in enumerate(gone)],
            "grade": pl.Series(["lo", "hi"] * (n // 2), dtype=pl.Enum(["lo", "mid", "hi"])),
            "kind": pl.Series(["u", "v", "u"] * (n // 3), dtype=pl.Categorical),
            "until": [datetime.date(9999, 12, 31) if i % 5 == 0 else day[i] for i in range(n)],
            "at": [datetime.datetime(2024, 1, 1, i % 24) for i in range(n)],
            "for": [None if g else datetime.timedelta(hours=i % 9) for i, g in enumerate(gone)],
            "price": pl.Series([f"{i % 7}.50" for i in range(n)]).cast(pl.Decimal(10, 2)),
            "flag": [None if g else i % 2 == 0 for i, g in enumerate(gone)],
            "clock": [datetime.time(i % 20) for i in range(n)],
        }
    )


@pytest.fixture(scope="module")
def polars() -> pl.DataFrame:
    return polars_frame()


@pytest.fixture(scope="module")
def of_polars(polars: pl.DataFrame) -> FAnoGAN:
    return FAnoGAN(**TINY).fit(polars)


@pytest.fixture(scope="module")
def of_numbers() -> FAnoGAN:
    """Return a model of a DataFrame whose columns are 0 and 1."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    return FAnoGAN(**TINY).fit(pd.DataFrame(X, columns=[0, 1]))


INDICES = {
    "shuffled": pd.Index(np.random.default_rng(0).permutation(40) + 1000, name="row"),
    "twice": pd.Index(["a", "b"] * 20),
    "dates": pd.date_range("2024-01-01", periods=40)[::-1],
    "levels": pd.MultiIndex.from_product([range(4), range(10)], names=["i", "j"]),
}


@pytest.mark.parametrize("name", INDICES)
def test_rows_keep_their_index(
    name: str, table_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    rows = mixed_frame[300:340].set_axis(INDICES[name])
    found = table_detector.assess(rows, explain=True)
    way = np.zeros(table_detector.networks_.latent_dim)
    frames = {
        "explain": found.explanation,
        "score_parts": found.score_parts,
        "reconstruct": table_detector.reconstruct(rows),
        "edit": table_detector.edit(rows, way),
    }
    for what, frame in frames.items():
        pd.testing.assert_index_equal(frame.index, rows.index, obj=what)
    alone = table_detector.explain(rows.iloc[[7]])
    pd.testing.assert_frame_equal(found.explanation.iloc[[7]], alone, check_freq=False)
    again = table_detector.reconstruct(rows.iloc[[7]])
    assert again["count"].tolist() == frames["reconstruct"]["count"].iloc[7:8].tolist()


def test_a_join_gives_each_row_its_own_explanation(
    table_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    part = mixed_frame.sample(50, random_state=0)
    joined = part.join(table_detector.explain(part).add_prefix("why_"))
    usual = mixed_frame.join(table_detector.explain(mixed_frame).add_prefix("why_"))
    pd.testing.assert_frame_equal(joined, usual.loc[part.index])


def test_frames_of_polars_come_back_as_such(polars: pl.DataFrame, of_polars: FAnoGAN) -> None:
    for method in ("explain", "score_parts", "reconstruct"):
        found = getattr(of_polars, method)(polars[:9])
        assert isinstance(found, pl.DataFrame) and len(found) == 9, method
    assert of_polars.explain(polars).columns == polars.columns
    assert of_polars.reconstruct(polars[:9]).schema == polars.schema
    assert of_polars.sample(9).schema == polars.schema
    assert of_polars.generate(np.zeros((2, of_polars.networks_.latent_dim))).schema == polars.schema
    lazy = of_polars.explain(polars[:9].lazy())
    assert lazy.equals(of_polars.explain(polars[:9]))
    in_pandas = of_polars.explain(polars.to_pandas()[:9])
    assert isinstance(in_pandas, pd.DataFrame)


def test_the_library_is_kept_in_the_file(
    of_polars: FAnoGAN, polars: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_polars.save(tmp_path / "m.augan")
    loaded = load(tmp_path / "m.augan")
    assert loaded.sample(3, random_state=0).equals(of_polars.sample(3, random_state=0))
    assert loaded.sample(3).schema == polars.schema

    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("polars")

    monkeypatch.setattr("augan.frames.nw.from_arrow", missing)
    assert isinstance(loaded.sample(3), pd.DataFrame)


def test_the_same_rows_score_the_same_in_every_library(
    polars: pl.DataFrame, of_polars: FAnoGAN
) -> None:
    scores = of_polars.score_samples(polars)
    for rows in (polars.to_arrow(), polars.lazy(), to_pandas(polars), polars.to_pandas()):
        assert np.array_equal(of_polars.score_samples(rows), scores)


@pytest.mark.parametrize("library", ["polars", "arrow", "pandas"])
def test_columns_in_another_order_are_refused(
    library: str, polars: pl.DataFrame, of_polars: FAnoGAN
) -> None:
    turned = polars.select(polars.columns[::-1])
    rows = {"polars": turned, "arrow": turned.to_arrow(), "pandas": turned.to_pandas()}[library]
    with pytest.raises(ValueError, match="same order"):
        of_polars.score_samples(rows)
    with pytest.raises(ValueError, match="feature names should match"):
        of_polars.score_samples(polars.rename({"number": "other"}))


class Exported(BaseEstimator):
    """What an exported model knows of its columns."""

    def __init__(self, of: FAnoGAN) -> None:
        labels = from_json(json.loads(json.dumps(to_json(of.codec_.labels))))
        self.codec_ = TableForm(of.codec_.columns, labels, of.codec_.array_dtype)
        self.n_features_in_ = of.n_features_in_


def test_numbers_as_names_are_compared_by_exported_models(of_numbers: FAnoGAN) -> None:
    rows = pd.DataFrame(np.zeros((3, 2)), columns=[0, 1])
    exported = Exported(of_numbers)
    read_like_training(rows, exported, exported.codec_)
    with pytest.raises(DataError, match=r"same order: 0, 1; X has 1, 0"):
        read_like_training(rows[[1, 0]], exported, exported.codec_)


def test_numbers_as_names_are_compared(of_numbers: FAnoGAN, tmp_path: Path) -> None:
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(9, 2)), columns=[0, 1])
    of_numbers.save(tmp_path / "m.augan")
    for model in (of_numbers, load(tmp_path / "m.augan")):
        scores = model.score_samples(rows)
        with pytest.raises(DataError, match=r"same order: 0, 1; X has 1, 0"):
            model.score_samples(rows[[1, 0]])
        with pytest.raises(DataError, match=r"feature names should match.*: 0, 1; X has 5, 6"):
            model.score_samples(rows.set_axis([5, 6], axis=1))
        with pytest.raises(DataError, match="same order"):
            model.score_samples(rows.rename(columns=str)[["1", "0"]])
        assert np.array_equal(model.score_samples(rows.rename(columns=str)), scores)
        assert list(model.explain(rows)) == [0, 1]
        with pytest.warns(UserWarning, match="fitted without feature names"):
            model.score_samples(rows.set_axis(["a", "b"], axis=1))


def test_mixed_names_are_compared() -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=[0, "b", 2])
    model = FAnoGAN(**TINY).fit(X)
    assert model.n_features_in_ == 3 and not hasattr(model, "feature_names_in_")
    assert list(model.sample(2)) == [0, "b", 2]
    model.score_samples(X)
    with pytest.raises(DataError, match="same order: 0, b, 2; X has b, 0, 2"):
        model.score_samples(X[["b", 0, 2]])


def test_names_that_are_not_one_each_are_refused() -> None:
    X = np.zeros((3, 2))
    with pytest.raises(DataError, match="duplicate column name 'a'"):
        read_input(pd.DataFrame(X, columns=["a", "a"]), None)
    levels = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    with pytest.raises(DataError, match=r"names of 2 levels, such as \('a', 1\)"):
        read_input(pd.DataFrame(X, columns=levels), None)


class Stream:
    """A table that gives its data through Arrow's interface alone."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A table that gives its data through the dataframe interchange protocol alone."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __dataframe__(self, **how: Any) -> Any:
        return self.table.__dataframe__(**how)


@pytest.mark.parametrize("wrap", [Stream, Interchange])
def test_other_frames_are_read_by_name(wrap: Any) -> None:
    table = pa.table({"b": [1.0, None, 3.0], "a": ["x", "y", None]})
    frame = read_input(wrap(table), None)
    assert isinstance(frame, pd.DataFrame) and list(frame) == ["b", "a"]
    assert frame["a"].tolist()[:2] == ["x", "y"] and frame.isna().sum().tolist() == [1, 1]
    assert library_of(wrap(table)) == "pandas"
    assert list(like(frame, wrap(table)).index) == [0, 1, 2]


def test_columns_that_arrow_has_no_type_for_are_named() -> None:
    objects = pl.DataFrame([pl.Series("o", [object(), object()], dtype=pl.Object)])
    with pytest.raises(DataError, match="column 'o' holds Python objects"):
        to_pandas(objects)
    with pytest.raises(DataError, match="X: "):
        to_pandas(pl.DataFrame([pl.Series("i", [1, 2], dtype=pl.Int128)]))
    lists = pd.DataFrame({"c": pd.array([[1], [2]] * 5, pd.ArrowDtype(pa.list_(pa.int64())))})
    with pytest.raises(DataTypeError, match=r"column 'c' holds .*list"):
        FAnoGAN(**TINY).fit(lists.assign(z=range(10)))
    assert not is_frame(pl.Series([1])) and not is_frame(np.zeros((2, 2)))
    frame = pd.DataFrame({"a": [1]})
    assert given_back(frame, "pandas") is frame


def labels_of(n: int = N) -> list[str]:
    return ["fine"] * (n - 30) + ["bad"] * 30


def test_resampled_frames_of_polars_keep_the_originals(polars: pl.DataFrame) -> None:
    y = pl.Series("label", labels_of())
    sampler = GANSampler(method="data", random_state=0)
    X_new, y_new = sampler.fit_resample(polars, y)
    assert isinstance(X_new, pl.DataFrame) and isinstance(y_new, pl.Series)
    assert X_new.schema == polars.schema and X_new[:N].equals(polars)
    assert y_new.name == "label" and (y_new == "bad").sum() == (y_new == "fine").sum() == N - 30
    rows, classes = sampler.sample(4, random_state=0)
    assert isinstance(rows, pl.DataFrame) and rows.schema == polars.schema and len(classes) == 4
    again, _ = sampler.fit_resample(polars.to_arrow(), y.to_list())
    assert isinstance(again, pa.Table)
    assert again["number"].to_pylist() == X_new["number"].to_list()


def test_columns_of_arrow_are_read_by_classifiers(polars: pl.DataFrame) -> None:
    ours, usual = (classifier_table(frame) for frame in (to_pandas(polars), polars.to_pandas()))
    assert ours["until"].dtype == "float64" and ours["until"].notna().all()
    for name in ("number", "whole", "until", "at", "for", "price"):
        np.testing.assert_allclose(ours[name], usual[name].astype("float64"), err_msg=name)
    assert ours["flag"].dtype == object


def test_resampled_rows_are_numbered_as_in_imbalanced_learn(mixed_frame: pd.DataFrame) -> None:
    X = mixed_frame.drop(columns="comment").sample(N, random_state=0)
    y = pd.Series(labels_of(), index=X.index)
    ours = GANSampler(method="data", random_state=0).fit_resample(X, y)
    theirs = RandomOverSampler(random_state=0).fit_resample(X, y)
    for mine, other in zip(ours, theirs, strict=True):
        pd.testing.assert_index_equal(mine.index, other.index)
    pd.testing.assert_frame_equal(ours[0][:N], X.reset_index(drop=True))


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(["ok", pd.NA, "bad"], dtype="string"),
        pd.Series(["ok", None, "bad"]),
        pd.Series(["ok", np.nan, "bad"], dtype=object),
        pd.Series(pd.Categorical(["ok", None, "bad"])),
        pl.Series(["ok", None, "bad"]),
        ["ok", None, "bad"],
    ],
)
def test_a_row_without_a_label_is_not_normal(y: Any) -> None:
    assert normal_rows(y, 3, "ok").tolist() == [True, False, False]


def test_labels_of_other_types_are_not_normal() -> None:
    flags = pd.Series([True, None, False], dtype="boolean")
    assert normal_rows(flags, 3, True).tolist() == [True, False, False]
    assert normal_rows([0.0, np.nan, 1.0], 3, 0).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("y", "label", "message"),
    [
        (pd.Series([pd.NA] * 3, dtype="string"), "ok", "no label in any row"),
        (["ok"] * 2, "ok", "y has 2 labels for 3 rows"),
        (["ok", "bad", "bad"], "fine", "normal_label='fine'; y has 'ok', 'bad'"),
        (["0", "1", "1"], 1, r"normal_label=1; y has '0', '1' \('1' is another type\)"),
        ([0, 1, 1], "1", r"normal_label='1'; y has 0, 1 \(1 is another type\)"),
        (["ok"] * 3, float("nan"), "a missing label is not a class"),
        (["ok"] * 3, ["ok"], "no row has the label"),
        ("ok", "ok", "one label per row is required"),
        (None, "ok", "needs y"),
    ],
)
def test_labels_that_say_nothing_are_named(y: Any, label: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        normal_rows(y, 3, label)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros(2),
        np.zeros((3, 3)),
        [0.0, 1.0],
        pd.Series([0.0, 1.0]),
        pl.Series([0.0, 1.0]),
        np.float64(3),
        None,
        "rows.csv",
        {"number": [1.0]},
    ],
)
def test_a_wrong_shape_names_the_columns(X: Any, table_detector: FAnoGAN) -> None:
    with pytest.raises(DataError, match="training had the columns amount, count, score") as caught:
        table_detector.score_samples(X)
    assert "\n" not in str(caught.value)


def test_masked_cells_are_missing() -> None:
    X = np.ma.masked_array([[1, 2], [3, 4]], [[False, True], [False, False]])
    np.testing.assert_array_equal(read_input(X, None), [[1, np.nan], [3, 4]])
    flags = read_input(np.ma.masked_array([[True, False]], [[True, False]]), None)
    assert flags.tolist() == [[None, False]]
    assert read_input(np.ma.masked_array([[1, 2]]), None).dtype.kind == "i"
    with pytest.raises(DataError, match="1 masked pixels"):
        read_input(np.ma.masked_equal(np.arange(8).reshape(2, 2, 2), 3), None)


def test_structured_arrays_are_tables() -> None:
    frame = read_input(np.array([(1.0, "a"), (2.0, "b")], [("x", float), ("t", "U1")]), None)
    assert isinstance(frame, pd.DataFrame) and list(frame) == ["x", "t"]
    with pytest.raises(DataError, match="field 'x' holds arrays"):
        read_input(np.zeros(3, [("x", float, 2)]), None)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 2)) * 1j, "Complex"),
        ([[1, 2], [3]], "inhomogeneous"),
        (np.zeros((0, 2)), "0 sample"),
        (np.zeros((3, 0)), "0 feature"),
        (pd.DataFrame(index=range(3)), "3 rows and 0 columns"),
    ],
)
def test_arrays_that_are_no_table_end_in_one_line(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_input(X, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix"])
def test_sparse_matrices_are_refused_as_scikit_learn_does(kind: str) -> None:
    from scipy import sparse

    with pytest.raises(TypeError, match="sparse matrix, but dense data is required"):
        read_input(getattr(sparse, kind)(np.eye(3)), None)


def test_rows_that_exports_are_checked_on_are_those_of_pandas(of_polars: FAnoGAN) -> None:
    model = of_polars._exportable("generator")
    for tried in batches_to_compare(model, None, np.random.default_rng(0)):
        assert isinstance(tried, pd.DataFrame)
        with no_drift_warnings():
            assert np.isfinite(of_polars.anomaly_score(tried)).all()
