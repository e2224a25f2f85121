"""Exported tables: the file answers as the model in torch, and says what is wrong with it."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from augan import FAnoGAN, GANSampler, OnnxDetector, OnnxGenerator
from augan.deploy import export, operators, precision, runtime, tracing
from augan.exceptions import DataError, ExportError, ModelFileError, ParameterError

QUICK = {
    "max_steps": 20,
    "encoder_steps": 20,
    "pretext_steps": 20,
    "width": 64,
    "n_folds": 2,
    "n_critic": 1,
    "random_state": 0,
}
# the rows here have, on purpose, what training rows had not
pytestmark = pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
OUTPUTS = ["anomaly_score", "p_value", "is_anomaly", "score_parts", "explanation", "threshold"]


def with_constants(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a column of every kind, those that never vary and awkward names."""
    order = np.arange(len(frame))
    return frame.assign(
        **{"five": 5, "word": "a", "nothing": np.nan, "p_value": order % 7, "augan/raw": 1.5},
        note=pd.Series(np.where(order % 5 == 0, None, "fine"), dtype=object),  # missing is usual
        paid=pd.array(np.where(order % 6 == 0, None, order % 2 == 0), dtype="boolean"),
    )


@pytest.fixture(scope="module")
def frame(mixed_frame: pd.DataFrame) -> pd.DataFrame:
    return with_constants(mixed_frame)


@pytest.fixture(scope="module")
def detector(frame: pd.DataFrame) -> FAnoGAN:
    return FAnoGAN(**QUICK).fit(frame[:300])


