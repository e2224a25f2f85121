"""A model repository for NVIDIA Triton: the file and its configuration."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import onnx

from augan.io.images import new_folder

TYPES: dict[int, str] = {
    onnx.TensorProto.STRING: "TYPE_STRING",
    onnx.TensorProto.DOUBLE: "TYPE_FP64",
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.INT64: "TYPE_INT64",
    onnx.TensorProto.UINT8: "TYPE_UINT8",
    onnx.TensorProto.BOOL: "TYPE_BOOL",
}
MAX_BATCH = 1024


def write_repository(model: Path, folder: Path) -> None:
    """Write ``folder/NAME/config.pbtxt`` and ``folder/NAME/1/model.onnx``.

    Triton batches requests dynamically, so inputs and outputs that have no batch dimension are not
    served: `threshold`, `target_fpr` and `explain`; of a column model the optional inputs and
    `values`.

    Raises
    ------
    ParameterError
        If `folder` exists and is not empty.
    """
    name = re.sub(r"\W+", "_", model.stem) or "augan"
    with new_folder(folder) as temporary:
        place = temporary / name / "1"
        place.mkdir(parents=True)
        shutil.copyfile(model, place / "model.onnx")
        config = triton_config(onnx.load(model), name)
        (temporary / name / "config.pbtxt").write_text(config, encoding="utf-8")


def triton_config(model: onnx.ModelProto, name: str) -> str:
    """Return the text of a model's ``config.pbtxt``."""
    optional = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in optional]
    outputs = [value for value in model.graph.output if _has_batch(value)]
    lines = [
        f"name: {quoted(name)}",
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {MAX_BATCH}",
        *(_tensor("input", value) for value in inputs),
        *(_tensor("output", value) for value in outputs),
        "dynamic_batching { max_queue_delay_microseconds: 100 }",
    ]
    return "\n".join(lines) + "\n"


def _has_batch(value: onnx.ValueInfoProto) -> bool:
    dims = value.type.tensor_type.shape.dim
    return bool(dims) and not dims[0].dim_value


def _tensor(side: str, value: onnx.ValueInfoProto) -> str:
    kind = TYPES[value.type.tensor_type.elem_type]
    sizes = [dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim][1:]
    shape = f"dims: [ {', '.join(map(str, sizes))} ]"
    if not sizes:  # one number per row
        shape = "dims: [ 1 ] reshape { shape: [ ] }"
    return f"{side} {{ name: {quoted(value.name)} data_type: {kind} {shape} }}"


def quoted(text: str) -> str:
    """Return a string literal of protobuf's text format; bytes that are not ASCII are escaped."""
    escaped = (
        chr(b) if 32 <= b < 127 and b not in b"\"\\'" else f"\\{b:03o}" for b in text.encode()
    )
    return f'"{"".join(escaped)}"'
