"""What the graph of a file takes and gives, as its metadata say it must."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augan.deploy.inputs import EXPLAIN, IMAGES, MATRIX, OUTPUTS, TARGET_FPR, is_text
from augan.deploy.raw import ImageForm, TableForm, form_of
from augan.exceptions import ModelFileError, shown

DOUBLE, FLOAT, LONG = "tensor(double)", "tensor(float)", "tensor(int64)"
BOOL, BYTE, TEXT = "tensor(bool)", "tensor(uint8)", "tensor(string)"
MOST_TWINS = 100  # columns with names of others, whose inputs have longer and longer names


class Value(NamedTuple):
    """The type of an input or an output, and its sizes after that of the batch; None: a number."""

    type: str
    sizes: tuple[int, ...] | None = ()


class Interface(NamedTuple):
    """Inputs, those that may be left out, and outputs, by name and in their order."""

    inputs: dict[str, Value]
    optional: dict[str, Value]
    outputs: dict[str, Value]


def interface_of(metadata: dict[str, Any], path: Path) -> Interface:
    """Return what a graph with such metadata takes and gives; ModelFileError if none can."""
    form = form_of(metadata)
    if isinstance(form, TableForm):
        names = [column.name for column in form.columns]
        if len(names) - len(set(names)) > MOST_TWINS:
            raise ModelFileError(f"{path}: more than {MOST_TWINS} columns have others' names")
    rows, z = _rows(form), {"z": Value(FLOAT, (metadata["latent_dim"],))}
    if metadata["part"] == "generator":
        labels = {} if metadata.get("classes") is None else {"label": Value(LONG)}
        return Interface(z | labels, {}, rows)
    if metadata["part"] == "encoder":
        return Interface(rows, {}, z)
    explained = form.shape[:2] if isinstance(form, ImageForm) else (len(form.columns),)
    name = "heatmap" if isinstance(form, ImageForm) else "explanation"
    values = {
        "anomaly_score": Value(FLOAT),
        "p_value": Value(DOUBLE),
        "is_anomaly": Value(BOOL),
        "score_parts": Value(FLOAT, (len(metadata["parts"]),)),
        "explanation": Value(FLOAT, explained),
        "threshold": Value(DOUBLE, None),
    }
    outputs = {name if key == "explanation" else key: values[key] for key in OUTPUTS}
    return Interface(rows, {TARGET_FPR: Value(DOUBLE, None), EXPLAIN: Value(BOOL, None)}, outputs)


def check_interface(session: Any, wanted: Interface, path: Path) -> None:
    """Raise ModelFileError where a session takes or gives anything else."""
    for side, values, found in (
        ("input", wanted.inputs, session.get_inputs()),
        ("optional input", wanted.optional, session.get_overridable_initializers()),
        ("output", wanted.outputs, session.get_outputs()),
    ):
        own = {value.name: value for value in found}
        for name in [*values, *own]:
            if name not in values:
                raise ModelFileError(f"{path}: its graph has an {side} {shown(name)} too many")
            if name not in own:
                raise ModelFileError(f"{path}: its graph lacks the {side} {shown(name)}")
            if not _fits(own[name], values[name]):
                kind = f"{own[name].type} {shown(own[name].shape)}"
                raise ModelFileError(f"{path}: {side} {shown(name)} of its graph is {kind}")


def check_answers(
    answers: Mapping[str, NDArray[Any]], wanted: Interface, n: int, path: Path
) -> None:
    """Raise ModelFileError where outputs of `n` rows have other shapes, or are NaN."""
    for name, (_, sizes) in wanted.outputs.items():
        value = answers[name]
        shape = () if sizes is None else (n, *sizes)
        left_out = name in ("explanation", "heatmap") and len(value) == 0
        if value.shape != shape and not (left_out and value.shape[1:] == shape[1:]):
            raise ModelFileError(f"{path}: {shown(name)} of {n} rows has the shape {value.shape}")
    for name in ("anomaly_score", "p_value", "score_parts", "threshold"):
        if name in wanted.outputs and np.isnan(answers[name]).any():
            raise ModelFileError(f"{path}: its graph gives no number as {shown(name)}")


def _rows(form: TableForm | ImageForm) -> dict[str, Value]:
    if isinstance(form, ImageForm):
        channels = form.shape[2] if len(form.shape) == 3 else 1
        kind = BYTE if form.dtype == "uint8" else FLOAT
        return {IMAGES: Value(kind, (*form.shape[:2], channels))}
    if form.is_matrix:
        return {MATRIX: Value(DOUBLE, (len(form.columns),))}
    columns = zip(form.names, form.columns, strict=True)
    return {name: Value(TEXT if is_text(c) else DOUBLE, (1,)) for name, c in columns}


def _fits(found: Any, wanted: Value) -> bool:
    """Whether a value has the type, and no other sizes where it has any."""
    if found.type != wanted.type:
        return False
    rank = 0 if wanted.sizes is None else 1 + len(wanted.sizes)
    if len(found.shape) != rank:
        return False
    pairs = zip(found.shape[1:], wanted.sizes or (), strict=True)
    fixed = bool(found.shape) and isinstance(found.shape[0], int)
    return not fixed and all(size == own or not isinstance(own, int) for own, size in pairs)
