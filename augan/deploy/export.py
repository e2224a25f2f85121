"""Writing ONNX files: of the modules that score in torch, and only if they answer as those do."""

from __future__ import annotations

import copy
import math
import os
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from augan._files import atomic_path
from augan._version import __version__
from augan.codecs.image import ImageCodec
from augan.codecs.origin import to_json
from augan.codecs.table import TableCodec
from augan.codecs.usual import usual_values
from augan.deploy import graph
from augan.deploy.card import model_card
from augan.deploy.checksum import with_checksum
from augan.deploy.inputs import EXPLAIN, IMAGES, MATRIX, OUTPUTS, TARGET_FPR, takes_matrix
from augan.deploy.modules import ImageScorer, LatentEncoder, RowGenerator, TableScorer
from augan.deploy.onnx_file import FORMAT
from augan.deploy.operators import OPSET, TRANSLATIONS
from augan.deploy.parity import Found, check_encoder, check_generator, check_scorer, halves
from augan.deploy.precision import (
    bank_tensors,
    compress_banks,
    network_nodes,
    to_half,
    to_int8,
)
from augan.deploy.session import onnx_runtime
from augan.exceptions import ExportError, ParameterError, shown
from augan.inversion import SearchInversion
from augan.io.model_file import own_context

PARTS = ("scorer", "generator", "encoder")
PRECISIONS = ("fp32", "fp16", "int8")
BANKS = ("fp32", "fp16", "pq")
LIBRARIES = ("torch", "onnx", "onnxscript", "scikit-learn", "numpy", "pandas")
EXPLANATION = OUTPUTS.index("explanation")
EXAMPLES = 3  # rows that the graph is traced with


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how it compares with torch; see `Found` for the figures."""

    path: str
    part: str
    precision: str
    bank: str
    opset: int
    n_bytes: int
    found: Found

    def __str__(self) -> str:
        """Say it in one line."""
        kind = ", ".join(
            (f"opset {self.opset}", self.precision)
            + ((f"bank {self.bank}",) if self.bank != "fp32" else ())
        )
        size = f"{self.n_bytes / 1e6:.1f} MB"
        return f"{self.path}: {self.part}, {kind}, {size}; {self.found}"


def export_onnx(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    part: str = "scorer",
    precision: str = "fp32",
    bank: str = "fp32",
    X: Any = None,
    context: dict[str, Any] | None = None,
) -> ExportReport:
    """Write a part of a fitted estimator as one ONNX file, once it answers as torch does.

    Parameters
    ----------
    estimator : FAnoGAN, AnoGAN or GANSampler
        A fitted one.
    path : path-like
        The file, usually ``.onnx``.
    part : {"scorer", "generator", "encoder"}, default="scorer"
        Raw rows to scores, p-values and decisions; latents to rows; raw rows to latents.
    precision : {"fp32", "fp16", "int8"}, default="fp32"
        Of the networks; encoding, distances and calibration stay as they are. int8 is static:
        its scales come from half of `X`, and first and last layers keep float32.
    bank : {"fp32", "fp16", "pq"}, default="fp32"
        How the rows that neighbours are sought among are kept in the file: as they are, in half
        precision, or product-quantised, a byte for every two numbers (Jegou 2011).
    X : DataFrame or array-like, optional
        Normal rows that were not trained on. Those and made-up ones are scored by both; anything
        but fp32 needs them.
    context : dict, optional
        JSON values kept beside the model, such as the target column that was left out.

    Returns
    -------
    report : ExportReport
        Size, opset, and how far the answers lie from torch's.

    Raises
    ------
    ExportError
        When the estimator cannot be exported, or the file would answer differently.
    ParameterError
        For a part, precision or bank that there is not.
    """
    _check(estimator, part, precision, bank, X)
    onnx_runtime()  # which the file is tried with
    with warnings.catch_warnings(action="ignore"), torch.no_grad():  # of the exporter's own
        model = _traced(estimator, part)
        nodes = network_nodes(model, inner=precision == "int8")
        if bank != "fp32":
            compress_banks(model, bank_tensors(model), bank)
        if precision == "int8":
            model = to_int8(model, nodes, _calibration_feeds(estimator, X))
        elif precision == "fp16":
            model = to_half(model, nodes)
    codec = estimator.codec_
    graph.tidy(model)
    matrix = isinstance(codec, TableCodec) and takes_matrix(codec.columns, codec.array_dtype)
    if isinstance(codec, TableCodec) and not matrix:
        (graph.columns_out if part == "generator" else graph.columns_in)(model, codec.columns)
    if part == "scorer":
        graph.compute_if(model, _outputs(codec)[EXPLANATION], EXPLAIN)
        graph.make_optional(model, TARGET_FPR, np.array(math.nan))
        graph.make_optional(model, EXPLAIN, np.array(True))
    facts = _facts(estimator, part, precision, bank, _context(estimator, part, context or {}))
    graph.describe(model, facts, model_card(facts))
    onnx.checker.check_model(model, full_check=True)
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(with_checksum(model.SerializeToString(deterministic=True)))
        check = {"scorer": check_scorer, "generator": check_generator, "encoder": check_encoder}
        found = check[part](estimator, Path(temporary), X)
        if precision == bank == "fp32" and not found.agrees:
            raise ExportError(f"{path}: not written, it would differ from torch: {found}")
        n_bytes = Path(temporary).stat().st_size
    return ExportReport(str(path), part, precision, bank, OPSET, n_bytes, found)


def _check(estimator: Any, part: str, precision: str, bank: str, X: Any) -> None:
    for name, value, allowed in (
        ("part", part, PARTS),
        ("precision", precision, PRECISIONS),
        ("bank", bank, BANKS),
    ):
        if value not in allowed:
            raise ParameterError(f"{name}={shown(value)}: is not one of {', '.join(allowed)}")
    if part != "scorer" and (precision, bank) != ("fp32", "fp32"):
        raise ParameterError(f"part={shown(part)}: only the scorer has other precisions than fp32")
    if (precision, bank) != ("fp32", "fp32") and X is None:
        lower = f"precision={shown(precision)}" if precision != "fp32" else f"bank={shown(bank)}"
        raise ParameterError(f"{lower}: needs X, normal rows that say what is lost")
    is_sampler = hasattr(estimator, "classes_")
    if is_sampler and part != "generator":
        raise ExportError(
            f"part={shown(part)}: a {type(estimator).__name__} scores nothing; export its generator"
        )
    if is_sampler and estimator.networks_ is None:
        raise ExportError(
            "part='generator': this sampler makes rows of real ones and has no generator; "
            "method='gan' trains one"
        )
    if part != "generator" and isinstance(estimator.scorer_.inversion, SearchInversion):
        raise ExportError(
            f"part={shown(part)}: {type(estimator).__name__} searches a latent for every row by "
            "gradient descent, which no graph does; FAnoGAN finds it with an encoder"
        )


def _traced(estimator: Any, part: str) -> onnx.ModelProto:
    """Return the graph of a part, of raw numbers or images."""
    module, examples, inputs, outputs = _part(estimator, part)
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


def _part(estimator: Any, part: str) -> tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]:
    """Return the module, what it is traced with, and the names of inputs and outputs."""
    codec = estimator.codec_
    rows = _matrix_name(codec)
    if part == "generator":
        networks = estimator.networks_
        z = torch.zeros(EXAMPLES, networks.latent_dim)
        given: tuple[Tensor, ...] = (z,)
        names = ["z"]
        if hasattr(estimator, "classes_"):
            given, names = (z, torch.zeros(EXAMPLES, dtype=torch.long)), ["z", "label"]
        generator = copy.deepcopy(networks.generator).cpu()
        return RowGenerator(generator, codec).eval(), given, names, [rows]
    scorer = copy.deepcopy(estimator.scorer_).cpu()
    if isinstance(codec, ImageCodec):
        channels = codec.spec.channels
        raw = torch.full((EXAMPLES, *codec.shape[:2], channels), codec.low)
        raw = raw.to(torch.uint8) if codec.dtype == "uint8" else raw
    else:
        raw = torch.zeros(EXAMPLES, codec.width, dtype=torch.float64)
    if part == "encoder":
        return LatentEncoder(scorer, codec).eval(), (raw,), [rows], ["z"]
    fpr = torch.tensor(math.nan, dtype=torch.float64)
    kind = ImageScorer if isinstance(codec, ImageCodec) else TableScorer
    module = kind(scorer, codec, estimator.threshold_).eval()
    return module, (raw, fpr), [rows, TARGET_FPR], _outputs(codec)


def _outputs(codec: TableCodec | ImageCodec) -> list[str]:
    outputs = list(OUTPUTS)
    if isinstance(codec, ImageCodec):
        outputs[EXPLANATION] = "heatmap"
    return outputs


def _matrix_name(codec: TableCodec | ImageCodec) -> str:
    if isinstance(codec, ImageCodec):
        return IMAGES
    return MATRIX if takes_matrix(codec.columns, codec.array_dtype) else graph.RAW


def _calibration_feeds(estimator: Any, X: Any) -> list[dict[str, np.ndarray]]:
    """Return batches of the traced graph's inputs, of the first half of the rows."""
    data = halves(estimator, X)[0]
    raw = estimator.codec_.prepare(data)
    if isinstance(estimator.codec_, ImageCodec):
        raw = raw.permute(0, 2, 3, 1).contiguous()
    chunk = estimator._defaults.chunk
    name = _matrix_name(estimator.codec_)
    return [
        {name: rows.numpy(), TARGET_FPR: np.array(math.nan)}
        for rows in raw[: 8 * chunk].split(chunk)
    ]


