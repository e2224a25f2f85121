"""What exported files say of columns with odd names: model cards, Triton's files, inputs."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from augan.deploy import runtime
from augan.deploy.card import code
from augan.deploy.inputs import portable
from augan.deploy.triton import quoted, triton_config
from augan.exceptions import ParameterError

ODD_NAMES = [
    *("a\nb", "a`b", "``", "`", "\\", 'say "x"', "it's", "x | y", "<b>", "*a*", "load [kW]"),
    *(" ", "  a ", "é😀", "\x1b[31m", "a\0b", "\u202e", "\\n", "\t", "}", "# a", "X"),
]


def config_message() -> Any:
    """Return a message of the fields of Triton's `ModelConfig` that are written."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="config.proto", package="t", syntax="proto3")
    kinds = file.enum_type.add(name="DataType")
    for i, name in enumerate(("INVALID", "STRING", "FP64", "FP32", "INT64", "UINT8", "BOOL")):
        kinds.value.add(name=f"TYPE_{name}", number=i)
    layout = {
        "Reshape": [("shape", field.TYPE_INT64, "", True)],
        "Tensor": [
            ("name", field.TYPE_STRING, "", False),
            ("data_type", field.TYPE_ENUM, ".t.DataType", False),
            ("dims", field.TYPE_INT64, "", True),
            ("reshape", field.TYPE_MESSAGE, ".t.Reshape", False),
        ],
        "Batching": [("max_queue_delay_microseconds", field.TYPE_UINT64, "", False)],
        "ModelConfig": [
            ("name", field.TYPE_STRING, "", False),
            ("platform", field.TYPE_STRING, "", False),
            ("max_batch_size", field.TYPE_INT32, "", False),
            ("input", field.TYPE_MESSAGE, ".t.Tensor", True),
            ("output", field.TYPE_MESSAGE, ".t.Tensor", True),
            ("dynamic_batching", field.TYPE_MESSAGE, ".t.Batching", False),
        ],
    }
    for message, fields in layout.items():
        described = file.message_type.add(name=message)
        for number, (name, kind, of, many) in enumerate(fields, 1):
            label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
            named = {"type_name": of} if of else {}
            described.field.add(name=name, number=number, type=kind, label=label, **named)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelConfig"))()


def test_triton_reads_the_names_that_columns_have() -> None:
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, ["batch", 1])
        for name in ODD_NAMES
    ]
    output = onnx.helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, ["batch"])
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", inputs, [output]))
    text = triton_config(model, 'a "model"')
    assert text.isascii() and "\x1b" not in text
    config = text_format.Parse(text, config_message())
    assert [value.name for value in config.input] == ODD_NAMES
    assert config.name == 'a "model"' and config.max_batch_size == 1024
    assert list(config.output[0].dims) == [1] and not config.output[0].reshape.shape
    assert quoted("\\") == '"\\134"'


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_stays_one_code_span_of_a_card(name: str) -> None:
    """As CommonMark has it: as many backticks close a span as have opened it, and no others."""
    span = code(name)
    assert span.isprintable() and "\n" not in span
    fence = re.match("`+", span).group()  # type: ignore[union-attr]
    inside = span[len(fence) : -len(fence)]
    assert span.endswith(fence) and fence not in re.findall("`+", inside)
    assert not inside.startswith("`") and not inside.endswith("`")
    shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
    assert inside == shown or inside[1:-1] == shown


def test_texts_that_utf8_cannot_hold_are_written_as_escapes() -> None:
    assert portable("a\ud800") == "a\\ud800" and portable("é😀\0") == "é😀\0"


@pytest.mark.parametrize("installed", [(), ("onnxruntime",), ("onnxruntime", "onnxruntime-gpu")])
def test_two_owners_of_onnx_runtime_are_refused_and_none_is_named(
    installed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return name

    monkeypatch.setattr(runtime, "distribution", found)
    runtime.runtimes.cache_clear()
    try:
        assert runtime.runtimes() == installed
        if len(installed) == 2:
            with pytest.raises(ParameterError, match="pip uninstall onnxruntime onnxruntime-gpu"):
                runtime.onnx_runtime()
        elif not installed:
            monkeypatch.setitem(sys.modules, "onnxruntime", None)
            with pytest.raises(ParameterError, match=r"'augan\[runtime\]', or 'augan\[runtime-gpu"):
                runtime.onnx_runtime()
        else:
            assert runtime.onnx_runtime().InferenceSession
    finally:
        runtime.runtimes.cache_clear()


def test_training_brings_no_runtime_and_no_extra_brings_two() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    owners = {
        extra: [need for need in needs if need.startswith("onnxruntime")]
        for extra, needs in extras.items()
    }
    assert not owners["train"] and len(owners["runtime"]) == len(owners["runtime-gpu"]) == 1
    for needs in owners.values():
        assert len(needs) < 2 or {need.partition(";")[2].strip() for need in needs} == {
            "sys_platform != 'darwin'",
            "sys_platform == 'darwin'",
        }
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert all(f"[{extra}]" in readme for extra in ("train", "runtime", "train,runtime-gpu"))
