"""The graph of a part of a model, as torch's exporter writes it."""

from __future__ import annotations

import copy
import math
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from augan.codecs.codec import Codec
from augan.deploy.column_graph import column_graph
from augan.deploy.graph import RAW
from augan.deploy.inputs import IMAGES, MATRIX, OUTPUTS, SURPRISE, TARGET_FPR, takes_matrix
from augan.deploy.modules import (
    ImageGenerator,
    ImageScorer,
    LatentEncoder,
    TableGenerator,
    TableScorer,
)
from augan.deploy.operators import OPSET, TRANSLATIONS
from augan.exceptions import ExportError, shown
from augan.models.exportable import ExportableModel

EXPLANATION = OUTPUTS.index("explanation")
N_EXAMPLES = 3  # rows that the graph is traced with
SCORERS: dict[str, Any] = {"table": TableScorer, "image": ImageScorer}
GENERATORS: dict[str, Any] = {"table": TableGenerator, "image": ImageGenerator}


def traced(model: ExportableModel, part: str) -> onnx.ModelProto:
    """Return the graph of a part: "scorer", "generator" or "encoder".

    Its input or output of rows is one array of numbers or of images. The graph of a column model is
    not traced, but written node by node.

    Raises
    ------
    ExportError
        If ONNX has no operators for the part.
    """
    if model.columns is not None:
        return column_graph(model.columns.model, name_of_rows(model.codec))
    module, examples, inputs, outputs = _module_of(model, part)
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} if example.ndim else None for example in examples)
    try:
        exported = torch.export.export(module, examples, dynamic_shapes=shapes, strict=False)
        program = torch.onnx.export(
            exported,
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            custom_translation_table=TRANSLATIONS,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ExportError(f"part={shown(part)}: ONNX has no operators for it ({reason})") from error
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    return graph


def name_of_rows(codec: Codec) -> str:
    """Return the name of the graph's input, or output, of rows."""
    if codec.kind == "image":
        return IMAGES
    return MATRIX if takes_matrix(codec.columns, codec.array_dtype) else RAW


def output_names(codec: Codec) -> list[str]:
    """Return the names of a scorer's outputs, without that of the surprise."""
    outputs = list(OUTPUTS)
    if codec.kind == "image":
        outputs[EXPLANATION] = "heatmap"
    return outputs


def as_input(codec: Codec, raw: Tensor) -> Tensor:
    """Return raw rows, or raw images with the channels last, as the graph's input."""
    if codec.kind == "table":
        return raw
    images = raw.permute(0, 2, 3, 1).contiguous()
    return images.to(torch.uint8) if codec.dtype == "uint8" else images


def _module_of(
    model: ExportableModel, part: str
) -> tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]:
    """Return the module, example inputs, and the names of inputs and outputs."""
    codec = model.codec
    rows = name_of_rows(codec)
    if model.scoring is None:
        return _generator_of(model, rows)
    scorer = copy.deepcopy(model.scoring.scorer).cpu()
    raw = as_input(codec, codec.example(N_EXAMPLES))
    if part == "encoder":
        return LatentEncoder(scorer, codec).eval(), (raw,), [rows], ["z"]
    fpr = torch.tensor(math.nan, dtype=torch.float64)
    module = SCORERS[codec.kind](scorer, codec, model.scoring.threshold).eval()
    names = output_names(codec) + ([] if scorer.columns is None else [SURPRISE])
    return module, (raw, fpr), [rows, TARGET_FPR], names


def _generator_of(
    model: ExportableModel, rows: str
) -> tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]:
    codec, networks = model.codec, model.networks
    assert networks is not None
    examples: tuple[Tensor, ...] = (torch.zeros(N_EXAMPLES, networks.latent_dim),)
    names = ["z"]
    if model.classes is not None:
        examples = (*examples, torch.zeros(N_EXAMPLES, dtype=torch.long))
        names = ["z", "label"]
    generator = copy.deepcopy(networks.generator).cpu()
    return GENERATORS[codec.kind](generator, codec).eval(), examples, names, [rows]
