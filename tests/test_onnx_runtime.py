"""Exported files as they are run: bound as on a GPU, and checked for damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from augan import FAnoGAN, OnnxDetector, OnnxGenerator
from augan.deploy import runtime
from augan.deploy.checksum import LEAD, N_DIGITS, with_checksum
from augan.deploy.contents import read_contents
from augan.deploy.session import read_metadata
from augan.exceptions import DataWarning, DeviceWarning, ModelFileError, ParameterError
from augan.metrics import roc_auc_scorer


def opened(path: Path, **params: Any) -> OnnxDetector:
    return OnnxDetector(path, providers="cpu", **params)


def assert_same_answers(plain: OnnxDetector, bound: OnnxDetector, rows: Any) -> None:
    """Compare all answers, bit by bit, of rows that come in chunks with a shorter last one."""
    for model in (plain, bound):
        model.metadata_["chunk"] = len(rows) // 2 - 1
    for explain in (False, True):
        ours, theirs = (model.assess(rows, explain=explain) for model in (plain, bound))
        assert np.array_equal(ours.anomaly_score, theirs.anomaly_score)
        assert np.array_equal(ours.p_value, theirs.p_value)
        pd.testing.assert_frame_equal(ours.score_parts, theirs.score_parts, check_exact=True)
        assert (ours.explanation is None) == (theirs.explanation is None) == (not explain)
    assert np.array_equal(np.asarray(ours.explanation), np.asarray(theirs.explanation))
    assert np.array_equal(plain.predict(rows), bound.predict(rows))
    assert plain.threshold_ == bound.threshold_


SMALLER = [{}, {"precision": "fp16"}, {"precision": "int8"}, {"bank": "fp16"}, {"bank": "pq"}]


@pytest.mark.parametrize(
    "options",
    [pytest.param(o, marks=pytest.mark.slow if "fp16" in o.values() else ()) for o in SMALLER],
)
def test_bound_inputs_give_the_same_answers_in_every_precision(
    numbers_detector: FAnoGAN,
    numbers: pd.DataFrame,
    traced_once: Callable[[], Any],
    tmp_path: Path,
    options: dict[str, str],
) -> None:
    path = tmp_path / "m.onnx"
    with traced_once():
        numbers_detector.export_onnx(path, X=numbers, **options)
    for fpr in (None, 0.2):
        plain, bound = (opened(path, io_binding=on, target_fpr=fpr) for on in (False, True))
        assert bound.fit()._session.io_binding and not plain.fit()._session.io_binding
        assert_same_answers(plain, bound, numbers)
    other = pd.DataFrame(numbers.to_numpy()[::-2], columns=numbers.columns)  # strides backwards
    assert np.array_equal(plain.anomaly_score(other), bound.anomaly_score(other))
    assert np.array_equal(plain.anomaly_score(numbers[:1]), bound.anomaly_score(numbers[:1]))


@pytest.mark.slow  # by default without classes: test_export.test_a_generator_makes_rows_...
def test_a_bound_generator_makes_the_same_rows(numbers_detector: FAnoGAN, tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    numbers_detector.export_onnx(path, part="generator")
    plain, bound = (OnnxGenerator(path, providers="cpu", io_binding=on) for on in (False, True))
    assert bound._session.io_binding
    for n in (1, 1500):
        assert plain.sample(n, random_state=0).equals(bound.sample(n, random_state=0))


def test_an_exported_detector_is_scored_as_its_model(
    numbers_file: Path, numbers_detector: FAnoGAN, numbers: pd.DataFrame
) -> None:
    y = np.arange(len(numbers)) % 9 == 0
    exported = opened(numbers_file)
    found = roc_auc_scorer(exported, numbers, y)
    assert found == pytest.approx(roc_auc_scorer(numbers_detector, numbers, y), abs=1e-3)


def test_one_flipped_bit_anywhere_is_noticed(numbers_file: Path, tmp_path: Path) -> None:
    content = numbers_file.read_bytes()
    random = np.random.default_rng(0)
    path, n_bits = tmp_path / "damaged.onnx", 8 * len(content)
    seal = 8 * (len(LEAD) + N_DIGITS)
    bits = [
        *random.integers(n_bits, size=100),
        *random.integers(n_bits - seal, n_bits, size=70),  # of the checksum and what names it
        *random.integers(n_bits - seal - 40_000, n_bits - seal, size=20),  # of the metadata
        *range(10),
    ]
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"damaged.onnx: not an ONNX file, or damaged"):
            opened(path).fit()
        with pytest.raises(ModelFileError, match="damaged"):
            read_metadata(path)
    assert len(bits) == 200


@pytest.mark.parametrize("change", ["cut", "longer", "edited", "empty"])
def test_a_file_that_is_not_as_it_was_written_is_noticed(
    numbers_file: Path, tmp_path: Path, change: str
) -> None:
    content, path = numbers_file.read_bytes(), tmp_path / "other.onnx"
    model = onnx.load(numbers_file)
    model.graph.name = "other"
    path.write_bytes(
        {
            "cut": content[: -len(LEAD) - N_DIGITS],
            "longer": content + b"\x00",
            "edited": model.SerializeToString(),
            "empty": b"",
        }[change]
    )
    with pytest.raises(ModelFileError, match=r"other.onnx: ") as caught:
        opened(path).fit()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes(
    numbers_detector: FAnoGAN, numbers_file: Path, tmp_path: Path
) -> None:
    numbers_detector.export_onnx(tmp_path / "again.onnx")  # traced anew
    assert (tmp_path / "again.onnx").read_bytes() == numbers_file.read_bytes()
    assert str(tmp_path).encode() not in numbers_file.read_bytes()


def test_a_file_from_before_checksums_is_run_with_a_warning(
    numbers_file: Path, numbers: pd.DataFrame, tmp_path: Path
) -> None:
    path, model = tmp_path / "old.onnx", onnx.load(numbers_file)
    kept = {prop.key: prop.value for prop in model.metadata_props if prop.key != "augan.sha256"}
    onnx.helper.set_model_props(model, {**kept, "augan.format": "1"})
    onnx.save(model, path)
    with pytest.warns(DataWarning, match=r"old.onnx: made before files had checksums"):
        found = opened(path).anomaly_score(numbers)
    assert np.array_equal(found, opened(numbers_file).anomaly_score(numbers))


def external(model: onnx.ModelProto, folder: Path) -> None:
    """Point a tensor to another file."""
    (folder / "secret").write_bytes(bytes(10_000))
    tensor = next(t for t in model.graph.initializer if len(t.raw_data) > 1000)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret")


def huge(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    model.graph.initializer[0].dims[:] = [2**40]


def negative(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    model.graph.initializer[0].dims[:] = [-1]


def endless(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    model.graph.node[0].op_type = "Loop"


def foreign(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    model.graph.node[0].domain = "com.example"


def nested(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    graph = model.graph
    for _ in range(20):
        node = graph.node.add(op_type="If")
        graph = node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g


def functions(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    model.functions.add(name="f", domain="d")


def twice(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    model.metadata_props.add(key="augan.part", value='"generator"')


def renamed(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    for values in (model.graph.output, *(node.output for node in model.graph.node)):
        for i, value in enumerate(values):
            if value == "p_value":
                values[i] = "p"
            elif getattr(value, "name", "") == "p_value":
                value.name = "p"


def retyped(model: onnx.ModelProto, folder: Path) -> None:
    del folder
    for prop in model.metadata_props:
        if prop.key == "augan.parts":
            prop.value = '["one"]'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renamed, "its graph lacks the output 'p_value'"),
        (retyped, "output 'score_parts' of its graph is"),
        (external, "tensors in other files"),
        (huge, "declares more values than the file holds"),
        (negative, "a tensor of a negative size"),
        (endless, "the operator Loop"),
        (foreign, "operators of the domain 'com.example'"),
        (nested, "graphs nested more than 8 deep"),
        (functions, "functions or training steps"),
        (twice, "duplicate metadata 'augan.part'"),
    ],
)
def test_what_no_exported_file_holds_is_refused_before_it_is_built(
    numbers_file: Path, tmp_path: Path, change: Callable[..., None], says: str
) -> None:
    model = onnx.load(numbers_file)
    del model.metadata_props[-1]  # the checksum
    change(model, tmp_path)
    path = tmp_path / "made.onnx"
    path.write_bytes(with_checksum(model.SerializeToString()))
    with pytest.raises(ModelFileError) as caught:
        opened(path).fit()
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_scores_that_are_no_numbers_are_an_error(
    numbers_file: Path, numbers: pd.DataFrame, tmp_path: Path
) -> None:
    model = onnx.load(numbers_file)
    del model.metadata_props[-1]
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2:
            nothing = np.full(tuple(tensor.dims), np.nan, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(nothing, tensor.name))
    path = tmp_path / "nan.onnx"
    path.write_bytes(with_checksum(model.SerializeToString()))
    with pytest.raises(ModelFileError, match=r"nan.onnx: its graph returned NaN as 'anomaly_s"):
        opened(path).anomaly_score(numbers)


def test_metadata_are_those_that_onnx_reads(numbers_file: Path) -> None:
    model = onnx.load(numbers_file)
    assert {p.key: p.value for p in model.metadata_props} == (
        read_contents(numbers_file.read_bytes()).properties
    )


def test_errors_of_onnx_runtime_are_one_line_and_nothing_is_printed(
    numbers_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(numbers_file)
    del model.metadata_props[-1]
    path = tmp_path / "wrong.onnx"
    model.graph.node[0].input[0] = "nowhere"
    path.write_bytes(with_checksum(model.SerializeToString()))
    with pytest.raises(ModelFileError) as caught:
        opened(path).fit()
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    running = opened(numbers_file).fit()._session
    with pytest.raises(ModelFileError, match=r"numbers.onnx: ONNX Runtime failed \("):
        running.run({"load [kW]": np.zeros((1, 1))})
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(("fails", "says"), [(True, "CUDA failure 100"), (False, "its libraries")])
def test_a_gpu_that_does_not_start_is_one_line_and_the_cpu_takes_over(
    fails: bool,
    says: str,
    numbers_file: Path,
    numbers: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    start = onnxruntime.InferenceSession

    def without_cuda(content: bytes, options: Any, *, providers: list[str], **rest: Any) -> Any:
        if fails and providers != ["CPUExecutionProvider"]:
            raise RuntimeError("CUDA failure 100: no CUDA-capable device\nand a second line")
        return start(content, options, providers=["CPUExecutionProvider"], **rest)

    def has_cuda() -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", without_cuda)
    monkeypatch.setattr(onnxruntime, "get_available_providers", has_cuda)
    monkeypatch.setattr(runtime, "n_cuda_devices", lambda: 1)
    expected = opened(numbers_file).anomaly_score(numbers)
    runtime.warn_of_no_gpu.cache_clear()
    with pytest.warns(DeviceWarning, match="running on the CPU"):
        exported = OnnxDetector(numbers_file).fit()
    assert np.array_equal(exported.anomaly_score(numbers), expected)
    with pytest.raises(ParameterError, match=rf"CUDAExecutionProvider cannot be.*{says}") as caught:
        OnnxDetector(numbers_file, providers="cuda").fit()
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_rows_that_do_not_fit_are_refused_as_torch_does(
    numbers_detector: FAnoGAN, numbers_file: Path, numbers: pd.DataFrame
) -> None:
    wrong: list[Any] = [
        *(
            numbers[:0],
            numbers[["speed"]],
            numbers.assign(more=1.0),
            numbers[numbers.columns[::-1]],
        ),
        *(np.zeros(3), np.zeros((2, 4)), np.zeros((2, 3, 3)), None, "rows", {}),
        *(numbers.assign(heat=value) for value in (np.inf, "warm", 1j, [[1]] * len(numbers))),
    ]
    for rows in wrong:
        says = []
        for model in (numbers_detector, opened(numbers_file)):
            with pytest.raises((ValueError, TypeError)) as caught:
                model.anomaly_score(rows)
            message = str(caught.value).replace(type(model).__name__, "model")
            says.append((type(caught.value), message))
        assert says[0] == says[1]


def test_one_row_and_more_rows_than_a_chunk_are_scored_as_torch_does(
    numbers_detector: FAnoGAN, numbers_file: Path, numbers: pd.DataFrame
) -> None:
    exported = opened(numbers_file)
    many = pd.concat([numbers] * (exported.metadata_["chunk"] // len(numbers) + 2))
    odd = numbers[:2].assign(heat=[1e300, np.nan])
    for rows in (numbers[5:6], many.set_axis(np.arange(len(many))[::-1]), odd):
        ours, theirs = (m.assess(rows, explain=True) for m in (numbers_detector, exported))
        scale = np.maximum(1, np.abs(ours.anomaly_score))
        assert (np.abs(ours.anomaly_score - theirs.anomaly_score) < 1e-3 * scale).all()
        assert theirs.score_parts.index.equals(rows.index)
        assert theirs.explanation.index.equals(rows.index)


@pytest.mark.parametrize("n", [{}, 10**12, {"a": 10**12}, 0, {"a": True}])
def test_exported_generators_refuse_what_is_no_number_of_rows(n: Any) -> None:
    classes = np.array(["a", "b"])
    model: Any = SimpleNamespace(metadata_={"classes": classes}, classes_=classes, _shares=classes)
    with pytest.raises(ParameterError, match="n_samples"):
        OnnxGenerator._labels(model, n, np.random.RandomState(0))
