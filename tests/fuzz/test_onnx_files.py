"""Exported files that were changed and given a new checksum: refused in one line, or scored."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from augan import OnnxDetector
from augan.deploy.checksum import LEAD, N_DIGITS, with_checksum
from augan.exceptions import AuganError

N_EACH = 6  # files a kind of change
LONGEST = 10.0  # CPU seconds that one may take
MOST_MEMORY = 200e6  # bytes beside three times the file
Random = np.random.Generator


def bits(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for bit in random.integers(8 * len(content), size=random.integers(1, 9)):
        changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def cut(content: bytes, random: Random) -> bytes:
    return content[: random.integers(len(content))]


def shuffled(content: bytes, random: Random) -> bytes:
    start, other = random.integers(len(content) - 64, size=2)
    return content[:start] + content[other : other + 64] + content[start + 64 :]


def on_model(change: Callable[[onnx.ModelProto, Random], Any]) -> Callable[..., bytes]:
    """Return a change of bytes that is one of a model."""

    def changed(content: bytes, random: Random) -> bytes:
        model = onnx.load_from_string(content)
        change(model, random)
        return model.SerializeToString()

    changed.__name__ = change.__name__
    return changed


def pick(values: Any, random: Random) -> Any:
    return values[int(random.integers(len(values)))]


@on_model
def fewer_operators(model: onnx.ModelProto, random: Random) -> None:
    for _ in range(random.integers(1, 4)):
        del model.graph.node[int(random.integers(len(model.graph.node)))]


@on_model
def other_operators(model: onnx.ModelProto, random: Random) -> None:
    node = pick(model.graph.node, random)
    node.op_type = pick(["Add", "Exp", "Reshape", "Expand", "Loop", "Tile", "No such", ""], random)


@on_model
def other_wires(model: onnx.ModelProto, random: Random) -> None:
    one, two = pick(model.graph.node, random), pick(model.graph.node, random)
    if one.input and two.output:
        one.input[int(random.integers(len(one.input)))] = two.output[0]


@on_model
def other_attributes(model: onnx.ModelProto, random: Random) -> None:
    node = pick([node for node in model.graph.node if node.attribute], random)
    attribute = pick(node.attribute, random)
    attribute.i = int(pick([-1, 2**62, 99, -(2**40)], random))
    attribute.f = float(pick([np.nan, np.inf, 1e38], random))
    if attribute.ints:
        attribute.ints[0] = int(pick([-1, 2**62, 99], random))


@on_model
def other_inputs(model: onnx.ModelProto, random: Random) -> None:
    value = pick([*model.graph.input, *model.graph.output], random)
    tensor = value.type.tensor_type
    match int(random.integers(4)):
        case 0:
            value.name = str(pick(["other", "", "X", "a\nb", "x" * 10_000], random))
        case 1:
            tensor.elem_type = int(pick([0, 1, 7, 8, 10, 99], random))
        case 2:
            tensor.shape.dim.add().dim_value = int(pick([-1, 2**62, 3], random))
        case 3:
            (model.graph.input if value in model.graph.input else model.graph.output).remove(value)


@on_model
def other_tensors(model: onnx.ModelProto, random: Random) -> None:
    tensor = pick(model.graph.initializer, random)
    match int(random.integers(4)):
        case 0:
            tensor.dims[:] = [
                int(n) for n in pick([[-1], [2**40], [0], [3] * 80, [2**63 - 1]], random)
            ]
        case 1:
            tensor.data_type = int(pick([0, 1, 6, 7, 8, 11, 22, 999], random))
        case 2:
            tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2]
        case 3:
            model.graph.initializer.remove(tensor)


@on_model
def other_weights(model: onnx.ModelProto, random: Random) -> None:
    tensors = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT]
    for tensor in [pick(tensors, random) for _ in range(3)]:
        values = numpy_helper.to_array(tensor).copy()
        values.flat[:: int(random.integers(1, 5))] = pick([np.nan, np.inf, -1e38, 0.0], random)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


@on_model
def other_versions(model: onnx.ModelProto, random: Random) -> None:
    match int(random.integers(3)):
        case 0:
            model.opset_import[0].version = int(pick([0, 1, 7, 999, 2**40], random))
        case 1:
            model.ir_version = int(pick([0, 1, 3, 99, -1], random))
        case 2:
            del model.opset_import[:]


@on_model
def larger_values(model: onnx.ModelProto, random: Random) -> None:
    """A graph that makes far more of a small file than it holds."""
    graph, size = model.graph, np.array([int(pick([3e8, 2e9, 1e12], random))])
    graph.initializer.append(numpy_helper.from_array(size, "size"))
    graph.node.insert(0, helper.make_node("ConstantOfShape", ["size"], ["many"]))
    graph.node.insert(1, helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0))


@on_model
def other_files(model: onnx.ModelProto, random: Random) -> None:
    tensor = pick(model.graph.initializer, random)
    tensor.data_location = TensorProto.EXTERNAL
    location = str(pick(["/etc/passwd", "../m.onnx", "", "m.onnx", "/dev/zero"], random))
    tensor.external_data.add(key="location", value=location)
    tensor.ClearField("raw_data")


VALUES = [
    *("null", "true", "-1", "0", "1e999", "-1e999", "NaN", "1" * 5000, "0.5", '""', '"\\ud800"'),
    *("[]", "{}", "[[]]", '{"type": "Decimal", "value": "1e999999999"}', "{", "", "\x00"),
    *(
        '"' + "x" * 100_000 + '"',
        "[" * 50_000,
        "[" * 50_000 + "]" * 50_000,
        "[0" + ",0" * 100_000 + "]",
    ),
    *('"U1000000000"', '"../../x"', "1e15", "2147483648", '[{"kind": "numeric"}]', '"[/bold]"'),
]


@on_model
def other_metadata(model: onnx.ModelProto, random: Random) -> None:
    entry = pick([prop for prop in model.metadata_props if prop.key != "augan.sha256"], random)
    match int(random.integers(4)):
        case 0:
            model.metadata_props.remove(entry)
        case 1:
            entry.value = str(pick(VALUES, random))
        case _:
            entry.value = json.dumps(within(json.loads(entry.value), random))


def within(value: Any, random: Random) -> Any:
    """Return JSON with one value, some levels down, that is another."""
    if isinstance(value, (dict, list)) and value and random.random() < 0.9:
        key = pick(list(value) if isinstance(value, dict) else range(len(value)), random)
        value[key] = within(value[key], random)
        return value
    other: list[Any] = [None, -1, 2**70, 1e308, float("nan"), "", "\ud800", [], {}, True, 10**400]
    return pick(other, random)


CHANGES = [
    *(bits, cut, shuffled, fewer_operators, other_operators, other_wires, other_attributes),
    *(other_inputs, other_tensors, other_weights, other_versions, larger_values, other_files),
    *(other_metadata, other_metadata),
]


def memory() -> int:
    """Return the bytes that the process holds."""
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0])


def outcome(path: Path, rows: pd.DataFrame) -> str:
    """Return what becomes of a file: "scored" or the line that refuses it; or fail."""
    before, start = memory(), time.process_time()
    try:
        found = OnnxDetector(path, providers="cpu", threads=1).fit()
        loaded, held = time.process_time() - start, memory() - before
        assert loaded < LONGEST and held < MOST_MEMORY + 3 * path.stat().st_size
        answers = found.assess(rows, explain=True)
        assert not np.isnan(answers.anomaly_score).any() and not np.isnan(answers.p_value).any()
        assert answers.anomaly_score.shape == (len(rows),)
        assert np.asarray(answers.explanation).shape == rows.shape
        says = "scored"
    except AuganError as error:
        says = str(error)
        assert says and "\n" not in says and len(says) < 500 + len(str(path))
        assert says.isprintable() and str(path) in says
    assert time.process_time() - start < LONGEST
    return says


def sealed(content: bytes, change: Callable[..., bytes], random: Random) -> bytes:
    """Return a changed file, that has its checksum at its end as if it were written so."""
    return with_checksum(change(content[: -len(LEAD) - N_DIGITS], random))


@pytest.mark.filterwarnings("ignore:X has feature names")  # where the file says it has none
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("number", range(len(CHANGES)), ids=[c.__name__ for c in CHANGES])
def test_changed_files_are_refused_or_scored(
    number: int,
    numbers_file: Path,
    numbers: pd.DataFrame,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    random, path = np.random.default_rng(number), tmp_path / "changed.onnx"
    for _ in range(N_EACH):
        path.write_bytes(sealed(numbers_file.read_bytes(), CHANGES[number], random))
        outcome(path, numbers[:20])
    assert capfd.readouterr() == ("", "")
