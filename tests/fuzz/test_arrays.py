"""NumPy files: read right, or refused in one line that names the file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import QUICK, every_other

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(40, 3))


def _npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _structured() -> Any:
    return np.zeros(9, dtype=[("a", "f8"), ("b", "i4")])


def _header(text: str) -> bytes:
    padded = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def _member(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, data)
    return buffer.getvalue()


def _with(value: float) -> Any:
    rows = ROWS.copy()
    rows[5, 1] = value
    return rows


# name: (ending, bytes, whether it can be trained on; None where either is right)
FILES: dict[str, tuple[str, Callable[[], bytes], bool | None]] = {
    "float64": ("npy", lambda: _npy(ROWS), True),
    "float32": ("npy", lambda: _npy(ROWS.astype("f4")), True),
    "float16": ("npy", lambda: _npy(ROWS.astype("f2")), True),
    "big-endian": ("npy", lambda: _npy(ROWS.astype(">f8")), True),
    "fortran": ("npy", lambda: _npy(np.asfortranarray(ROWS)), True),
    "int8": ("npy", lambda: _npy((ROWS * 9).astype("i1")), True),
    "uint64": (
        "npy",
        lambda: _npy(np.full((9, 2), 2**64 - 1, "u8") - np.arange(18, dtype="u8").reshape(9, 2)),
        False,
    ),
    "bool": ("npy", lambda: _npy(ROWS > 0), True),
    "texts": ("npy", lambda: _npy(np.array([["a", "b"], ["c", "d"], ["a", "d"]])), None),
    "bytes": ("npy", lambda: _npy(np.array([[b"a", b"b"], [b"c", b"d"], [b"a", b"d"]])), None),
    "missing": ("npy", lambda: _npy(_with(np.nan)), True),
    "infinite": ("npy", lambda: _npy(_with(np.inf)), False),
    "complex": ("npy", lambda: _npy(ROWS + 1j), False),
    "dates": ("npy", lambda: _npy(np.array([["2024-01-01"], ["2024-05-05"]], "M8[D]")), None),
    "objects": ("npy", lambda: _npy(np.array([[1, "a"], [2, "b"]], dtype=object)), False),
    "structured": ("npy", lambda: _npy(_structured()), False),
    "one axis": ("npy", lambda: _npy(ROWS[:, 0]), False),
    "no axis": ("npy", lambda: _npy(np.float64(3)), False),
    "five axes": ("npy", lambda: _npy(np.zeros((2, 2, 2, 2, 2))), False),
    "no rows": ("npy", lambda: _npy(ROWS[:0]), False),
    "no columns": ("npy", lambda: _npy(ROWS[:, :0]), False),
    "one row": ("npy", lambda: _npy(ROWS[:1]), False),
    "two rows": ("npy", lambda: _npy(ROWS[:2]), True),
    "constant": ("npy", lambda: _npy(np.ones((9, 2))), False),
    "empty file": ("npy", lambda: b"", False),
    "cut": ("npy", lambda: _npy(ROWS)[:-100], False),
    "longer": ("npy", lambda: _npy(ROWS) + b"more", None),
    "pickle": ("npy", lambda: b"\x80\x04K\x01.", False),
    "other file": ("npy", lambda: b"GIF89a" + bytes(100), False),
    "huge shape": (
        "npy",
        lambda: _header(
            "{'descr':'<f8','fortran_order':False,'shape':(10**12,9),}".replace(
                "10**12", str(10**12)
            )
        ),
        False,
    ),
    "negative shape": (
        "npy",
        lambda: _header("{'descr':'<f8','fortran_order':False,'shape':(-1,3),}") + bytes(24),
        False,
    ),
    "overflowing shape": (
        "npy",
        lambda: _header(
            "{'descr':'<f8','fortran_order':False,'shape':(2**62,9),}".replace("2**62", str(2**62))
        ),
        False,
    ),
    "huge texts": (
        "npy",
        lambda: _header("{'descr':'<U1000000000','fortran_order':False,'shape':(1,1),}"),
        False,
    ),
    "no header": ("npy", lambda: b"\x93NUMPY\x01\x00", False),
    "long header": ("npy", lambda: b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", False),
    "code in header": ("npy", lambda: _header("__import__('os')"), False),
    "deep header": ("npy", lambda: _header("(" * 110), False),
    "npz": ("npz", lambda: _npz(X=ROWS), True),
    "npz, one array": ("npz", lambda: _npz(rows=ROWS), True),
    "npz, two arrays": ("npz", lambda: _npz(a=ROWS, b=ROWS), False),
    "npz, none": ("npz", lambda: _npz(), False),
    "npz, labels alone": ("npz", lambda: _npz(y=np.arange(9)), False),
    "npz, objects": ("npz", lambda: _npz(X=np.array([[1, "a"]], dtype=object)), False),
    "npz, cut": ("npz", lambda: _npz(X=ROWS)[:-30], False),
    "npz, no zip": ("npz", lambda: b"PK\x03\x04" + bytes(50), False),
    "npz, other member": ("npz", lambda: _member("X.npy", b"hello"), False),
    "npz, path": ("npz", lambda: _member("../X.npy", _npy(ROWS)), None),
    "images": ("npy", lambda: _npy(RANDOM.integers(0, 255, (20, 8, 8), dtype="u1")), True),
    "images of floats": ("npy", lambda: _npy(RANDOM.random((20, 8, 8))), True),
    "images, missing pixel": ("npy", lambda: _npy(np.full((9, 8, 8), np.nan)), False),
    "images of one pixel": ("npy", lambda: _npy(np.zeros((9, 1, 1), "u1")), False),
    "images of five channels": ("npy", lambda: _npy(np.zeros((9, 8, 8, 5), "u1")), False),
    "images, channels first": (
        "npy",
        lambda: _npy(RANDOM.integers(0, 255, (9, 3, 8, 8), dtype="u1")),
        False,
    ),
    "images of booleans": ("npy", lambda: _npy(RANDOM.random((9, 8, 8)) > 0.5), None),
    "images of int64": ("npy", lambda: _npy(RANDOM.integers(0, 255, (9, 8, 8))), None),
}


@pytest.mark.parametrize("name", FILES)
def test_an_array_is_trained_on_and_scored_or_refused(
    name: str, tmp_path: Path, command: Any, scores_of: Any
) -> None:
    ending, make, right = FILES[name]
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(make())
    done = command("fit", path, "--out", tmp_path / "m.augan", *QUICK)
    if right is not None:
        assert (done.exit_code == 0) == right, done.stderr
    if done.exit_code:
        assert path.name in done.stderr
        return
    found, said = scores_of(tmp_path / "m.augan", path, tmp_path / "s.csv")
    assert found is not None, said


@pytest.mark.parametrize("name", every_other(FILES))
@pytest.mark.parametrize(
    "model",
    [
        "base.augan",
        *(pytest.param(f"images.{e}", marks=pytest.mark.slow) for e in ("augan", "onnx")),
    ],
)
def test_an_array_for_another_model_is_refused(
    name: str, model: str, model_file: Any, tmp_path: Path, scores_of: Any
) -> None:
    ending, make, _ = FILES[name]
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(make())
    found, said = scores_of(model_file(model), path, tmp_path / "s.csv")
    assert found is None
    assert path.name in said, said