def _facts(
    estimator: Any, part: str, precision: str, bank: str, context: dict[str, Any]
) -> dict[str, Any]:
    """Return what the file says of itself."""
    codec = estimator.codec_
    facts: dict[str, Any] = {
        "format": FORMAT,
        "augan": __version__,
        "libraries": {name: version(name) for name in LIBRARIES},
        "trained": estimator.trained_,
        "class": type(estimator).__name__,
        "part": part,
        "opset": OPSET,
        "precision": precision,
        "bank": bank,
        "kind": codec.kind,
        "latent_dim": estimator.networks_.latent_dim,
        "n_features_in": estimator.n_features_in_,
        "feature_names_in": list(getattr(estimator, "feature_names_in_", [])) or None,
        "context": context,
    }
    if isinstance(codec, TableCodec):
        facts["columns"] = [column.state()[0] for column in codec.columns]
        facts["labels"] = to_json(codec.labels)
        facts["array_dtype"] = codec.array_dtype
        facts["library"] = codec.library
    else:
        names = ("shape", "dtype", "low", "high")
        facts["image"] = {name: getattr(codec, name) for name in names}
    if part == "generator":
        facts["classes"] = _classes(estimator)
        return facts
    scorer = estimator.scorer_
    facts["chunk"] = estimator._defaults.chunk
    if part == "scorer":
        facts["score"], facts["fusion"] = scorer.score, scorer.fusion
        facts["parts"], facts["weights"] = list(scorer.part_names), list(scorer.weights)
        facts["threshold"] = estimator.threshold_
        facts["n_calibration"] = len(scorer.conformal.scores)
        if isinstance(codec, ImageCodec):
            facts["pixel_threshold"] = estimator.pixel_threshold_
    return facts


def _context(estimator: Any, part: str, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context with what an estimator keeps itself, and what is usual in columns."""
    codec = estimator.codec_
    usual: dict[str, Any] = {}
    if part == "scorer" and isinstance(codec, TableCodec) and "usual" not in context:
        usual = {"usual": usual_values(codec.columns)}
    return context | own_context(estimator) | usual


def _classes(estimator: Any) -> dict[str, Any] | None:
    if not hasattr(estimator, "classes_"):
        return None
    return {
        "labels": to_json(estimator.classes_.tolist()),
        "dtype": str(estimator.classes_.dtype),
        "shares": estimator._shares.tolist(),
    }
