"""What an ONNX file says of itself, for people: a model card (Mitchell 2019) in Markdown."""

from __future__ import annotations

import json
import re
from typing import Any

PURPOSE = {
    "scorer": "scores how far rows lie from the normal ones that it learned from",
    "generator": "makes new rows like those that it learned from",
    "encoder": "turns rows into latents of a generator",
}


def model_card(facts: dict[str, Any]) -> str:
    """Return the card of a file with these facts."""
    what = "images" if facts["kind"] == "image" else "rows of a table"
    lines = [
        f"# {facts['class']} {facts['part']}",
        "",
        f"{PURPOSE[facts['part']].capitalize()}: {what}.",
        "",
        f"- Trained {facts['trained']}, exported with augan {facts['augan']} and "
        + ", ".join(f"{name} {number}" for name, number in facts["libraries"].items()),
        f"- ONNX opset {facts['opset']}, networks in {facts['precision']}, bank in {facts['bank']}",
        f"- Latents: {facts['latent_dim']} dimensions",
        "",
        "## Takes",
        "",
        *_takes(facts),
        "",
        "## Gives",
        "",
        *_gives(facts),
    ]
    if facts["part"] == "scorer":
        lines += ["", "## How it decides", "", *_decides(facts)]
    lines += [
        "",
        "## Limits",
        "",
        "It knows only what its training rows showed: normal rows of a kind that they lacked get "
        "high scores. p-values hold while new normal rows come as the training rows did.",
    ]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Return a text as a code span of Markdown, in one line; what cannot be seen is escaped."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    fence = "`" * (1 + max(map(len, re.findall("`+", visible)), default=0))
    bare = visible.strip() == visible and not visible.startswith("`") and not visible.endswith("`")
    space = "" if bare and visible else " "
    return f"{fence}{space}{visible}{space}{fence}"


def _takes(facts: dict[str, Any]) -> list[str]:
    if facts["part"] == "generator":
        lines = [f"- `z`: float32 (batch, {facts['latent_dim']}), standard normal"]
        if facts["classes"]:
            labels = code(json.dumps(facts["classes"]["labels"], ensure_ascii=False))
            lines.append(f"- `label`: int64 (batch,), places in {labels}")
        return lines
    return _rows(facts) + (
        [
            "- `target_fpr` (optional): float64, share of normal rows that may be flagged",
            f"- `explain` (optional): bool; false saves the time of `{_where(facts)}`",
        ]
        if facts["part"] == "scorer"
        else []
    )


def _where(facts: dict[str, Any]) -> str:
    return "heatmap" if facts["kind"] == "image" else "explanation"


def _gives(facts: dict[str, Any]) -> list[str]:
    if facts["part"] == "generator":
        return _rows(facts)
    if facts["part"] == "encoder":
        return [f"- `z`: float32 (batch, {facts['latent_dim']})"]
    image = facts["kind"] == "image"
    shape, each = ("(batch, H, W)", "pixel") if image else ("(batch, d)", "column")
    return [
        "- `anomaly_score`: float32 (batch,), higher = more abnormal",
        "- `p_value`: float64 (batch,), share of normal rows with a score as high",
        "- `is_anomaly`: bool (batch,)",
        f"- `score_parts`: float32 (batch, {len(facts['parts'])}): {', '.join(facts['parts'])}",
        f"- `{_where(facts)}`: float32 {shape}, how unusual each {each} is",
        "- `threshold`: float64 (), the score above which a row is an anomaly",
    ]


def _rows(facts: dict[str, Any]) -> list[str]:
    from augan.deploy.inputs import IMAGES, MATRIX, is_text, mark_of
    from augan.deploy.raw import ImageForm, form_of

    form = form_of(facts)
    if isinstance(form, ImageForm):
        height, width, *channels = form.shape
        kind = "uint8" if form.dtype == "uint8" else "float32"
        size = f"{height}, {width}, {channels[0] if channels else 1}"
        return [f"- `{IMAGES}`: {kind} (batch, {size}), from {form.low:g} to {form.high:g}"]
    if form.is_matrix:
        return [f"- `{MATRIX}`: float64 (batch, {len(form.columns)}), NaN where missing"]
    lines = []
    for name, column in zip(form.names, form.columns, strict=True):
        quantity = column.origin.quantity
        if is_text(column):
            kind = f"string (batch, 1), {code(repr(mark_of(column)))} where missing"
        else:
            units = {"time": ", seconds since 1970 (UTC)", "duration": ", seconds"}
            kind = f"float64 (batch, 1), NaN where missing{units.get(quantity, '')}"
        lines.append(f"- {code(name)}: {kind}")
    return lines


def _decides(facts: dict[str, Any]) -> list[str]:
    parts = ", ".join(
        f"{name} (weight {weight:g})"
        for name, weight in zip(facts["parts"], facts["weights"], strict=False)
    ) or ", ".join(facts["parts"])
    return [
        f"The score is {facts['score']}: {parts}; fused by {facts['fusion']}. A row is an anomaly "
        f"above {facts['threshold']:.6g}. p-values compare with {facts['n_calibration']} normal "
        "rows that were not learned from.",
    ]
