"""The graph of a part of a model, as torch's exporter writes it."""

from __future__ import annotations

import copy
import math
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from augan.codecs.image import ImageCodec
from augan.codecs.table import TableCodec
from augan.deploy.graph import RAW
from augan.deploy.inputs import IMAGES, MATRIX, OUTPUTS, TARGET_FPR, takes_matrix
from augan.deploy.modules import ImageScorer, LatentEncoder, RowGenerator, TableScorer
from augan.deploy.operators import OPSET, TRANSLATIONS
from augan.exceptions import ExportError, shown

EXPLANATION = OUTPUTS.index("explanation")
N_EXAMPLES = 3  # rows that the graph is traced with


def traced(estimator: Any, part: str) -> onnx.ModelProto:
    """Return the graph of a part: "scorer", "generator" or "encoder".

    Its input or output of rows is one array of numbers or of images.

    Raises
    ------
    ExportError
        If ONNX has no operators for the part.
    """
    module, examples, inputs, outputs = _module_of(estimator, part)
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
    model: onnx.ModelProto = program.model_proto
    return model


def name_of_rows(codec: TableCodec | ImageCodec) -> str:
    """Return the name of the graph's input, or output, of rows."""
    if isinstance(codec, ImageCodec):
        return IMAGES
    return MATRIX if takes_matrix(codec.columns, codec.array_dtype) else RAW


def output_names(codec: TableCodec | ImageCodec) -> list[str]:
    """Return the names of a scorer's outputs."""
    outputs = list(OUTPUTS)
    if isinstance(codec, ImageCodec):
        outputs[EXPLANATION] = "heatmap"
    return outputs


def _module_of(
    estimator: Any, part: str
) -> tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]:
    """Return the module, example inputs, and the names of inputs and outputs."""
    codec = estimator.codec_
    rows = name_of_rows(codec)
    if part == "generator":
        return _generator_of(estimator, rows)
    scorer = copy.deepcopy(estimator.scorer_).cpu()
    raw = _example_rows(codec)
    if part == "encoder":
        return LatentEncoder(scorer, codec).eval(), (raw,), [rows], ["z"]
    fpr = torch.tensor(math.nan, dtype=torch.float64)
    kind = ImageScorer if isinstance(codec, ImageCodec) else TableScorer
    module = kind(scorer, codec, estimator.threshold_).eval()
    return module, (raw, fpr), [rows, TARGET_FPR], output_names(codec)


def _generator_of(
    estimator: Any, rows: str
) -> tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]:
    networks = estimator.networks_
    examples: tuple[Tensor, ...] = (torch.zeros(N_EXAMPLES, networks.latent_dim),)
    names = ["z"]
    if hasattr(estimator, "classes_"):
        examples = (*examples, torch.zeros(N_EXAMPLES, dtype=torch.long))
        names = ["z", "label"]
    generator = copy.deepcopy(networks.generator).cpu()
    return RowGenerator(generator, estimator.codec_).eval(), examples, names, [rows]


def _example_rows(codec: TableCodec | ImageCodec) -> Tensor:
    if not isinstance(codec, ImageCodec):
        return torch.zeros(N_EXAMPLES, codec.width, dtype=torch.float64)
    raw = torch.full((N_EXAMPLES, *codec.shape[:2], codec.spec.channels), codec.low)
    return raw.to(torch.uint8) if codec.dtype == "uint8" else raw
