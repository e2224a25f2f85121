"""Modules import downwards only and in no circle; docs/architecture.md lists the floors."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FLOOR = re.compile(r"^\| (\d+) \| ([^|]*) \|", re.MULTILINE)
EXCEPTION = re.compile(r"^\| `(augan[^`]*)` \| `(augan[^`]*)` \|", re.MULTILINE)
FACE = "augan"  # the package itself: `from augan import FAnoGAN`


class Import(NamedTuple):
    """Module `source` imports module `target` in line `line`.

    `deferred`: in a function, or for type checking alone.
    """

    source: str
    target: str
    line: int
    deferred: bool

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: imports {self.target}"


def floors(document: str) -> dict[str, int]:
    """Return the floor of each module or package that the document's table names."""
    named = {
        name: int(floor)
        for floor, names in FLOOR.findall(document)
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert named, "the document has no table of floors"
    return named


def exceptions(document: str) -> set[tuple[str, str]]:
    """Return the (source, target) pairs of the document's table of exceptions."""
    return set(EXCEPTION.findall(document))


def modules(folder: Path, package: str) -> dict[str, Path]:
    """Return the files of the package in the folder by their module's full name."""
    found = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def imports(files: dict[str, Path]) -> list[Import]:
    """Return the imports between the modules: at the top, in functions and for type checking."""
    found = []
    for source, path in files.items():
        tree = ast.parse(path.read_text())
        deferred = {id(n) for block in ast.walk(tree) if _defers(block) for n in ast.walk(block)}
        package = source if path.name == "__init__.py" else source.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                targets = {_known(name, files) for name in _names(node, package)} - {None, source}
                found += [
                    Import(source, target, node.lineno, id(node) in deferred)
                    for target in sorted(filter(None, targets))
                ]
    return found


def _defers(node: ast.AST) -> bool:
    """Return whether a block's imports do not run when its module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _names(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    """Return the full names that a statement imports: modules, or names in modules."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, *filter(None, [node.module])])
    return [f"{base}.{alias.name}" for alias in node.names]


def _known(name: str, files: dict[str, Path]) -> str | None:
    """Return the module that is imported: the name itself, or the module that holds it."""
    for module in (name, name.rpartition(".")[0]):
        if module in files:
            return module
    return None


def room(module: str, named: dict[str, int]) -> str:
    """Return the row's entry that a module belongs to: its own name or that of its package."""
    candidates = [name for name in named if name == module or module.startswith(f"{name}.")]
    if module != FACE:  # the package's own entry is for its __init__ alone
        candidates = [name for name in candidates if name != FACE]
    assert candidates, f"docs/architecture.md names no floor for {module}"
    return max(candidates, key=len)


def faults(found: list[Import], named: dict[str, int], allowed: set[tuple[str, str]]) -> list[str]:
    """Return upward imports, circles and exceptions that are not needed."""
    kept = [link for link in found if not (link.deferred and (link.source, link.target) in allowed)]
    wrong = [
        f"upward import: {link}"
        for link in kept
        if named[room(link.source, named)] < named[room(link.target, named)]
    ]
    idle = allowed - {(link.source, link.target) for link in found if link.deferred}
    wrong += [f"exception that is not needed: {source} -> {target}" for source, target in idle]
    graph: dict[str, set[str]] = {}
    rooms: dict[str, set[str]] = {}
    for link in kept:
        graph.setdefault(link.source, set()).add(link.target)
        rooms.setdefault(room(link.source, named), set()).add(room(link.target, named))
    for name, targets in rooms.items():
        targets.discard(name)
    return wrong + _circle(graph) + _circle(rooms)


def _circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["circle: " + " <- ".join(error.args[1])]
    return []


def test_imports_run_downwards_and_in_no_circle() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text()
    files = modules(ROOT / "augan", "augan") | modules(ROOT / "cli", "augan_cli")
    named = floors(document)
    unused = set(named) - {room(module, named) for module in files}
    assert not unused, f"docs/architecture.md names what does not exist: {unused}"
    wrong = faults(imports(files), named, exceptions(document))
    assert not wrong, "\n".join(wrong)


TABLE = """
| floor | modules | content |
|---|---|---|
| 2 | `augan.shop`, `augan.yard` | sells |
| 1 | `augan.mill` | grinds |
"""
LEGAL = {
    "__init__": "",
    "shop/__init__": "",
    "shop/till": "from augan.mill import flour",
    "yard": "from .mill import flour\nimport os",
    "mill": "flour = 1",
}
INSIDE = "def sell():\n    from augan.shop import till\n    return till\n"
CHECKING = (
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from augan.shop.till import x\n"
)


@pytest.mark.parametrize(
    "changed, fault",
    [
        ({}, None),
        ({"mill": "from augan.shop.till import x"}, "upward import: augan.mill, line 1"),
        ({"mill": "from .shop import till"}, "upward import: augan.mill, line 1"),
        ({"mill": "import augan.yard"}, "upward import: augan.mill, line 1"),
        ({"mill": INSIDE}, "upward import: augan.mill, line 2: imports augan.shop.till"),
        ({"mill": CHECKING}, "upward import: augan.mill, line 3"),
        ({"shop/till": "from . import safe", "shop/safe": "import augan.shop.till"}, "circle"),
        ({"shop/till": "import augan.yard", "yard": INSIDE}, "circle"),
        # no circle of modules, but one of packages
        ({"shop/till": "import augan.yard", "yard": "import augan.shop"}, "circle"),
    ],
)
def test_upward_imports_and_circles_are_found(
    tmp_path: Path, changed: dict[str, str], fault: str | None
) -> None:
    for name, text in (LEGAL | changed).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    wrong = faults(imports(modules(tmp_path, "augan")), floors(TABLE) | {"augan": 3}, set())
    assert [fault in line for line in wrong][:1] == ([True] if fault else [])


def test_exceptions_are_for_deferred_imports_and_must_be_needed(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("")
    (tmp_path / "mill.py").write_text("def sell():\n    import augan.shop\n")
    named, pair = {"augan.shop": 2, "augan.mill": 1}, ("augan.mill", "augan.shop")
    listed = exceptions("| from | to | why |\n|---|---|---|\n| `augan.mill` | `augan.shop` | so |")
    assert listed == {pair}
    assert not faults(imports(modules(tmp_path, "augan")), named, listed)
    (tmp_path / "mill.py").write_text("import augan.shop\n")
    assert len(faults(imports(modules(tmp_path, "augan")), named, listed)) == 2
