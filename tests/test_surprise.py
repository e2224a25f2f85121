"""The head "surprise": how improbable each value of a row is, given the others."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from augan_cli.app import app
from typer.testing import CliRunner

import augan
from augan import AnoGAN, FAnoGAN, OnnxDetector, OnnxGenerator
from augan.codecs.bins import ColumnBins
from augan.deploy.operators import OPSET, TRANSLATIONS
from augan.exceptions import ParameterError
from augan.models.config import detector_config
from augan.networks.cell_codes import UNSEEN, CellCodes
from augan.networks.columns import ColumnNetwork
from augan.networks.surprise import ColumnSurprise

QUICK: dict[str, Any] = {
    **{"max_steps": 3, "encoder_steps": 3, "pretext_steps": 3, "n_folds": 2, "n_critic": 1},
    **{"width": 32, "latent_dim": 2, "batch_size": 32, "random_state": 0, "n_iter_no_change": None},
}
N_ROWS = 300


def make_frame(n: int = N_ROWS, seed: int = 0) -> pd.DataFrame:
    """Return rows in which "b" follows "a", and "coat" follows "size"."""
    random = np.random.default_rng(seed)
    a, size = random.normal(size=n), random.choice(["s", "m", "l"], n)
    return pd.DataFrame(
        {
            "a": a,
            "b": a + 0.05 * random.normal(size=n),
            "size": size,
            "coat": np.where(size == "s", "thin", "thick"),
            "visits": random.integers(0, 4, n),
            "land": "DE",
        }
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_frame()


@pytest.fixture(scope="module")
def detector(frame: pd.DataFrame) -> FAnoGAN:
    """A detector with this head alone."""
    return FAnoGAN(heads=("surprise",), column_steps=250, **QUICK).fit(frame)


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    """Rows with two broken dependences, an unseen category, missing values, and distant numbers."""
    rows = make_frame(6, seed=1)
    rows.loc[0, ["a", "b"]] = 1.0, -1.0
    rows.loc[1, ["size", "coat"]] = "s", "thick"
    rows.loc[2, "size"] = "xl"
    rows.loc[3, "a"] = np.nan
    rows.loc[3, "coat"] = None
    rows["visits"] = [0, 1, 2, 3, 99, 2]
    rows.loc[4, "b"] = 1e9
    rows.loc[5, "land"] = "FR"
    return rows


@pytest.fixture
def surprise() -> Iterator[tuple[ColumnSurprise, ColumnNetwork, list[ColumnBins], np.ndarray]]:
    """A column network with random weights, and its codes for columns of several kinds."""
    random = np.random.default_rng(0)
    raw = np.stack([random.normal(size=200), random.integers(0, 3, 200), np.zeros(200)], axis=1)
    raw[:20, 1] = np.nan
    raw[:50, 0] = 0.0
    exact = [False, True, True]
    bins = [ColumnBins.fit(own, ordered=not one) for own, one in zip(raw.T, exact, strict=True)]
    module = ColumnSurprise()
    module.fit_codes(bins, exact, len(raw))
    sizes, positions = [own.size for own in bins[:2]], [own.positions for own in bins[:2]]
    network = ColumnNetwork(sizes, positions, 16, 0)
    with torch.no_grad():
        for weights in network.parameters():
            weights.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
        module.take(network.requires_grad_(False))
        yield module, network, bins, raw


def test_it_is_the_log_probability_with_one_column_masked(surprise: Any) -> None:
    module, network, bins, raw = surprise
    codes = torch.from_numpy(np.stack([b.encode(c) for b, c in zip(bins, raw.T, strict=True)], 1))
    found = module(torch.from_numpy(raw))
    assert module.places.tolist() == [0, 1]
    assert (found[:, 2] == 0).all()  # one value alone cannot surprise
    for j in (0, 1):
        masked = codes[:, :2].clone()
        masked[:, j] = network.sizes[j]
        expected = network(masked)[j].log_softmax(1).gather(1, codes[:, j : j + 1])[:, 0]
        torch.testing.assert_close(found[:, j], -expected, rtol=1e-4, atol=1e-4)


def test_codes_are_those_of_the_bins(surprise: Any) -> None:
    module, _, bins, raw = surprise
    cells = np.array([[-99.0, 0, 0], [99.0, 2, 0], [0.0, np.nan, 0], [1e-9, 7, 1], [np.nan, 1, 0]])
    found = module.codes(torch.from_numpy(cells)).numpy()
    assert (module.codes(torch.from_numpy(raw))[:, 0].numpy() == bins[0].encode(raw[:, 0])).all()
    assert (found[:4, 0] == bins[0].encode(cells[:4, 0])).all()
    assert found[:, 1].tolist() == [0, 2, bins[1].size - 1, UNSEEN, 1]
    assert found[:, 2].tolist() == [0, 0, 0, UNSEEN, 0]
    assert found[4, 0] == UNSEEN  # missing, which it never is in training


def test_an_unseen_value_is_masked_and_counts_as_half_a_row(surprise: Any) -> None:
    module, network, bins, _ = surprise
    found = module(torch.tensor([[0.0, 7.0, 0.0]], dtype=torch.float64))
    assert found[0, 1] == pytest.approx(math.log(2 * 200 + bins[1].size + 1))
    code = int(bins[0].encode(np.zeros(1))[0])
    masked = torch.tensor([network.sizes])
    assert found[0, 0] == pytest.approx(-float(network(masked)[0].log_softmax(1)[0, code]), 1e-4)


def test_on_another_device_codes_stay_on_the_cpu(surprise: Any) -> None:
    module = surprise[0]
    module.place(torch.device("meta"))
    assert {buffer.device.type for buffer in module.codes.buffers()} == {"cpu"}
    assert {buffer.device.type for buffer in module.buffers(recurse=False)} == {"meta"}


def test_few_numbers_get_the_nearest_code_and_categories_none() -> None:
    values = np.repeat([0.0, 1.0, 5.0], 10)
    codes = CellCodes()
    codes.fit([ColumnBins.fit(values, ordered=True)] * 2, [False, True])
    cells = torch.tensor([[4.0, 4.0], [-9.0, -9.0], [1.0, 1.0]], dtype=torch.float64)
    assert codes(cells).tolist() == [[2, UNSEEN], [0, UNSEEN], [1, 1]]


def test_a_broken_dependence_is_seen_in_its_columns(
    detector: FAnoGAN, frame: pd.DataFrame, odd: pd.DataFrame
) -> None:
    usual, found = detector.surprise(make_frame(200, seed=2)), detector.surprise(odd)
    assert list(found.columns) == list(frame.columns)
    assert found.index.equals(odd.index)
    limits = usual.quantile(0.98)
    assert (found.loc[0, ["a", "b"]] > limits[["a", "b"]]).all()
    assert (found.loc[1, ["size", "coat"]] > limits[["size", "coat"]]).all()
    assert found.loc[1, "a"] < limits["a"]
    scores = detector.anomaly_score(odd)
    assert (scores[:2] > np.quantile(detector.anomaly_score(frame), 0.9)).all()


def test_unseen_missing_and_distant_values_are_finite(detector: FAnoGAN, odd: pd.DataFrame) -> None:
    found = detector.surprise(odd)
    assert np.isfinite(found).all(axis=None) and (found >= 0).all(axis=None)
    assert np.isfinite(detector.anomaly_score(odd)).all()
    n = int(0.8 * N_ROWS)  # rows that are not held out
    assert found.loc[2, "size"] == pytest.approx(math.log(2 * n + 3 + 1), abs=1e-5)
    assert found.loc[3, ["a", "coat"]].min() > math.log(2 * n)
    assert found.loc[5, "land"] == pytest.approx(math.log(2 * n + 1 + 1), abs=1e-5)
    assert (found.loc[:4, "land"] == 0).all()
    beyond = odd.iloc[[4]].assign(b=1e6, visits=4)
    pd.testing.assert_frame_equal(found.iloc[[4]], detector.surprise(beyond))  # the same bins


def test_only_held_out_rows_calibrate(detector: FAnoGAN) -> None:
    assert detector.n_calibration_ == N_ROWS - int(0.8 * N_ROWS)
    assert list(detector.scorer_.part_names) == ["surprise"]
    assert detector.networks_.pretext is None


def test_score_does_not_depend_on_the_other_rows(detector: FAnoGAN, odd: pd.DataFrame) -> None:
    found = detector.surprise(odd)
    for i in (0, 3, 5):
        pd.testing.assert_frame_equal(
            detector.surprise(odd.iloc[[i]]), found.iloc[[i]], check_exact=True
        )
    module = detector.networks_.columns
    assert module is not None and module.at_once == 512
    wide = ColumnSurprise()
    wide.inputs = torch.empty(1000, 70, 32, device="meta")
    assert wide.at_once == 32  # 2**22 numbers in all


def test_a_loaded_model_is_equal(detector: FAnoGAN, odd: pd.DataFrame, tmp_path: Path) -> None:
    detector.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    assert np.array_equal(loaded.anomaly_score(odd), detector.anomaly_score(odd))
    pd.testing.assert_frame_equal(loaded.surprise(odd), detector.surprise(odd), check_exact=True)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("codes.counts", lambda t: t + 1000),
        ("codes.values", lambda t: t[:1]),
        ("codes.edges", lambda t: t.flip(1)),
        ("places", lambda t: t + 100),
        ("outputs", lambda t: t[:, :2]),
        ("unseen", lambda t: t.double()),
    ],
)
def test_stored_tensors_that_do_not_fit_are_refused(
    detector: FAnoGAN, name: str, change: Any
) -> None:
    state = {k: v.clone() for k, v in detector.networks_.columns.state_dict().items()}
    state[name] = change(state[name])
    module = ColumnSurprise()
    module.load_state_dict(state, assign=True)
    with pytest.raises(ValueError, match=r"columns?|shapes|surprise"):
        module.check(6)
    detector.networks_.columns.check(6)


@pytest.mark.filterwarnings("ignore")  # of the exporter's own
def test_onnx_operators_give_the_same(
    detector: FAnoGAN, odd: pd.DataFrame, frame: pd.DataFrame, tmp_path: Path
) -> None:
    module = detector.networks_.columns
    raw = detector.codec_.prepare(pd.concat([odd, frame]))
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(module, (raw[:3],), dynamic_shapes=(batch,), strict=False)
    how = {"opset_version": OPSET, "custom_translation_table": TRANSLATIONS, "verbose": False}
    program = torch.onnx.export(exported, (raw[:3],), dynamo=True, input_names=["raw"], **how)
    program.save(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {"raw": raw.numpy()})[0]
    np.testing.assert_allclose(found, module(raw).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_an_exported_file_gives_the_same(
    frame: pd.DataFrame, odd: pd.DataFrame, tmp_path: Path
) -> None:
    named = {"a": "surprise"}  # as the output is called
    rows, odd = frame.rename(columns=named), odd.rename(columns=named)
    detector = FAnoGAN(heads=("surprise",), column_steps=100, **QUICK).fit(rows)
    assert detector.export_onnx(tmp_path / "m.onnx", X=rows).found.agrees
    exported = OnnxDetector(tmp_path / "m.onnx", providers="cpu")
    ours, theirs = detector.assess(odd, explain=True), exported.assess(odd, explain=True)
    np.testing.assert_allclose(theirs.anomaly_score, ours.anomaly_score, rtol=1e-4)
    pd.testing.assert_frame_equal(theirs.surprise, ours.surprise, rtol=1e-4, atol=1e-4)
    pd.testing.assert_frame_equal(exported.surprise(odd), theirs.surprise)
    rows["surprise"] = rows["surprise"].where(rows.index > 20)
    generator = FAnoGAN(heads=("surprise",), column_steps=1, **QUICK).fit(rows)
    generator.export_onnx(tmp_path / "g.onnx", part="generator")
    made = OnnxGenerator(tmp_path / "g.onnx", providers="cpu").sample(50, random_state=0)
    assert list(made) == list(rows)


def test_beside_another_head_and_without_it(frame: pd.DataFrame, odd: pd.DataFrame) -> None:
    params = {**QUICK, "column_steps": 5, "contamination": 0.1}
    both = AnoGAN(search_steps=2, heads=("data_neighbors", "surprise"), **_but(params)).fit(frame)
    assert list(both.score_parts(odd)) == ["data_neighbors", "surprise"]
    assert np.isfinite(both.surprise(odd)).all(axis=None)
    steps = [row["step"] for row in both.history_ if row["phase"] == "columns"]
    assert max(steps) == 5
    without = FAnoGAN(heads=("data_neighbors",), **QUICK).fit(frame)
    assert without.assess(odd, explain=True).surprise is None
    assert without.networks_.columns is None
    assert "columns" not in {row["phase"] for row in without.history_}
    with pytest.raises(ParameterError, match="without the head 'surprise'"):
        without.surprise(odd)
    for params in (without.get_params(), {**without.get_params(), "contamination": 0.1}):
        config = detector_config({**params, "heads": "auto"}, without.codec_)
        assert "surprise" not in config.heads


def test_a_resumed_fit_is_the_same(frame: pd.DataFrame, odd: pd.DataFrame, tmp_path: Path) -> None:
    params = {**QUICK, "heads": ("surprise", "latent_cycle"), "column_steps": 60}
    whole = FAnoGAN(**params).fit(frame)

    def stop(row: dict[str, Any]) -> None:
        if row["phase"] == "columns" and row["step"] == 60:
            raise KeyboardInterrupt

    path = tmp_path / "fit.ckpt"
    with pytest.raises(KeyboardInterrupt):
        FAnoGAN(checkpoint=path, checkpoint_interval=0, callbacks=[stop], **params).fit(frame)
    resumed = FAnoGAN(checkpoint=path, resume=True, **params).fit(frame)
    pd.testing.assert_frame_equal(resumed.score_parts(odd), whole.score_parts(odd))


def test_commands(frame: pd.DataFrame, odd: pd.DataFrame, tmp_path: Path) -> None:
    def run(*args: Any) -> str:
        result = CliRunner().invoke(app, [str(arg) for arg in args])
        assert result.exit_code == 0, result.output
        return result.stdout

    frame.to_csv(tmp_path / "t.csv", index=False)
    odd.to_csv(tmp_path / "odd.csv", index=False)
    model, few = tmp_path / "m.augan", {**QUICK, "column_steps": 20}
    sets = [part for name, value in few.items() for part in ("--set", f"{name}={value!r}")]
    run("fit", tmp_path / "t.csv", "--out", model, "-q", "--set", "heads=('surprise',)", *sets)
    lines = run("score", model, tmp_path / "odd.csv", "--explain", "--json", "-q").splitlines()
    found = augan.load(model).surprise(pd.read_csv(tmp_path / "odd.csv"))
    for i, line in enumerate(lines):
        row = json.loads(line)
        for k in (1, 2, 3):
            nats = found.loc[i, row[f"column_{k}"]]
            assert row[f"surprise_{k}"] == pytest.approx(nats, abs=1e-4)
            assert f"surprise {nats:.1f} nats" in row["explanation"]


def _but(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters without those that AnoGAN does not have."""
    return {name: value for name, value in params.items() if name != "encoder_steps"}
