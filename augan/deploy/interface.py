"""Inputs and outputs of a file's graph: those that its metadata imply, and checks of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augan.deploy.inputs import (
    COUNT,
    EXPLAIN,
    FIRST,
    GIVEN,
    IMAGES,
    LABEL,
    MATRIX,
    ORDER,
    OUTPUTS,
    SURPRISE,
    TARGET_FPR,
    UNIFORM,
    VALUES,
    is_text,
)
from augan.deploy.raw import ImageForm, TableForm, form_of, has_surprise
from augan.exceptions import ModelFileError, shown

DOUBLE, FLOAT, LONG = "tensor(double)", "tensor(float)", "tensor(int64)"
BOOL, BYTE, TEXT = "tensor(bool)", "tensor(uint8)", "tensor(string)"
MAX_DUPLICATES = 100  # column names; each one makes an input's name longer


class Value(NamedTuple):
    """Type of an input or output, and its sizes after the batch; None for a scalar.

    With `alone` there is no batch, and the sizes are all.
    """

    type: str
    sizes: tuple[int, ...] | None = ()
    alone: bool = False


class Interface(NamedTuple):
    """Required inputs, optional inputs and outputs, by name and in order.

    `constants` are outputs that do not depend on inputs; a run does not return them.
    """

    inputs: dict[str, Value]
    optional: dict[str, Value]
    outputs: dict[str, Value]
    constants: Mapping[str, Value] = MappingProxyType({})


def interface_of(metadata: dict[str, Any], path: Path) -> Interface:
    """Return the inputs and outputs of a graph with this metadata.

    Raises
    ------
    ModelFileError
        If too many columns have the same name.
    """
    form = form_of(metadata)
    if isinstance(form, TableForm):
        names = [column.name for column in form.columns]
        if len(names) - len(set(names)) > MAX_DUPLICATES:
            raise ModelFileError(f"{path}: more than {MAX_DUPLICATES} columns have duplicate names")
    rows = _rows(form)
    if metadata.get("codes") is not None:
        return _of_columns(metadata, rows)
    z = {"z": Value(FLOAT, (metadata["latent_dim"],))}
    if metadata["part"] == "generator":
        labels = {} if metadata.get("classes") is None else {"label": Value(LONG)}
        return Interface(z | labels, {}, rows)
    if metadata["part"] == "encoder":
        return Interface(rows, {}, z)
    values = {
        "anomaly_score": Value(FLOAT),
        "p_value": Value(DOUBLE),
        "is_anomaly": Value(BOOL),
        "score_parts": Value(FLOAT, (len(metadata["parts"]),)),
        "explanation": Value(FLOAT, form.explanation_sizes),
        "threshold": Value(DOUBLE, None),
    }
    renamed = {"explanation": form.explanation_name}
    outputs = {renamed.get(key, key): values[key] for key in OUTPUTS}
    if has_surprise(metadata):
        outputs[SURPRISE] = Value(FLOAT, form.explanation_sizes)
    return Interface(rows, {TARGET_FPR: Value(DOUBLE, None), EXPLAIN: Value(BOOL, None)}, outputs)


def check_interface(session: Any, wanted: Interface, path: Path) -> None:
    """Check the inputs and outputs of a session.

    Raises
    ------
    ModelFileError
        If they differ from `wanted`.
    """
    for side, values, found in (
        ("input", wanted.inputs, session.get_inputs()),
        ("optional input", wanted.optional, session.get_overridable_initializers()),
        ("output", wanted.outputs | dict(wanted.constants), session.get_outputs()),
    ):
        own = {value.name: value for value in found}
        for name in [*values, *own]:
            if name not in values:
                raise ModelFileError(f"{path}: its graph has an unexpected {side} {shown(name)}")
            if name not in own:
                raise ModelFileError(f"{path}: its graph lacks the {side} {shown(name)}")
            if not _fits(own[name], values[name]):
                kind = f"{own[name].type} {shown(own[name].shape)}"
                raise ModelFileError(f"{path}: {side} {shown(name)} of its graph is {kind}")


def check_answers(
    answers: Mapping[str, NDArray[Any]], wanted: Interface, n: int, path: Path
) -> None:
    """Check the outputs of a session for `n` rows.

    Raises
    ------
    ModelFileError
        If an output has another shape than `wanted`, or is NaN.
    """
    for name, (_, sizes, _) in wanted.outputs.items():
        value = answers[name]
        shape = () if sizes is None else (n, *sizes)
        left_out = name in ("explanation", "heatmap") and len(value) == 0
        if value.shape != shape and not (left_out and value.shape[1:] == shape[1:]):
            raise ModelFileError(f"{path}: {shown(name)} of {n} rows has the shape {value.shape}")
    # a generator can have a column called "surprise"
    more = (SURPRISE,) if "anomaly_score" in wanted.outputs else ()
    for name in ("anomaly_score", "p_value", "score_parts", "threshold", *more):
        if name in wanted.outputs and np.isnan(answers[name]).any():
            raise ModelFileError(f"{path}: its graph returned NaN as {shown(name)}")


def _rows(form: TableForm | ImageForm) -> dict[str, Value]:
    if isinstance(form, ImageForm):
        channels = form.shape[2] if len(form.shape) == 3 else 1
        kind = BYTE if form.dtype == "uint8" else FLOAT
        return {IMAGES: Value(kind, (*form.shape[:2], channels))}
    if form.is_matrix:
        return {MATRIX: Value(DOUBLE, (len(form.columns),))}
    columns = zip(form.names, form.columns, strict=True)
    return {name: Value(TEXT if is_text(c) else DOUBLE, (1,)) for name, c in columns}


def _of_columns(metadata: dict[str, Any], rows: dict[str, Value]) -> Interface:
    """Return the interface of a column model: random numbers and given codes to rows."""
    codes = metadata["codes"]
    k, single = len(codes), sum(one["values"] + one["missing"] for one in codes)
    n_codes = single + sum(len(one["members"]) for one in codes)
    n_members = sum(sum(one["members"]) for one in codes)
    n_values = single + n_members + len(metadata["columns"]) - (k - 1)  # and of constant columns
    of_codes = Value(LONG, (n_codes,), alone=True)
    return Interface(
        {UNIFORM: Value(DOUBLE, (k, 2)), GIVEN: Value(LONG, (k,))},
        {ORDER: Value(LONG, (k,), alone=True), FIRST: of_codes, COUNT: of_codes},
        rows | {LABEL: Value(LONG)},
        {VALUES: Value(DOUBLE, (n_values,), alone=True)},
    )


def _fits(found: Any, wanted: Value) -> bool:
    """Return whether a value has the type and, where they are fixed, the sizes."""
    if found.type != wanted.type:
        return False
    if wanted.alone:
        return tuple(found.shape) == wanted.sizes
    rank = 0 if wanted.sizes is None else 1 + len(wanted.sizes)
    if len(found.shape) != rank:
        return False
    pairs = zip(found.shape[1:], wanted.sizes or (), strict=True)
    fixed = bool(found.shape) and isinstance(found.shape[0], int)
    return not fixed and all(size == own or not isinstance(own, int) for own, size in pairs)
