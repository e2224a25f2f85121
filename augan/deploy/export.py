"""Writing ONNX files: a file is written only if it gives the same answers as torch."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from augan._files import atomic_path
from augan.codecs.codec import Codec
from augan.deploy import graph
from augan.deploy.card import model_card
from augan.deploy.checksum import with_checksum
from augan.deploy.inputs import EXPLAIN, TARGET_FPR
from augan.deploy.metadata import metadata_of
from augan.deploy.operators import OPSET
from augan.deploy.parity import Found, check_encoder, check_generator, check_scorer, halves
from augan.deploy.precision import (
    bank_tensors,
    compress_banks,
    network_nodes,
    to_half,
    to_int8,
)
from augan.deploy.runtime import onnx_runtime
from augan.deploy.tracing import EXPLANATION, as_input, name_of_rows, output_names, traced
from augan.exceptions import ExportError, ParameterError, shown
from augan.inversion import SearchInversion

PARTS = ("scorer", "generator", "encoder")
PRECISIONS = ("fp32", "fp16", "int8")
BANKS = ("fp32", "fp16", "pq")
CHECKS = {"scorer": check_scorer, "generator": check_generator, "encoder": check_encoder}


@dataclass(frozen=True)
class ExportReport:
    """A file that was written, and how its answers compare with torch's (`found`)."""

    path: str
    part: str
    precision: str
    bank: str
    opset: int
    n_bytes: int
    found: Found

    def __str__(self) -> str:
        """Return one line of text."""
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
    """Write a part of a fitted estimator to one ONNX file.

    The file is run with ONNX Runtime before it gets its name, and its answers are compared with
    those of torch.

    Parameters
    ----------
    estimator : FAnoGAN, AnoGAN or GANSampler
        A fitted estimator.
    path : path-like
        The file, usually ``.onnx``.
    part : {"scorer", "generator", "encoder"}, default="scorer"
        Raw rows to scores, p-values and decisions; latents to rows; raw rows to latents.
    precision : {"fp32", "fp16", "int8"}, default="fp32"
        Precision of the networks; encoding, distances and calibration are not changed. int8 is
        static quantisation: its scales are computed from half of `X`, and the first and last
        layers keep float32.
    bank : {"fp32", "fp16", "pq"}, default="fp32"
        How the file stores the memory of the nearest-neighbour heads: in single or half precision,
        or product-quantised, one byte for two numbers (Jégou, Douze and Schmid 2011).
    X : DataFrame or array-like, optional
        Normal rows that were not trained on. They and random rows are scored by the file and by
        torch. Required for a `precision` or `bank` other than "fp32".
    context : dict, optional
        JSON values to store with the model, such as the name of the target column.

    Returns
    -------
    report : ExportReport
        Size, opset, and the differences from torch's answers.

    Raises
    ------
    ExportError
        If the estimator cannot be exported, or a file in fp32 gives other answers than torch.
    ParameterError
        If `part`, `precision` or `bank` is unknown, `X` is missing or has too few rows, or ONNX
        Runtime is not installed.
    """
    _check(estimator, part, precision, bank, X)
    onnx_runtime()  # the file is run before it gets its name
    with warnings.catch_warnings(action="ignore"), torch.no_grad():  # of the exporter's own
        model = _lowered(estimator, traced(estimator, part), precision, bank, X)
    _finish_interface(model, estimator.codec_, part)
    facts = metadata_of(estimator, part, precision, bank, context or {})
    graph.describe(model, facts, model_card(facts))
    onnx.checker.check_model(model, full_check=True)
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(with_checksum(model.SerializeToString(deterministic=True)))
        found = CHECKS[part](estimator, Path(temporary), X)
        if precision == bank == "fp32" and not found.agrees:
            raise ExportError(f"{path}: not written, it would differ from torch: {found}")
        n_bytes = Path(temporary).stat().st_size
    return ExportReport(str(path), part, precision, bank, OPSET, n_bytes, found)


def _lowered(
    estimator: Any, model: onnx.ModelProto, precision: str, bank: str, X: Any
) -> onnx.ModelProto:
    """Return the graph with its networks and its memory in the precisions asked for."""
    nodes = network_nodes(model, inner=precision == "int8")
    if bank != "fp32":
        compress_banks(model, bank_tensors(model), bank)
    if precision == "int8":
        return to_int8(model, nodes, _calibration_feeds(estimator, X))
    return to_half(model, nodes) if precision == "fp16" else model


def _finish_interface(model: onnx.ModelProto, codec: Codec, part: str) -> None:
    """Give the graph one input or output a column, and inputs that may be left out."""
    graph.tidy(model)
    if name_of_rows(codec) == graph.RAW:
        (graph.columns_out if part == "generator" else graph.columns_in)(model, codec.columns)
    if part == "scorer":
        graph.compute_if(model, output_names(codec)[EXPLANATION], EXPLAIN)
        graph.make_optional(model, TARGET_FPR, np.array(math.nan))
        graph.make_optional(model, EXPLAIN, np.array(True))


def _check(estimator: Any, part: str, precision: str, bank: str, X: Any) -> None:
    for name, value, allowed in (
        ("part", part, PARTS),
        ("precision", precision, PRECISIONS),
        ("bank", bank, BANKS),
    ):
        if value not in allowed:
            raise ParameterError(f"{name}={shown(value)}: must be one of {', '.join(allowed)}")
    if part != "scorer" and (precision, bank) != ("fp32", "fp32"):
        raise ParameterError(
            f"part={shown(part)}: only the scorer can have a precision other than fp32"
        )
    if (precision, bank) != ("fp32", "fp32") and X is None:
        lower = f"precision={shown(precision)}" if precision != "fp32" else f"bank={shown(bank)}"
        raise ParameterError(f"{lower}: needs X, normal rows to measure what is lost")
    is_sampler = hasattr(estimator, "classes_")
    if is_sampler and part != "generator":
        raise ExportError(
            f"part={shown(part)}: a {type(estimator).__name__} does not score rows; "
            "part='generator' can be exported"
        )
    if is_sampler and estimator.networks_ is None:
        raise ExportError(
            "part='generator': this sampler was fitted without a generator; method='gan' trains one"
        )
    if part != "generator" and isinstance(estimator.scorer_.inversion, SearchInversion):
        raise ExportError(
            f"part={shown(part)}: {type(estimator).__name__} finds latents by gradient descent, "
            "which cannot be exported; FAnoGAN has an encoder"
        )


def _calibration_feeds(estimator: Any, X: Any) -> list[dict[str, np.ndarray]]:
    """Return batches of the traced graph's inputs, of the first half of the rows."""
    data = halves(estimator, X)[0]
    raw = as_input(estimator.codec_, estimator.codec_.prepare(data))
    chunk = estimator.model_.config.chunk
    name = name_of_rows(estimator.codec_)
    return [
        {name: rows.numpy(), TARGET_FPR: np.array(math.nan)}
        for rows in raw[: 8 * chunk].split(chunk)
    ]
