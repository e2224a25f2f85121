"""The graph of an any-order column model: random numbers and given codes to rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from augan.deploy.inputs import COUNT, FIRST, GIVEN, LABEL, ORDER, UNIFORM, VALUES
from augan.deploy.modules import constant_number
from augan.deploy.operators import OPSET
from augan.networks.columns import ColumnNetwork
from augan.sampling.columns import ColumnModel


@torch.no_grad()
def column_graph(model: ColumnModel, rows: str) -> onnx.ModelProto:
    """Return the graph that draws raw rows (B, d), its output `rows`, from a column model.

    The steps of `ColumnModel.draw` follow each other in the graph; the input `order` says which
    column each one draws. What is given is known to all of them. Inputs and outputs, of `k`
    columns that vary, the class last:

    - uniform (B, k, 2): uniform numbers that choose the code of each column, and its value.
    - given (B, k): codes of columns that are not drawn; -1: drawn.
    - order (k,): the order in which columns are drawn.
    - first, count (n_codes,): where the values of each code start in `values`, and how many may be
      chosen; 0: the code is not drawn.
    - label (B,): index of the class.
    - values (n_values,): values of the codes.
    """
    g = Nodes()
    k, n_codes = len(model.bins), sum(bins.size for bins in model.bins)
    values = np.concatenate([bins.table() for bins in model.bins])
    constants = [constant_number(c) or 0.0 for c in model.codec.columns if c.kind == "constant"]
    table = g.array(np.concatenate([values, constants]))
    position = _positions(g, Drawing(g, model.network).codes())
    g.named("Gather", table, _in_table(g, position, model, len(values)), output=rows)
    label = g.op("Gather", position, g.integers(k - 1), axis=1)
    g.named("Cast", g.op("Gather", table, label), output=LABEL, to=TensorProto.INT64)
    g.named("Identity", table, output=VALUES)
    long, double = TensorProto.INT64, TensorProto.DOUBLE
    inputs = [
        helper.make_tensor_value_info(UNIFORM, double, ["batch", k, 2]),
        helper.make_tensor_value_info(GIVEN, long, ["batch", k]),
        helper.make_tensor_value_info(ORDER, long, [k]),
        helper.make_tensor_value_info(FIRST, long, [n_codes]),
        helper.make_tensor_value_info(COUNT, long, [n_codes]),
    ]
    outputs = [
        helper.make_tensor_value_info(rows, double, ["batch", model.codec.width]),
        helper.make_tensor_value_info(LABEL, long, ["batch"]),
        helper.make_tensor_value_info(VALUES, double, [len(values) + len(constants)]),
    ]
    graph = helper.make_graph(g.nodes, "columns", inputs, outputs, g.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])


class Nodes:
    """Nodes and constants of a graph; outputs and constants get names of their own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._integers: dict[str, str] = {}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        return self.ops(kind, *inputs, n=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, n: int, **attributes: Any) -> list[str]:
        """Add a node with `n` outputs, and return their names."""
        outputs = [f"{kind}_{len(self.nodes)}_{i}" for i in range(n)]
        self._add(kind, inputs, outputs, attributes)
        return outputs

    def named(self, kind: str, *inputs: str, output: str, **attributes: Any) -> None:
        """Add a node whose output has a given name."""
        self._add(kind, inputs, [output], attributes)

    def array(self, values: NDArray[Any] | torch.Tensor) -> str:
        """Add a constant, and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def integers(self, values: int | list[int]) -> str:
        """Return the name of a constant of integers, which is added once."""
        key = str(values)
        if key not in self._integers:
            self._integers[key] = self.array(np.array(values, dtype=np.int64))
        return self._integers[key]

    def _add(self, kind: str, inputs: Sequence[str], outputs: list[str], more: Any) -> None:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, outputs, name, **more))


class Drawing:
    """The nodes that draw the codes, with the network's weights by column.

    Rows of a matrix that belong to a column, which only the input `order` tells, are cut out when
    the graph runs.
    """

    def __init__(self, g: Nodes, network: ColumnNetwork) -> None:
        self.g, self.sizes = g, network.sizes
        embeddings = network.embeddings().split([size + 1 for size in network.sizes])
        size = embeddings[0].shape[1]
        project = network.project.weight.T.reshape(len(embeddings), size, -1)
        masked = torch.stack([own[-1] for own in embeddings]).flatten() @ project.flatten(0, 1)
        self.embedding_size = size
        self.masked = g.array(network.project.bias + masked)
        self.embeddings = g.array(torch.cat([own[:-1] - own[-1] for own in embeddings]))
        self.project = g.array(project)
        self.hidden = [tuple(map(g.array, one.parameters())) for one in network.hidden]
        self.outputs = g.array(network.outputs())
        ends = np.cumsum(network.sizes)
        self.ends, self.starts = g.array(ends), g.array(ends - network.sizes)
        allowed = g.op("Greater", COUNT, g.integers(0))
        forbidden = g.array(np.array(-np.inf, dtype=np.float32))
        self.biases = g.op("Where", allowed, g.array(network.bias), forbidden)

    def codes(self) -> str:
        """Add the steps; return the codes (B, k), numbered through all columns."""
        g, k = self.g, len(self.sizes)
        chosen = g.op("Gather", UNIFORM, g.integers(0), axis=2)
        is_given = g.op("GreaterOrEqual", GIVEN, g.integers(0))
        most = g.array(np.array(self.sizes) - 1)
        given = g.op("Max", g.op("Min", GIVEN, most), g.integers(0))
        given = g.op("Add", given, self.starts)
        hidden, codes = self._given(given, is_given), []
        places = g.ops("Split", ORDER, n=k, axis=0, num_outputs=k)
        for place in places:
            own_given, known, number = (
                g.op("Gather", whole, place, axis=1) for whole in (given, is_given, chosen)
            )
            code = g.op("Where", known, own_given, self._code(hidden, place, number))
            codes.append(code)
            if place != places[-1]:
                hidden = self._with(hidden, code, place, known)
        _, steps = g.ops("TopK", ORDER, g.integers([k]), n=2, largest=0, sorted=1)
        return g.op("Gather", g.op("Concat", *codes, axis=1), steps, axis=1)

    def _given(self, codes: str, is_given: str) -> str:
        """Return the first layer's outputs (B, width) with the given codes (B, k) known."""
        g, width = self.g, len(self.sizes) * self.embedding_size
        embedded = g.op("Gather", self.embeddings, codes)
        factor = g.op("Cast", is_given, to=TensorProto.FLOAT)
        embedded = g.op("Mul", embedded, g.op("Unsqueeze", factor, g.integers([2])))
        flat = g.op("Reshape", embedded, g.integers([-1, width]))
        project = g.op("Reshape", self.project, g.integers([width, -1]))
        return g.op("Gemm", flat, project, self.masked)

    def _with(self, hidden: str, code: str, place: str, known: str) -> str:
        """Return the first layer's outputs with the codes (B, 1) of a column, unless known."""
        g = self.g
        embedded = g.op("Gather", self.embeddings, g.op("Squeeze", code, g.integers([1])))
        is_new = g.op("Cast", g.op("Not", known), to=TensorProto.FLOAT)
        project = g.op("Squeeze", g.op("Gather", self.project, place), g.integers([0]))
        return g.op("Gemm", g.op("Mul", embedded, is_new), project, hidden)

    def _code(self, hidden: str, place: str, number: str) -> str:
        """Return the codes (B, 1) of a column that uniform numbers (B, 1) choose."""
        g = self.g
        start, end = (g.op("Gather", ends, place) for ends in (self.starts, self.ends))
        rows = g.integers([0])
        weights, biases = (
            g.op("Slice", whole, start, end, rows) for whole in (self.outputs, self.biases)
        )
        logits = g.op("Gemm", self._features(hidden), weights, biases, transB=1)
        shares = g.op("Softmax", g.op("Cast", logits, to=TensorProto.DOUBLE), axis=1)
        totals = g.op("CumSum", shares, g.integers(1))
        limit = g.op("Mul", number, g.op("Gather", totals, g.integers([-1]), axis=1))
        passed = g.op("Cast", g.op("LessOrEqual", totals, limit), to=TensorProto.INT64)
        code = g.op("Add", g.op("ReduceSum", passed, g.integers([1]), keepdims=1), start)
        return g.op("Min", code, g.op("Sub", end, g.integers(1)))

    def _features(self, hidden: str) -> str:
        """Return features (B, width) of the first layer's outputs, as `ColumnNetwork.features`."""
        g = self.g
        hidden = self._silu(hidden)
        for weight, bias in self.hidden:
            more = self._silu(g.op("Gemm", hidden, weight, bias, transB=1))
            hidden = g.op("Add", hidden, more)
        return hidden

    def _silu(self, values: str) -> str:
        return self.g.op("Mul", values, self.g.op("Sigmoid", values))


