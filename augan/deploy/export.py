"""Writing ONNX files: a file is written only if it gives the same answers as torch."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from augan._files import atomic_path
from augan.codecs.bins import all_choices
from augan.deploy import graph
from augan.deploy.card import model_card
from augan.deploy.checksum import with_checksum
from augan.deploy.column_parity import check_columns
from augan.deploy.contents import MAX_NODES
from augan.deploy.inputs import (
    COUNT,
    EXPLAIN,
    FIRST,
    OF_COLUMNS,
    ORDER,
    RESERVED,
    SURPRISE,
    TARGET_FPR,
)
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
from augan.models.exportable import ExportableModel

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
    model: ExportableModel,
    path: str | os.PathLike[str],
    *,
    part: str = "scorer",
    precision: str = "fp32",
    bank: str = "fp32",
    X: Any = None,
    context: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Write a part of a fitted model to one ONNX file; the estimators' `export_onnx` calls this.

    The file is run with ONNX Runtime before it gets its name, and its answers are compared with
    those of torch.

    Parameters
    ----------
    model : ExportableModel
        The fitted estimator, with what the part needs.
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
    context : mapping, optional
        JSON values to store with the model, such as the name of the target column.

    Returns
    -------
    report : ExportReport
        Size, opset, and the differences from torch's answers.

    Raises
    ------
    ExportError
        If the part cannot be exported, or a file in fp32 gives other answers than torch.
    ParameterError
        If `part`, `precision` or `bank` is unknown, `X` is missing or has too few rows, or ONNX
        Runtime is not installed.
    """
    _check(model, part, precision, bank, X)
    onnx_runtime()  # the file is run before it gets its name
    with warnings.catch_warnings(action="ignore"), torch.no_grad():  # of the exporter's own
        proto = _lowered(model, traced(model, part), precision, bank, X)
    _finish_interface(proto, model, part)
    facts = metadata_of(model, part, precision, bank, context or {})
    graph.describe(proto, facts, model_card(facts))
    onnx.checker.check_model(proto, full_check=True)
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(with_checksum(proto.SerializeToString(deterministic=True)))
        check = CHECKS[part] if model.columns is None else check_columns
        found = check(model, Path(temporary), X)
        if precision == bank == "fp32" and not found.agrees:
            raise ExportError(f"{path}: not written, it would differ from torch: {found}")
        n_bytes = Path(temporary).stat().st_size
    return ExportReport(str(path), part, precision, bank, OPSET, n_bytes, found)


def _lowered(
    model: ExportableModel, proto: onnx.ModelProto, precision: str, bank: str, X: Any
) -> onnx.ModelProto:
    """Return the graph with its networks and its memory in the precisions asked for."""
    nodes = network_nodes(proto, inner=precision == "int8")
    if bank != "fp32":
        compress_banks(proto, bank_tensors(proto), bank)
    if precision == "int8":
        return to_int8(proto, nodes, _calibration_feeds(model, X))
    return to_half(proto, nodes) if precision == "fp16" else proto


def _finish_interface(proto: onnx.ModelProto, model: ExportableModel, part: str) -> None:
    """Give the graph one input or output a column, and inputs that may be left out."""
    codec = model.codec
    graph.tidy(proto)
    if name_of_rows(codec) == graph.RAW and part == "generator":
        reserved = RESERVED if model.columns is None else (*RESERVED, *OF_COLUMNS)
        graph.columns_out(proto, codec.columns, reserved)
    elif name_of_rows(codec) == graph.RAW:
        own = [SURPRISE] if SURPRISE in {value.name for value in proto.graph.output} else []
        graph.columns_in(proto, codec.columns, (*RESERVED, *own))
    if part == "scorer":
        graph.compute_if(proto, output_names(codec)[EXPLANATION], EXPLAIN)
        graph.make_optional(proto, TARGET_FPR, np.array(math.nan))
        graph.make_optional(proto, EXPLAIN, np.array(True))
    if model.columns is not None:
        bins = model.columns.model.bins
        first, count = all_choices(bins)
        for name, default in ((ORDER, np.arange(len(bins))), (FIRST, first)):
            graph.make_optional(proto, name, default)
        graph.make_optional(proto, COUNT, count)
        if len(proto.graph.node) > MAX_NODES:
            raise ExportError(
                f"part={shown(part)}: {len(bins)} columns are too many, their graph would have "
                f"{len(proto.graph.node)} operators, more than {MAX_NODES}"
            )


def _check(model: ExportableModel, part: str, precision: str, bank: str, X: Any) -> None:
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
    assert part == "generator" or model.scoring is not None
    if model.scoring is not None and isinstance(model.scoring.scorer.inversion, SearchInversion):
        raise ExportError(
            f"part={shown(part)}: {model.method} finds latents by gradient descent, "
            "which cannot be exported; FAnoGAN has an encoder"
        )


def _calibration_feeds(model: ExportableModel, X: Any) -> list[dict[str, np.ndarray]]:
    """Return batches of the traced graph's inputs, of the first half of the rows."""
    assert model.scoring is not None
    data = halves(model.method, X)[0]
    raw = as_input(model.codec, model.codec.prepare(data))
    chunk = model.scoring.chunk
    name = name_of_rows(model.codec)
    return [
        {name: rows.numpy(), TARGET_FPR: np.array(math.nan)}
        for rows in raw[: 8 * chunk].split(chunk)
    ]
