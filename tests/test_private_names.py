"""Private attributes are read by the class that they belong to."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["deploy", "evaluation", "inputs", "models", "sampling", "scoring", "training"]
ALLOWED = {"torch.ops.aten._upsample_bilinear2d_aa"}  # torch's own name of an operator


def foreign_private_names(tree: ast.AST) -> list[tuple[int, str]]:
    """Return lines and expressions with `x._name`, unless x is self, cls or super()."""
    return [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls", "super()")
    ]


@pytest.mark.parametrize("folder", [*(f"augan/{name}" for name in PACKAGES), "cli", "benchmarks"])
def test_private_attributes_of_other_objects_are_not_used(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(ROOT)}, line {line}: {text}"
        for path in files
        for line, text in foreign_private_names(ast.parse(path.read_text()))
        if text not in ALLOWED
    ]
    assert not found, "\n".join(found)


def test_private_attributes_are_found() -> None:
    text = "self._a\ncls._b\nsuper()._c\ndetector._d\nx.__class__\ndetector.model_._e = 1\n"
    found = foreign_private_names(ast.parse(text))
    assert found == [(4, "detector._d"), (6, "detector.model_._e")]