@pytest.fixture(scope="module")
def file(detector: FAnoGAN, frame: pd.DataFrame, tmp_path_factory: Any, traced_once: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("export") / "m.onnx"
    with traced_once():
        report = detector.export_onnx(path, X=frame[300:])
    assert report.found.agrees and report.found.difference < 1e-4
    assert report.found.n_other == 0 and report.found.n_rows > 1000
    return path


@pytest.fixture(scope="module")
def rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows that were not trained on; some have what training had not."""
    rows = frame[300:].reset_index(drop=True)
    rows["word"] = rows["word"].where(rows.index % 5 > 0, "b")
    rows["five"] = rows["five"].where(rows.index % 7 > 0, 6)
    rows["nothing"] = rows["nothing"].where(rows.index % 9 > 0, 1.0)
    return rows


def opened(path: Path, **params: Any) -> OnnxDetector:
    return OnnxDetector(path, providers="cpu", **params)


def test_all_answers_are_those_of_torch(detector: FAnoGAN, file: Path, rows: Any) -> None:
    ours, theirs = detector.assess(rows, explain=True), opened(file).assess(rows, explain=True)
    scale = detector.scorer_.conformal.scores.std().item()
    assert np.abs(ours.anomaly_score - theirs.anomaly_score).max() < 1e-4 * scale
    ranks = np.abs(ours.p_value - theirs.p_value) * (detector.n_calibration_ + 1)
    assert ranks.max() <= 1.001 and (ranks > 0.5).mean() < 0.05
    assert list(theirs.score_parts) == list(ours.score_parts)
    np.testing.assert_allclose(theirs.score_parts, ours.score_parts, atol=1e-3)
    assert list(theirs.explanation) == list(frame_names(ours.explanation))
    np.testing.assert_allclose(theirs.explanation, ours.explanation, rtol=1e-3, atol=1e-3)
    assert np.array_equal(opened(file).predict(rows), detector.predict(rows))


def frame_names(frame: Any) -> list[str]:
    return [str(name) for name in frame]


def test_exported_models_keep_index_and_library(file: Path, rows: Any) -> None:
    exported, part = opened(file), rows.sample(20, random_state=0)
    found = exported.assess(part, explain=True)
    assert list(found.explanation.index) == list(found.score_parts.index) == list(part.index)
    alone = exported.explain(part.iloc[[5]])
    np.testing.assert_allclose(found.explanation.iloc[[5]], alone, rtol=1e-3, atol=1e-3)
    polars = pl.from_pandas(part)
    assert isinstance(exported.explain(polars), pl.DataFrame)
    assert np.array_equal(exported.anomaly_score(polars), found.anomaly_score)
    with pytest.raises(ValueError, match="same order"):
        exported.anomaly_score(polars.select(polars.columns[::-1]))


@pytest.mark.parametrize(
    ("missing", "dtype"),
    [
        *((missing, "object") for missing in ("", "\t\n", None)),
        *(("", dtype) for dtype in ("str", "category")),
        *(pytest.param(missing, "object", marks=pytest.mark.slow) for missing in (" ", pd.NA)),
        pytest.param("", "string", marks=pytest.mark.slow),
    ],
)
def test_an_empty_text_is_missing_in_torch_and_in_the_graph(
    detector: FAnoGAN, file: Path, rows: Any, missing: Any, dtype: str
) -> None:
    usual = rows[:4].assign(note=pd.Series([None] * 4, dtype=object))
    cells = pd.Series([missing] * 4, dtype=object)
    changed = usual.assign(note=pd.Series(list(cells), dtype=None if dtype == "str" else dtype))
    for model in (detector, opened(file)):
        assert np.array_equal(model.anomaly_score(changed), model.anomaly_score(usual))
    ours, theirs = detector.anomaly_score(changed), opened(file).anomaly_score(changed)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    for model, found in ((detector, ours), (opened(file), theirs)):
        assert (model.anomaly_score(usual.assign(note="nowhere")) > found + 0.1).all()


def test_what_training_had_not_counts_in_the_graph(file: Path, rows: Any) -> None:
    exported = opened(file)
    for name, other in (("word", "c"), ("five", 7), ("nothing", 2.0), ("augan/raw", np.nan)):
        usual = rows.assign(word="a", five=5, nothing=np.nan)
        changed = usual.assign(**{name: other})
        times = exported.explain(changed)[name] - exported.explain(usual)[name]
        assert (times > 1).all(), name


def test_methods_agree_with_each_other(detector: FAnoGAN, file: Path, rows: Any) -> None:
    exported = opened(file)
    scores = exported.anomaly_score(rows)
    assert scores.dtype == np.float64
    assert np.array_equal(exported.score_samples(rows), -scores)
    assert np.array_equal(exported.decision_function(rows), -scores - exported.offset_)
    assert np.array_equal(exported.predict(rows), np.where(scores > exported.threshold_, -1, 1))
    assert np.array_equal(exported.fit_predict(rows), exported.predict(rows))
    assert np.array_equal(exported.p_value(rows), exported.assess(rows).p_value)
    assert exported.threshold_ == detector.threshold_
    assert exported.n_features_in_ == detector.n_features_in_
    assert list(exported.feature_names_in_) == list(detector.feature_names_in_)


@pytest.mark.parametrize("fpr", [0.001, 0.05, 0.3])
def test_a_false_positive_rate_moves_the_threshold(
    detector: FAnoGAN, file: Path, rows: Any, fpr: float
) -> None:
    exported = opened(file, target_fpr=fpr)
    assert exported.threshold_ == opened(file).threshold_at(fpr)
    limit = detector.threshold_at(fpr)
    if fpr * (detector.n_calibration_ + 1) < 1:  # extrapolated, by a logarithm
        limit = pytest.approx(limit, rel=1e-8)
    assert exported.threshold_ == limit
    flagged = exported.predict(rows) == -1
    assert np.array_equal(flagged, exported.anomaly_score(rows) > detector.threshold_at(fpr))


def test_plain_onnx_runtime_takes_raw_columns(detector: FAnoGAN, file: Path, rows: Any) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    plain = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    inputs = {value.name: value.type for value in plain.get_inputs()}
    assert inputs["amount"] == "tensor(double)" and inputs["word"] == "tensor(string)"
    assert inputs["column:p_value"] == "tensor(double)"
    assert [value.name for value in plain.get_outputs()] == OUTPUTS
    optional = [value.name for value in plain.get_overridable_initializers()]
    assert optional == ["target_fpr", "explain"]
    feeds = opened(file).codec_.feeds(rows)
    found = dict(zip(OUTPUTS, plain.run(None, feeds), strict=True))
    assert np.array_equal(found["is_anomaly"], detector.predict(rows) == -1)
    strict = plain.run(["is_anomaly"], {**feeds, "target_fpr": np.array(0.5)})[0]
    assert strict.sum() > found["is_anomaly"].sum()
    assert found["explanation"].shape == rows.shape and np.isfinite(found["explanation"]).all()
    fewer = dict(zip(OUTPUTS, plain.run(None, {**feeds, "explain": np.array(False)}), strict=True))
    assert fewer.pop("explanation").shape == (0, rows.shape[1])
    assert all(np.array_equal(found[name], value) for name, value in fewer.items())


def test_booleans_and_missing_texts_are_read_however_they_are_written(
    file: Path, rows: Any
) -> None:
    exported = opened(file).fit()
    feeds, run = exported.codec_.feeds(rows[:1]), exported._session.run
    assert {c.name: c.dtype for c in exported.codec_.columns if "bool" in str(c.dtype)} == {
        "member": "bool",
        "paid": "boolean",
    }

    def score(name: str, text: str) -> float:
        return float(run({**feeds, name: np.array([[text]], dtype=object)})["anomaly_score"][0])

    for name in ("member", "paid"):
        true, false = score(name, "true"), score(name, "false")
        assert true == score(name, "True") == score(name, "TRUE") == score(name, "1")
        assert false == score(name, "False") == score(name, "0") != true
        assert score(name, "") not in (true, false)
        assert score(name, "maybe") == score(name, "perhaps") > max(true, false)
    assert score("paid", "maybe") > score("paid", "") + 0.1  # missing is usual there
    assert score("member", "maybe") == score("member", "")  # none of both has been seen


def test_it_works_in_a_pipeline_and_is_cloned_and_pickled(file: Path, rows: Any) -> None:
    exported = opened(file)
    scores = exported.anomaly_score(rows)
    pipeline = make_pipeline(FunctionTransformer(), exported).fit(rows)
    assert np.array_equal(pipeline.score_samples(rows), -scores)
    for other in (clone(exported), pickle.loads(pickle.dumps(exported))):
        assert np.array_equal(other.anomaly_score(rows), scores)


def test_texts_are_scored_where_binding_is_asked_for(file: Path, rows: Any) -> None:
    plain, bound = (opened(file, io_binding=on, target_fpr=0.2) for on in (False, True))
    ours, theirs = (model.assess(rows, explain=True) for model in (plain, bound))
    assert np.array_equal(ours.anomaly_score, theirs.anomaly_score)
    assert ours.explanation.equals(theirs.explanation)
    assert plain.threshold_ == bound.threshold_


def test_scores_do_not_depend_on_the_batch(file: Path, rows: Any) -> None:
    exported = opened(file, threads=1)
    scores = exported.anomaly_score(rows)
    alone = np.concatenate([exported.anomaly_score(rows[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, scores[:20], atol=2e-5)
    bound = opened(file, io_binding=True)
    np.testing.assert_allclose(bound.anomaly_score(rows), scores, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.drop(columns="amount"), "amount"),
        (lambda rows: rows[rows.columns[::-1]], "order"),
        (lambda rows: rows.assign(amount=np.inf), "column 'amount', row 0: inf"),
        (lambda rows: rows.assign(amount="lots"), "column 'amount', row 0: 'lots'"),
        (lambda rows: np.zeros((3, 8, 8), np.uint8), "X holds images"),
        (lambda rows: np.zeros(3), "array"),
        (lambda rows: rows[:0], "0 rows"),
    ],
)
def test_wrong_rows_are_named_as_torch_does(
    detector: FAnoGAN, file: Path, rows: Any, change: Any, says: str
) -> None:
    for model in (detector, opened(file)):
        with pytest.raises(ValueError) as caught:
            model.anomaly_score(change(rows))
        assert says in str(caught.value)


def test_a_model_of_an_array_takes_one_matrix(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    X[:, 3] = 2.0
    X[::9, 1] = np.nan
    detector = FAnoGAN(**{**QUICK, "width": 16}, scoring="paper", spectral_norm=True).fit(X)
    report = detector.export_onnx(tmp_path / "a.onnx")
    assert report.found.agrees
    assert list(opened(tmp_path / "a.onnx").codec_.feeds(X)) == ["X"]
    np.testing.assert_allclose(
        opened(tmp_path / "a.onnx").anomaly_score(X), detector.anomaly_score(X), rtol=1e-4
    )
    X[2, 4] = np.inf
    for model in (detector, opened(tmp_path / "a.onnx")):
        with pytest.raises(DataError, match=r"column 'x4', row 2: inf"):
            model.anomaly_score(X)


def test_the_file_says_what_it_is(detector: FAnoGAN, file: Path) -> None:
    facts = opened(file).metadata_
    assert facts["part"] == "scorer" and facts["opset"] == operators.OPSET
    assert facts["threshold"] == detector.threshold_
    assert facts["trained"] == detector.trained_
    assert facts["latent_dim"] == detector.networks_.latent_dim
    assert set(facts["libraries"]) >= {"torch", "onnx"}
    assert [c["name"] for c in facts["columns"]] == [c.name for c in detector.codec_.columns]
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert "## Decision" in model.doc_string and "`amount`: float64" in model.doc_string
    assert str(Path(export.__file__).parents[2]).encode() not in file.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"precision": "int8"},  # each precision and bank of numbers: test_onnx_runtime.py
        pytest.param({"precision": "fp16"}, marks=pytest.mark.slow),
        pytest.param({"bank": "fp16"}, marks=pytest.mark.slow),
    ],
)
def test_smaller_files_say_what_they_lose(
    detector: FAnoGAN,
    file: Path,
    frame: Any,
    tmp_path: Path,
    traced_once: Any,
    options: dict[str, str],
) -> None:
    with traced_once():
        report = detector.export_onnx(tmp_path / "s.onnx", X=frame[300:], **options)
    assert report.n_bytes == (tmp_path / "s.onnx").stat().st_size < file.stat().st_size
    assert report.found.auroc is not None and report.found.exported_auroc is not None
    assert abs(report.found.exported_auroc - report.found.auroc) < 0.1
    assert "AUROC against pseudo-anomalies" in str(report)
    agreement = np.corrcoef(
        opened(tmp_path / "s.onnx").anomaly_score(frame), detector.anomaly_score(frame)
    )[0, 1]
    assert agreement > 0.9
    with pytest.raises(ParameterError, match="needs X"):
        detector.export_onnx(tmp_path / "t.onnx", **options)


def exported(module: torch.nn.Module, argument: torch.Tensor, folder: Path) -> Path:
    """Return a file of a module, by the project's own operators."""
    program = torch.onnx.export(
        module.eval(),
        (argument,),
        dynamo=True,
        opset_version=operators.OPSET,
        custom_translation_table=operators.TRANSLATIONS,
        verbose=False,
    )
    program.save(folder / "module.onnx")
    return folder / "module.onnx"


class Ranked(torch.nn.Module):
    """Where values stand among others, from either side."""

    def __init__(self, among: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("among", among)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.searchsorted(self.among, values, right=side) for side in (False, True))


@pytest.mark.parametrize(
    "length",
    [32, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 31, 33, 1000, 1025))],
)
def test_places_among_sorted_numbers_are_those_of_torch(length: int, tmp_path: Path) -> None:
    random = np.random.default_rng(length)
    most = max(20, length // 2)
    among = torch.from_numpy(np.sort(random.integers(0, most, (3, length)), axis=1).astype(float))
    among[2, -1] = np.inf
    values = torch.from_numpy(random.integers(-1, most + 2, (3, 50)).astype(float))
    values[:, :3] = torch.tensor([np.nan, np.inf, -np.inf])
    module = Ranked(among)
    session = onnxruntime.InferenceSession(exported(module, values, tmp_path))
    found = session.run(None, {session.get_inputs()[0].name: values.numpy()})
    for one, expected in zip(found, module(values), strict=True):
        assert np.array_equal(one, expected.numpy())


class Looked(torch.nn.Module):
    """What photographs are standardised by, and made smaller with."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        size = [30, 40]
        small = torch.nn.functional.interpolate(images, size=size, mode="bilinear", antialias=True)
        return images.mean((1, 2)), images.std((1, 2, 3), keepdim=True), small


def test_large_images_lose_no_digits(tmp_path: Path) -> None:
    # ONNX Runtime's own operators are wrong by 8e-5 of the deviation, and 4e-6 of the range
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (2, 1, 400, 300)).astype(np.float32))
    session = onnxruntime.InferenceSession(exported(Looked(), images, tmp_path))
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    for one, exact in zip(found, Looked()(images.double()), strict=True):
        assert one.shape == exact.shape
        np.testing.assert_allclose(one, exact.numpy(), atol=2e-6 * 255)
    deviation = images.double().std((1, 2, 3)).numpy()
    np.testing.assert_allclose(found[1].ravel(), deviation, rtol=2e-6)


def test_a_quantised_bank_is_small_and_close() -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 9)).astype(np.float32)
    bank = onnx.numpy_helper.from_array(rows, "heads.x.bank")
    value = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [3000, 9])
    node = onnx.helper.make_node("Identity", ["heads.x.bank"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [value], [bank])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    before = model.ByteSize()
    precision.compress_banks(model, precision.bank_tensors(model), "pq")
    onnx.checker.check_model(model, full_check=True)
    assert model.ByteSize() < before / 3
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {})[0]
    assert np.abs(found - rows).mean() < 0.1


@pytest.mark.slow  # of images by default: test_export_images.test_small_images
def test_an_encoder_gives_the_latents(detector: FAnoGAN, rows: Any, tmp_path: Path) -> None:
    report = detector.export_onnx(tmp_path / "e.onnx", part="encoder", X=rows)
    assert report.found.agrees
    with pytest.raises(ModelFileError, match="holds the encoder"):
        opened(tmp_path / "e.onnx").fit()


def test_a_generator_makes_rows_of_the_types_of_training(
    detector: FAnoGAN, frame: Any, tmp_path: Path
) -> None:
    path = tmp_path / "g.onnx"
    assert detector.export_onnx(path, part="generator").found.agrees
    generator = OnnxGenerator(path, providers="cpu")
    rows = generator.sample(200, random_state=0)
    assert (rows.dtypes == frame.dtypes).all() and list(rows) == list(frame)
    assert rows.equals(generator.sample(200, random_state=0))
    bound = OnnxGenerator(path, providers="cpu", io_binding=True)
    assert rows.equals(bound.sample(200, random_state=0))
    assert not rows.equals(generator.sample(200, random_state=1))
    train = frame[:300]
    assert rows["amount"].between(train["amount"].min(), train["amount"].max()).all()
    assert (
        (rows["word"] == "a").all() and (rows["five"] == 5).all() and rows["nothing"].isna().all()
    )
    detector.anomaly_score(rows)
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ParameterError, match="n_samples"):
            generator.sample(wrong)
    with pytest.raises(ParameterError, match="shape"):
        generator.generate(np.zeros((2, 99), np.float32))
    with pytest.raises(ParameterError, match="no classes"):
        generator.sample({"a": 1})


def full(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table without its empty columns, of which samplers warn."""
    return frame.drop(columns=["nothing", "comment"])


def test_a_generator_of_classes_is_told_which(frame: Any, tmp_path: Path) -> None:
    y = np.where(frame["amount"] > 20, "high", "low")
    quick = {"max_steps": 10, "encoder_steps": 1, "width": 16, "random_state": 0}
    sampler = GANSampler(method="gan", **quick).fit(frame[["amount", "shop", "day"]], y)
    path = tmp_path / "c.onnx"
    assert sampler.export_onnx(path).found.agrees
    generator = OnnxGenerator(path, providers="cpu")
    rows, classes = generator.sample({"low": 30, "high": 5}, random_state=0)
    assert len(rows) == 35 and (classes == "low").sum() == 30
    assert set(generator.sample(100, random_state=0)[1]) == {"high", "low"}
    with pytest.raises(ParameterError, match="no class 'other'"):
        generator.sample({"other": 1})
    with pytest.raises(ParameterError, match=r"where: .*c.onnx makes rows from latents"):
        generator.sample(2, where={"shop": "a"})
    assert set(generator.sample(5, label="high")[1]) == {"high"}
    with pytest.raises(ExportError, match="does not score rows"):
        sampler.export_onnx(path, part="scorer")


def test_what_cannot_be_exported_says_why(search_detector: Any, frame: Any, tmp_path: Path) -> None:
    for part in ("scorer", "encoder"):
        with pytest.raises(ExportError, match=r"by gradient descent.*FAnoGAN"):
            search_detector.export_onnx(tmp_path / "m.onnx", part=part)
    y = np.repeat(["a", "b"], len(frame) // 2)
    sampler = GANSampler(method="data", random_state=0).fit(full(frame), y)
    with pytest.raises(ExportError, match="without a generator"):
        sampler.export_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"part": "critic"}, "part='critic'"),
        ({"precision": "fp8"}, "precision='fp8'"),
        ({"bank": "tiny"}, "bank='tiny'"),
        ({"part": "encoder", "precision": "fp16"}, "only the scorer"),
    ],
)
def test_wrong_options_are_named(
    detector: FAnoGAN, tmp_path: Path, options: dict[str, str], says: str
) -> None:
    with pytest.raises(ParameterError, match=says):
        detector.export_onnx(tmp_path / "m.onnx", **options)


