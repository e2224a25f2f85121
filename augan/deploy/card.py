"""The model card (Mitchell 2019) in an ONNX file, in Markdown."""

from __future__ import annotations

import json
import re
from typing import Any

PURPOSE = {
    "scorer": "anomaly scores of rows, relative to the normal rows of training",
    "generator": "new rows, like those of training",
    "encoder": "latents of rows, from which a generator reconstructs them",
}


def model_card(facts: dict[str, Any]) -> str:
    """Return the model card of a file with the metadata `facts`."""
    what = "images" if facts["kind"] == "image" else "rows of a table"
    lines = [
        f"# {facts['class']} {facts['part']}",
        "",
        f"{PURPOSE[facts['part']].capitalize()}: {what}.",
        "",
        f"- Trained {facts['trained']}, exported with augan {facts['augan']} and "
        + ", ".join(f"{name} {number}" for name, number in facts["libraries"].items()),
        f"- ONNX opset {facts['opset']}; networks in {facts['precision']}, "
        f"memory in {facts['bank']}",
        _drawn_from(facts),
        *_pretrained(facts),
        "",
        "## Inputs",
        "",
        *_inputs(facts),
        "",
        "## Outputs",
        "",
        *_outputs(facts),
    ]
    if facts["part"] == "scorer":
        lines += ["", "## Decision", "", *_decision(facts)]
    lines += [
        "",
        "## Limits",
        "",
        "Normal rows unlike all training rows get high scores. p-values are valid only while new "
        "normal rows have the distribution of the training rows.",
    ]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Return a text as a code span of Markdown, in one line; unprintable characters are escaped."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    fence = "`" * (1 + max(map(len, re.findall("`+", visible)), default=0))
    bare = visible.strip() == visible and not visible.startswith("`") and not visible.endswith("`")
    space = "" if bare and visible else " "
    return f"{fence}{space}{visible}{space}{fence}"


def _inputs(facts: dict[str, Any]) -> list[str]:
    if facts.get("codes") is not None:
        return _of_columns(facts)
    if facts["part"] == "generator":
        lines = [f"- `z`: float32 (batch, {facts['latent_dim']}), standard normal"]
        if facts["classes"]:
            labels = code(json.dumps(facts["classes"]["labels"], ensure_ascii=False))
            lines.append(f"- `label`: int64 (batch,), indices into {labels}")
        return lines
    return _rows(facts) + (
        [
            "- `target_fpr` (optional): float64, largest share of normal rows to flag",
            f"- `explain` (optional): bool; false skips the computation of `{_where(facts)}`",
        ]
        if facts["part"] == "scorer"
        else []
    )


def _drawn_from(facts: dict[str, Any]) -> str:
    if facts.get("codes") is None and facts.get("latent_dim") is None:
        return "- Fitted without a generator"
    if facts.get("codes") is None:
        return f"- Latents: {facts['latent_dim']} dimensions"
    sizes = [one["values"] + len(one["members"]) + one["missing"] for one in facts["codes"]]
    return f"- Codes: {sum(sizes)}, of {len(sizes)} columns that vary, the class last"


def _pretrained(facts: dict[str, Any]) -> list[str]:
    """Return what the weights are that were trained on other images."""
    name = facts.get("backbone")
    if name is None:
        return []
    licence = "Apache-2.0" if name.startswith("efficientnet_lite") else "those of torchvision"
    return [f"- Backbone: {name}, trained on ImageNet; licence of its weights: {licence}"]


def _of_columns(facts: dict[str, Any]) -> list[str]:
    k = len(facts["codes"])
    return [
        f"- `uniform`: float64 (batch, {k}, 2), uniform from 0 to 1: code and value of each "
        "column that varies, the class last",
        f"- `given`: int64 (batch, {k}), codes that are known, -1 for those to draw",
        f"- `order` (optional): int64 ({k},), the order in which the columns are drawn",
        "- `first`, `count` (optional): int64, one for each code: where its values start in "
        "`values`, and how many of them may be drawn; 0: the code is not drawn",
    ]


def _where(facts: dict[str, Any]) -> str:
    return "heatmap" if facts["kind"] == "image" else "explanation"


def _outputs(facts: dict[str, Any]) -> list[str]:
    if facts["part"] == "generator":
        labels = facts["classes"] and code(json.dumps(facts["classes"]["labels"]))
        more = [f"- `label`: int64 (batch,), indices into {labels}", "- `values`: of all codes"]
        return _rows(facts) + (more if facts.get("codes") is not None else [])
    if facts["part"] == "encoder":
        return [f"- `z`: float32 (batch, {facts['latent_dim']})"]
    image = facts["kind"] == "image"
    shape, each = ("(batch, H, W)", "pixel") if image else ("(batch, d)", "column")
    surprise = "- `surprise`: float32 (batch, d), -log p(value | other columns) of each, in nats"
    more = [surprise] if "surprise" in facts["parts"] else []
    return [
        "- `anomaly_score`: float32 (batch,), higher = more abnormal",
        "- `p_value`: float64 (batch,), share of normal rows with a score at least as high",
        "- `is_anomaly`: bool (batch,)",
        f"- `score_parts`: float32 (batch, {len(facts['parts'])}): {', '.join(facts['parts'])}",
        f"- `{_where(facts)}`: float32 {shape}, how anomalous each {each} is",
        "- `threshold`: float64 (), score above which a row is an anomaly",
        *more,
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


def _decision(facts: dict[str, Any]) -> list[str]:
    parts = ", ".join(
        f"{name} (weight {weight:g})"
        for name, weight in zip(facts["parts"], facts["weights"], strict=False)
    ) or ", ".join(facts["parts"])
    return [
        f"The score is {facts['score']}: {parts}; fused by {facts['fusion']}. Rows with a score "
        f"above {facts['threshold']:.6g} are anomalies. p-values are computed from the scores of "
        f"{facts['n_calibration']} held-out normal rows.",
    ]
