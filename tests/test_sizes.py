"""Files and functions stay small, so that each can be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_FILE, MAX_FUNCTION = 300, 40  # lines

Function = ast.FunctionDef | ast.AsyncFunctionDef


def function_lines(function: Function, *, is_command: bool = False) -> int:
    """Return the lines of a function without decorators and docstring.

    The parameters of a command, which are its options, do not count either.
    """
    body = function.body[0]
    first = body.lineno if is_command else function.lineno
    found = function.end_lineno - first + 1
    if ast.get_docstring(function, clean=False) is not None:
        found -= body.end_lineno - body.lineno + 1
    return found


def too_long(name: str, source: str, *, has_commands: bool = False) -> Iterator[str]:
    """Yield what is too long in the source text of a file."""
    if (n := len(source.splitlines())) > MAX_FILE:
        yield f"{name}: {n} lines, {MAX_FILE} are allowed"
    tree = ast.parse(source)
    public = {part for part in tree.body if not getattr(part, "name", "_").startswith("_")}
    for part in ast.walk(tree):
        if isinstance(part, Function):
            n = function_lines(part, is_command=has_commands and part in public)
            if n > MAX_FUNCTION:
                yield f"{name}, line {part.lineno}: {part.name} has {n} lines"


def test_files_and_functions_are_not_too_long() -> None:
    files = sorted(path for folder in ("augan", "cli") for path in (ROOT / folder).rglob("*.py"))
    found = [
        line
        for path in files
        for line in too_long(
            str(path.relative_to(ROOT)),
            path.read_text("utf-8"),
            has_commands=path.parent == ROOT / "cli" / "commands",
        )
    ]
    assert len(files) > 100
    assert not found, "\n".join(found)


def test_long_files_and_functions_are_found() -> None:
    statements, options = "    x = 1\n" * 39, "    a,\n" * 10
    documented = '    """One\n\n    more.\n    """\n'
    short = f"@cache\ndef f():\n{documented}{statements}"
    assert not list(too_long("a.py", short + "\n" * (MAX_FILE - 45)))
    assert list(too_long("a.py", short + "\n" * (MAX_FILE - 44))) == [
        "a.py: 301 lines, 300 are allowed"
    ]
    assert list(too_long("a.py", f"{short}    x = 1\n")) == ["a.py, line 2: f has 41 lines"]
    inner = "class A:\n    def f(self):\n" + "        x = 1\n" * 40
    assert list(too_long("a.py", inner)) == ["a.py, line 2: f has 41 lines"]
    command = f"def score(\n{options}):\n{documented}{statements}"
    assert list(too_long("a.py", command)) == ["a.py, line 1: score has 51 lines"]
    assert not list(too_long("a.py", command, has_commands=True))
    hidden = command.replace("score", "_score")
    assert list(too_long("a.py", hidden, has_commands=True))