def test_a_graph_that_would_score_otherwise_is_not_written(
    numbers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off_by_one(ordered: Any, values: Any, **options: Any) -> Any:
        found = operators.searchsorted(ordered, values, **options)
        return operators.op.Max(operators.op.Sub(found, operators.op.Constant(value_int=1)), 0)

    wrong = {torch.ops.aten.searchsorted.Tensor: off_by_one}
    monkeypatch.setattr(tracing, "TRANSLATIONS", {**operators.TRANSLATIONS, **wrong})
    with pytest.raises(ExportError, match="not written, it would differ from torch"):
        FAnoGAN(heads=("data_neighbors",), **QUICK).fit(numbers).export_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def assert_refused(path: Path, says: str, **params: Any) -> None:
    with pytest.raises((ModelFileError, ParameterError)) as caught:
        OnnxDetector(path, **{"providers": "cpu", **params}).fit()
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_exported_model_is_refused(file: Path, tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.onnx", "no such file")
    assert_refused(tmp_path, "a directory")
    (tmp_path / "text.onnx").write_text("hello")
    assert_refused(tmp_path / "text.onnx", "text.onnx: not an ONNX file, or damaged")
    (tmp_path / "cut.onnx").write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert_refused(tmp_path / "cut.onnx", "cut.onnx: not an ONNX file, or damaged")
    model = onnx.load(file)
    for props, says in (
        ({}, "was not made by augan"),
        (
            {"augan.format": "99", "augan.augan": '"9.0"', "augan.part": '"scorer"'},
            "made by a newer augan (9.0, format 99",
        ),
        ({"augan.format": "soon"}, "was not made by augan"),
    ):
        onnx.helper.set_model_props(model, props)
        onnx.save(model, tmp_path / "other.onnx")
        assert_refused(tmp_path / "other.onnx", says)


def test_wrong_ways_to_run_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(file, "providers='abacus': is not one of 'auto', 'cpu'", providers="abacus")
    assert_refused(file, "has no NoProvider", providers=["NoProvider"])
    assert_refused(file, "threads=0", threads=0)
    assert_refused(file, "target_fpr=2", target_fpr=2)
    monkeypatch.setattr(runtime, "n_cuda_devices", lambda: 0)
    assert_refused(file, "providers='cuda'", providers="cuda")
    assert_refused(file, "providers='tensorrt'", providers="tensorrt")
    runtime.warn_of_no_gpu.cache_clear()
    with pytest.warns(UserWarning, match="no CUDA device"):
        OnnxDetector(file).fit()
    OnnxDetector(file).fit()  # says it once


def test_triton_is_told_of_every_input(file: Path, tmp_path: Path) -> None:
    from augan.deploy.triton import write_repository

    write_repository(file, tmp_path / "models")
    config = (tmp_path / "models" / "m" / "config.pbtxt").read_text()
    assert (tmp_path / "models" / "m" / "1" / "model.onnx").read_bytes() == file.read_bytes()
    assert 'input { name: "word" data_type: TYPE_STRING dims: [ 1 ] }' in config
    assert 'output { name: "anomaly_score" data_type: TYPE_FP32 dims: [ 1 ] reshape' in config
    assert not any(name in config for name in ("target_fpr", '"explain"', "threshold"))
    assert config.count("input {") == len(opened(file).fit().codec_.columns)


def test_torch_is_not_needed(file: Path, rows: Any, tmp_path: Path, run_alone: Any) -> None:
    """A process in which torch and what trains cannot be imported scores, explains and tells."""
    rows.to_csv(tmp_path / "rows.csv", index=False)
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "onnx", "imblearn", "safetensors"):
            raise ModuleNotFoundError(name, name=name.split(".")[0])
sys.meta_path.insert(0, Missing())
from augan_cli.app import app
app(sys.argv[1:])
"""
    python = (sys.executable, "-c", code)
    for words in (("fit", "rows.csv", "--out", "m.augan"), ("score", "m.augan", "rows.csv")):
        done = subprocess.run((*python, *words), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1
        needs = r"augan: error: (torch|safetensors) is not installed: pip install 'augan\[train\]'"
        assert re.match(needs, done.stderr)
        assert len(done.stderr.splitlines()) == 1
    run_alone(*python, "score", str(file), "rows.csv", "--out", "s.csv", "--explain", cwd=tmp_path)
    scores = pd.read_csv(tmp_path / "s.csv")
    expected = opened(file).anomaly_score(rows)
    np.testing.assert_allclose(scores["anomaly_score"], expected, atol=1e-5)
    assert scores["explanation"].str.contains("x").all()
    facts = json.loads(run_alone(*python, "info", str(file), "--json", cwd=tmp_path))
    assert facts["method"] == "FAnoGAN"
    assert facts["columns"]["word"] == f"constant ({rows['word'].dtype})"
