"""Edits of a traced graph: one input or output per column, optional inputs, metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from augan.codecs.cells import category_key
from augan.codecs.columns import CategoryColumn, Column
from augan.deploy.inputs import INNER, RESERVED, is_text, text_codes, value_names
from augan.deploy.onnx_file import PREFIX

RAW = "raw"  # input or output of all columns, which is replaced by one per column
ML = "ai.onnx.ml"
ML_OPSET = 3
IR_VERSION = 9


def tidy(model: onnx.ModelProto) -> None:
    """Remove what the exporter adds, such as source paths; prefix inner names with `INNER`."""
    graph = model.graph
    public = {value.name for value in (*graph.input, *graph.output)}

    def inner(name: str) -> str:
        return name if name in public or not name else INNER + name

    for node in graph.node:
        node.name = inner(node.name)
        node.input[:] = map(inner, node.input)
        node.output[:] = map(inner, node.output)
        node.doc_string = ""
        del node.metadata_props[:]
    for tensor in graph.initializer:
        tensor.name = inner(tensor.name)
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    for value in (*graph.input, *graph.output):
        value.doc_string = ""
        del value.metadata_props[:]
    del graph.value_info[:]
    del graph.metadata_props[:]
    del model.metadata_props[:]
    graph.doc_string, graph.name = "", "augan"
    model.producer_name, model.ir_version = "augan", IR_VERSION


def make_optional(model: onnx.ModelProto, name: str, default: np.ndarray) -> None:
    """Make an input optional, with a default value."""
    model.graph.initializer.append(numpy_helper.from_array(default, name))


def compute_if(model: onnx.ModelProto, name: str, flag: str) -> None:
    """Compute an output only if the new input `flag` () is true; otherwise it has no rows."""
    graph, found = model.graph, f"{INNER}{name}"
    _rename(graph.node, name, found)
    needed = {value.name for value in graph.output}
    always: list[onnx.NodeProto] = []
    asked: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            asked.insert(0, node)
        else:
            needed.update(node.input)
            always.insert(0, node)
    value = next(value for value in graph.output if value.name == name)
    kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
    dims[0].dim_param = f"{name}_batch"  # 0, or the batch size
    sizes = np.array([0, *(dim.dim_value for dim in dims[1:])])
    nothing = numpy_helper.from_array(np.empty(sizes, helper.tensor_dtype_to_np_dtype(kind)))
    branches = {}
    for branch, nodes in (
        ("then", [*asked, helper.make_node("Identity", [found], [f"{found}/then"])]),
        ("else", [helper.make_node("Constant", [], [f"{found}/else"], value=nothing)]),
    ):
        result = helper.make_tensor_value_info(f"{found}/{branch}", kind, None)
        branches[f"{branch}_branch"] = helper.make_graph(nodes, f"{name}_{branch}", [], [result])
    del graph.node[:]
    graph.node.extend([*always, helper.make_node("If", [flag], [name], f"{found}/if", **branches)])
    graph.input.append(helper.make_tensor_value_info(flag, TensorProto.BOOL, []))


def columns_in(
    model: onnx.ModelProto, columns: Sequence[Column], reserved: Sequence[str] = RESERVED
) -> None:
    """Replace the input of raw rows (B, d) by one (B, 1) of numbers or strings per column."""
    nodes, inputs, parts = [], [], []
    for column, name in zip(columns, value_names(columns, reserved), strict=True):
        kind, part = TensorProto.DOUBLE, name
        if is_text(column):
            kind, part = TensorProto.STRING, f"{INNER}{name}/number"
            codes, other = text_codes(column)
            encoded = f"{INNER}{name}/code"
            nodes.append(
                helper.make_node(
                    "LabelEncoder",
                    [name],
                    [encoded],
                    f"{INNER}{name}/encode",
                    domain=ML,
                    keys_strings=list(codes),
                    values_floats=list(codes.values()),
                    default_float=other,
                )
            )
            nodes.append(helper.make_node("Cast", [encoded], [part], to=TensorProto.DOUBLE))
        inputs.append(helper.make_tensor_value_info(name, kind, ["batch", 1]))
        parts.append(part)
    rows = f"{INNER}{RAW}"
    nodes.append(helper.make_node("Concat", parts, [rows], f"{INNER}columns", axis=1))
    graph = model.graph
    _rename(graph.node, RAW, rows)
    others = [value for value in graph.input if value.name != RAW]
    kept = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *kept])
    graph.input.extend([*inputs, *others])
    _use_ml(model)


def columns_out(
    model: onnx.ModelProto, columns: Sequence[Column], reserved: Sequence[str] = RESERVED
) -> None:
    """Replace the output of raw rows (B, d) by one (B, 1) of numbers or strings per column."""
    graph, rows = model.graph, f"{INNER}{RAW}"
    _rename(graph.node, RAW, rows)
    nodes, outputs = [], []
    names = value_names(columns, reserved)
    for i, (column, name) in enumerate(zip(columns, names, strict=True)):
        place = f"{INNER}{name}/place"
        graph.initializer.append(numpy_helper.from_array(np.array([i]), place))
        text = is_text(column)
        part = f"{INNER}{name}/number" if text else name
        nodes.append(helper.make_node("Gather", [rows, place], [part], axis=1))
        kind = TensorProto.DOUBLE
        if text:
            kind = TensorProto.STRING
            nodes += _texts(graph, column, part, name)
        outputs.append(helper.make_tensor_value_info(name, kind, ["batch", 1]))
    graph.node.extend(nodes)
    others = [value for value in graph.output if value.name != RAW]
    del graph.output[:]
    graph.output.extend([*outputs, *others])
    _use_ml(model)


def _texts(graph: onnx.GraphProto, column: Column, part: str, name: str) -> list[onnx.NodeProto]:
    """Return nodes that map codes, NaN where missing, to texts."""
    inner = f"{INNER}{name}/"
    codes, _ = text_codes(column)
    missing = next((text for text, code in codes.items() if np.isnan(code)), "")
    texts: dict[int, str] = {}
    for text, code in codes.items():
        if not np.isnan(code):
            texts.setdefault(int(code), text)
    if isinstance(column, CategoryColumn) and column.rare:
        texts[len(column.categories)] = category_key(column.rare[0])
    number = numpy_helper.from_array(np.array(-1.0), inner + "none")
    graph.initializer.append(number)
    return [
        helper.make_node("IsNaN", [part], [inner + "missing"]),
        helper.make_node("Where", [inner + "missing", number.name, part], [inner + "code"]),
        helper.make_node("Cast", [inner + "code"], [inner + "whole"], to=TensorProto.INT64),
        helper.make_node(
            "LabelEncoder",
            [inner + "whole"],
            [name],
            inner + "decode",
            domain=ML,
            keys_int64s=[-1, *texts],
            values_strings=[missing, *texts.values()],
            default_string=missing,
        ),
    ]


def describe(model: onnx.ModelProto, facts: dict[str, Any], card: str) -> None:
    """Store the metadata, as JSON, and the model card in a model."""
    helper.set_model_props(model, {PREFIX + key: json.dumps(v) for key, v in facts.items()})
    model.doc_string = card
    model.producer_version = str(facts["augan"])


def _rename(nodes: Any, old: str, new: str) -> None:
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


def _use_ml(model: onnx.ModelProto) -> None:
    domains = {opset.domain for opset in model.opset_import}
    if ML not in domains:
        model.opset_import.append(helper.make_opsetid(ML, ML_OPSET))
