"""Lower precision: networks in half precision or int8, memories of neighbours compressed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from sklearn.cluster import MiniBatchKMeans

NETWORKS = ("pretext", "restoration", "backbone", "generator", "critic", "inversion")
OUTER = (  # first and last layers, which keep float32 in int8 models
    *(".pretext.layers.0", ".pretext.repair", ".pretext.classify"),
    *(".restoration.down.0.0", ".restoration.last"),
)
HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
SUBSPACE = 2  # features per byte of product quantisation
CODES = 256  # centroids per subspace
KMEANS_BATCH = 4096


def network_nodes(model: onnx.ModelProto, *, inner: bool = False) -> list[str]:
    """Return the names of the nodes that are convolutions or products in networks.

    With `inner`, without the first and last layers of the networks.
    """
    names = []
    for node in model.graph.node:
        scopes = {prop.key: prop.value for prop in node.metadata_props}.get("namespace", "")
        paths = [scope.split(":")[0] for scope in scopes.split("/")]
        layers = any(path.count(".") > 1 and path.split(".")[1] in NETWORKS for path in paths)
        outer = any(path.endswith(OUTER) for path in paths)
        if layers and node.op_type in HEAVY and not (inner and outer):
            names.append(node.name)
    return names


def to_half(model: onnx.ModelProto, nodes: list[str]) -> onnx.ModelProto:
    """Compute the nodes in float16; their inputs and outputs stay float32."""
    halves: dict[str, str] = {}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    rebuilt: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.name not in nodes:
            rebuilt.append(node)
            continue
        for i, name in enumerate(node.input):
            if not name:
                continue
            if name not in halves:
                halves[name] = f"{name}/half"
                if name in tensors:
                    half = numpy_helper.to_array(tensors[name]).astype(np.float16)
                    model.graph.initializer.append(numpy_helper.from_array(half, halves[name]))
                else:
                    rebuilt.append(_cast(name, halves[name], onnx.TensorProto.FLOAT16))
            node.input[i] = halves[name]
        output = node.output[0]
        node.output[0] = f"{output}/in-half"
        rebuilt += [node, _cast(node.output[0], output, onnx.TensorProto.FLOAT)]
    _replace_nodes(model, rebuilt)
    return model


def to_int8(
    model: onnx.ModelProto, nodes: list[str], feeds: list[dict[str, NDArray[Any]]]
) -> onnx.ModelProto:
    """Quantise the nodes to int8 (static quantisation), calibrated with the inputs `feeds`."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[dict[str, NDArray[Any]]] = iter(feeds)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        plain, shaped, quantised = (Path(folder) / f"{i}.onnx" for i in range(3))
        onnx.save(model, plain)
        quant_pre_process(plain, shaped, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            *(shaped, quantised, Reader()),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            nodes_to_quantize=nodes,
            op_types_to_quantize=list(HEAVY),
        )
        return onnx.load(quantised)


def bank_tensors(model: onnx.ModelProto) -> list[str]:
    """Return the names of the tensors that are memories of neighbours."""
    floats = (t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    return [t.name for t in floats if t.name.endswith(".bank")]


def compress_banks(model: onnx.ModelProto, names: list[str], how: str) -> None:
    """Store memories in float16 ("fp16") or product-quantised ("pq"); they are used in float32."""
    graph, before = model.graph, []
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for name in names:
        bank = numpy_helper.to_array(tensors[name])
        if how == "pq" and len(bank) < CODES * 4:
            continue  # the codebook would be larger than what is saved
        graph.initializer.remove(tensors[name])
        if how == "fp16":
            half = numpy_helper.from_array(bank.astype(np.float16), f"{name}/half")
            graph.initializer.append(half)
            before.append(_cast(half.name, name, onnx.TensorProto.FLOAT))
        else:
            before += _quantised(graph, name, bank)
    _replace_nodes(model, [*before, *graph.node])


def _quantised(graph: onnx.GraphProto, name: str, bank: NDArray[Any]) -> list[onnx.NodeProto]:
    """Return nodes that decode product quantisation (Jégou, Douze and Schmid 2011)."""
    rows = bank.reshape(len(bank), -1)
    n_features = rows.shape[1]
    padded = np.pad(rows, ((0, 0), (0, -n_features % SUBSPACE)))
    n_parts = padded.shape[1] // SUBSPACE
    parts = padded.reshape(len(rows), n_parts, SUBSPACE)
    n_codes = min(CODES, len(rows))
    books = np.zeros((n_parts * n_codes, SUBSPACE), dtype=np.float32)
    codes = np.zeros((len(rows), n_parts), dtype=np.uint8)
    for i in range(n_parts):
        means = MiniBatchKMeans(n_codes, n_init=1, random_state=0, batch_size=KMEANS_BATCH)
        codes[:, i] = means.fit_predict(parts[:, i])
        books[i * n_codes : (i + 1) * n_codes] = means.cluster_centers_
    firsts = (n_codes * np.arange(n_parts)).astype(np.int64)
    kept = {"codes": codes, "firsts": firsts, "books": books}
    shapes = {"padded": np.array([len(rows), -1]), "shape": np.array(bank.shape)}
    cut = {"from": np.array([0]), "to": np.array([n_features]), "axis": np.array([1])}
    for key, value in (kept | shapes | cut).items():
        graph.initializer.append(numpy_helper.from_array(value, f"{name}/{key}"))
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Cast", ["codes"], "places", {"to": onnx.TensorProto.INT64}),
        ("Add", ["places", "firsts"], "entries", {}),
        ("Gather", ["books", "entries"], "found", {}),
        ("Reshape", ["found", "padded"], "rows", {}),
        ("Slice", ["rows", "from", "to", "axis"], "cut", {}),
    ]
    nodes = [
        helper.make_node(op, [f"{name}/{i}" for i in given], [f"{name}/{out}"], **attributes)
        for op, given, out, attributes in steps
    ]
    nodes.append(helper.make_node("Reshape", [f"{name}/cut", f"{name}/shape"], [name]))
    for i, node in enumerate(nodes):
        node.name = f"{name}/{i}"
    return nodes


def _cast(name: str, to: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [to], f"{to}/cast", to=kind)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    kept = list(nodes)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    outputs = {value.name for value in model.graph.output}
    tensors = [t for t in model.graph.initializer if t.name in used | outputs]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)
