"""Checks of the bytes of an ONNX file, before ONNX Runtime parses them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_FIELDS = 2_000_000  # of protobuf; ONNX Runtime takes minutes for more
MAX_NODES = 100_000
MAX_DEPTH = 8  # of nested graphs
MAX_DIMENSIONS = 64
VALUES_PER_BYTE = 4  # of the smallest data type
DOMAINS = (b"", b"ai.onnx", b"ai.onnx.ml")  # whose operators have no side effects
LOOPS = (b"Loop", b"Scan")  # operators with an unbounded number of iterations
EXPANDING = (b"ConstantOfShape", b"Expand", b"OneHot", b"Pad", b"Range", b"Resize", b"Tile")
MAX_VALUES = 2**26  # size of the output of an expanding operator
INT64 = 7  # ONNX's data type
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protobuf


@dataclass
class Contents:
    """The metadata of a file, and what is counted while it is checked."""

    properties: dict[str, str] = field(default_factory=dict)
    n_fields: int = 0
    n_nodes: int = 0
    products: dict[bytes, int] = field(default_factory=dict)  # of small integer tensors, by name
    sizes: set[bytes] = field(
        default_factory=set
    )  # names of tensors that set the size of an output


def read_contents(model: bytes) -> Contents:
    """Return the metadata of a serialised model, after checking all of it.

    Raises
    ------
    ValueError
        If it is not protobuf, refers to other files, declares tensors larger than itself, or has
        parts that exported files never have.
    """
    contents = Contents()
    for number, start, end in _fields(model, 0, len(model), contents):
        if end < 0:
            continue
        if number == 7:
            _graph(model, start, end, contents, 1)
        elif number == 14:
            key, value = _entry(model, start, end, contents)
            if key in contents.properties:
                raise ValueError(f"duplicate metadata {key[:60]!r}")
            contents.properties[key] = value
        elif number in (20, 25):
            raise ValueError("functions or training steps, which exported files do not have")
    if any(contents.products.get(name, 0) > MAX_VALUES for name in contents.sizes):
        raise ValueError(f"an operator with an output of more than {MAX_VALUES} values")
    return contents


def _graph(model: bytes, start: int, end: int, contents: Contents, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"graphs nested more than {MAX_DEPTH} deep")
    for number, first, last in _fields(model, start, end, contents):
        if last < 0:
            continue
        if number == 1:
            _node(model, first, last, contents, depth)
        elif number == 5:
            name, product = _tensor(model, first, last, contents)
            contents.products[name] = product
        elif number == 15:
            raise ValueError("sparse tensors, which exported files do not have")


def _node(model: bytes, start: int, end: int, contents: Contents, depth: int) -> None:
    contents.n_nodes += 1
    if contents.n_nodes > MAX_NODES:
        raise ValueError(f"more than {MAX_NODES} operators")
    kind, inputs, outputs = b"", [], [b""]
    product = 0
    for number, first, last in _fields(model, start, end, contents):
        if last < 0:
            continue
        text = b"" if number == 5 else model[first:last]
        if number == 1:
            inputs.append(text)
        elif number == 2:
            outputs.append(text)
        elif number == 4:
            kind = text
        elif number == 5:
            product = max(product, _attribute(model, first, last, contents, depth))
        elif number == 7 and text not in DOMAINS:
            raise ValueError(f"operators of the domain {_text(text)[:60]!r}, which is not ONNX's")
    if kind in LOOPS:
        raise ValueError(f"the operator {kind.decode()}, which exported files do not have")
    if kind in EXPANDING:
        contents.sizes.update(inputs)
    elif kind == b"Constant":
        contents.products[outputs[-1]] = product


def _attribute(model: bytes, start: int, end: int, contents: Contents, depth: int) -> int:
    """Return the product of the attribute's integers, as the value of a constant."""
    numbers: list[int] = []
    product = 0
    for number, first, last in _fields(model, start, end, contents):
        if number in (3, 8):
            numbers += [first] if last < 0 else _varints(model, first, last)
        elif number in (5, 10) and last >= 0:
            product = max(product, _tensor(model, first, last, contents)[1])
        elif number in (6, 11) and last >= 0:
            _graph(model, first, last, contents, depth + 1)
        elif number in (22, 23):
            raise ValueError("sparse tensors, which exported files do not have")
    return max(product, _product(numbers))


def _tensor(model: bytes, start: int, end: int, contents: Contents) -> tuple[bytes, int]:
    """Check that a tensor is in the file and has the size that it declares.

    Returns
    -------
    name : bytes
        Name of the tensor.
    product : int
        Product of its values, if they are a few integers, as sizes are; else 0.
    """
    shape: list[int] = []
    numbers: list[int] = []
    name, kind, raw = b"", 0, b""
    for number, first, last in _fields(model, start, end, contents):
        if number in (1, 7):
            values = shape if number == 1 else numbers
            if len(values) <= MAX_DIMENSIONS:
                values += [first] if last < 0 else _varints(model, first, last)
        elif number == 2 and last < 0:
            kind = first
        elif number == 8 and last >= 0:
            name = model[first:last]
        elif number == 9 and 0 <= last - first <= 8 * MAX_DIMENSIONS:
            raw = model[first:last]
        elif number == 13 or (number == 14 and first != 0):
            raise ValueError("tensors in other files")
    if len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor of more than {MAX_DIMENSIONS} dimensions")
    if any(size >= 2**63 for size in shape):
        raise ValueError("a tensor of a negative size")
    if math.prod(shape) > VALUES_PER_BYTE * (end - start):
        raise ValueError("a tensor that declares more values than the file holds")
    whole = len(raw) // 8
    numbers += struct.unpack(f"<{whole}Q", raw[: 8 * whole])
    return name, _product(numbers) if kind == INT64 else 0


def _product(numbers: list[int]) -> int:
    """Return the product of the positive numbers; 0 if there are many numbers."""
    if len(numbers) > MAX_DIMENSIONS:
        return 0
    return math.prod(number for number in numbers if 0 < number < 2**63)


def _entry(model: bytes, start: int, end: int, contents: Contents) -> tuple[str, str]:
    found = {1: "", 2: ""}
    for number, first, last in _fields(model, start, end, contents):
        if number in found and last >= 0:
            found[number] = _text(model[first:last])
    return found[1], found[2]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError("text that is not UTF-8") from error


def _fields(model: bytes, at: int, end: int, contents: Contents) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field of a message; for integers the value and -1."""
    while at < end:
        contents.n_fields += 1
        if contents.n_fields > MAX_FIELDS:
            raise ValueError(f"more than {MAX_FIELDS} fields")
        tag, at = _varint(model, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == BYTES:
            length, at = _varint(model, at, end)
            if length > end - at:
                raise ValueError("it is truncated")
            yield number, at, at + length
            at += length
        elif wire == VARINT:
            value, at = _varint(model, at, end)
            yield number, value, -1
        elif wire in (FIXED32, FIXED64):
            at += 4 if wire == FIXED32 else 8
            if at > end:
                raise ValueError("it is truncated")
        else:
            raise ValueError("not protobuf")


def _varints(model: bytes, at: int, end: int) -> list[int]:
    """Return the integers of a packed field, or only the first ones of many."""
    numbers: list[int] = []
    while at < end and len(numbers) <= MAX_DIMENSIONS:
        number, at = _varint(model, at, end)
        numbers.append(number)
    return numbers


def _varint(model: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the integer that starts at `at`, and the position after it."""
    if at < end and model[at] < 128:
        return model[at], at + 1
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("it is truncated")
        byte = model[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
    raise ValueError("not protobuf")
