"""Results as JSON lines: one line for each fit; the last line of a key counts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Result = dict[str, Any]

FORMER_FIELDS = {"arm": "strategy", "judge_accuracy": "classifier_accuracy"}  # in old files
ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).resolve().with_name("results")
PACKAGES = (
    "augan",
    "torch",
    "onnxruntime-gpu",
    "pyod",
    "scikit-learn",
    "numpy",
    "imbalanced-learn",
    "ctgan",
    "anomalib",
)


def append(file: Path, result: Result) -> None:
    """Append one line, in one write, so that several processes can share the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, (json.dumps(result) + "\n").encode())
    finally:
        os.close(handle)


def read(file: Path, key: Iterable[str]) -> list[Result]:
    """Return the results of a file, for each value of the fields `key` the last one."""
    if not file.exists():
        return []
    lines = [
        {FORMER_FIELDS.get(name, name): value for name, value in json.loads(line).items()}
        for line in file.read_text().splitlines()
    ]
    return list({tuple(line.get(name) for name in key): line for line in lines}.values())


def provenance() -> Result:
    """Return the commit and the versions of packages."""
    return {"commit": _commit(), "versions": _versions()}


def _commit() -> str:
    """Return the short hash of HEAD, "-dirty" behind it when `augan/` differs from it."""
    try:
        changed = _git("status", "--porcelain", "--", "augan")
        return _git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