def _positions(g: Nodes, codes: str) -> str:
    """Return where in `values` the value of each cell (B, k) is, given the codes."""
    number = g.op("Gather", UNIFORM, g.integers(1), axis=2)
    first, count = (g.op("Gather", whole, codes) for whole in (FIRST, COUNT))
    scaled = g.op("Mul", number, g.op("Cast", count, to=TensorProto.DOUBLE))
    place = g.op("Cast", g.op("Floor", scaled), to=TensorProto.INT64)
    last = g.op("Sub", count, g.integers(1))
    return g.op("Add", first, g.op("Max", g.op("Min", place, last), g.integers(0)))


def _in_table(g: Nodes, position: str, model: ColumnModel, start: int) -> str:
    """Return the positions of all cells (B, d), of constant columns too, from `start` on."""
    k, width = len(model.bins), model.codec.width
    source = np.empty(width, dtype=np.int64)
    source[model.places] = np.arange(k - 1)
    constant = np.setdiff1d(np.arange(width), model.places)
    if len(constant):
        source[constant] = k + np.arange(len(constant))
        one = g.op("Gather", position, g.integers([0]), axis=1)
        zero = g.op("Mul", one, g.integers(0))
        fixed = g.op("Add", zero, g.array(start + np.arange(len(constant))))
        position = g.op("Concat", position, fixed, axis=1)
    return g.op("Gather", position, g.array(source), axis=1)
