"""Charts of a report as SVG, in the colours of its page."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Placeholder colours, replaced by variables of the page's style sheet in the SVG.
INK, NORMAL, ANOMALY, FAINT = "#010203", "#040506", "#070809", "#0a0b0c"
VARIABLES = {INK: "--ink", NORMAL: "--normal", ANOMALY: "--anomaly", FAINT: "--faint"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
}
SIZE = (4.2, 3.3)  # inches
BINS = 40
SHOWN = (0.005, 0.995)  # quantiles of the scores that the histogram spans


def roc_chart(is_anomaly: Mask, scores: Floats, limit: float) -> str:
    """Return the ROC curve, with a dot at the threshold."""
    fpr, recall, _ = roc_curve(is_anomaly, scores)
    figure, axis = _axis("false-positive rate", "recall (true-positive rate)", "roc")
    axis.plot([0, 1], [0, 1], color=FAINT, linestyle="--")
    axis.plot(fpr, recall, color=ANOMALY)
    flagged = scores > limit
    axis.plot(flagged[~is_anomaly].mean(), flagged[is_anomaly].mean(), "o", color=INK)
    return _svg(figure, "ROC")


def precision_recall_chart(is_anomaly: Mask, scores: Floats, limit: float) -> str:
    """Return the precision-recall curve, with a dot at the threshold."""
    precision, recall, _ = precision_recall_curve(is_anomaly, scores, drop_intermediate=True)
    figure, axis = _axis("recall", "precision", "pr")
    axis.axhline(is_anomaly.mean(), color=FAINT, linestyle="--")
    axis.step(recall, precision, color=ANOMALY, where="post")
    flagged = scores > limit
    if flagged.any():
        axis.plot(flagged[is_anomaly].mean(), is_anomaly[flagged].mean(), "o", color=INK)
    return _svg(figure, "precision-recall")


def score_chart(is_anomaly: Mask, scores: Floats, limit: float) -> str:
    """Return histograms of the scores of normal rows and of anomalies, each summing to 1.

    Scores beyond the outermost bins are counted in the outermost bins.
    """
    ends = [np.quantile(scores[rows], SHOWN) for rows in (is_anomaly, ~is_anomaly)]
    low, high = min(*(end[0] for end in ends), limit), max(*(end[1] for end in ends), limit)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    figure, axis = _axis("anomaly_score", "share of rows in each class", "")
    for rows, colour, name in ((~is_anomaly, NORMAL, "normal"), (is_anomaly, ANOMALY, "anomalies")):
        shares = np.full(rows.sum(), 1 / rows.sum())
        clipped = scores[rows].clip(edges[0], edges[-1])
        axis.hist(clipped, edges, weights=shares, color=colour, alpha=0.55, label=name)
    axis.axvline(limit, color=INK, linewidth=1.2, label="threshold")
    axis.legend(frameon=False, labelcolor=INK)
    return _svg(figure, "scores")


def _axis(x_label: str, y_label: str, unit: str) -> tuple[Figure, Any]:
    """Return a figure and its axis; with a `unit`, both axes go from 0 to 1."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axis = figure.subplots()
        axis.set(xlabel=x_label, ylabel=y_label)
        axis.grid(linewidth=0.5)
        if unit:
            axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure, axis


def _svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element, deterministic."""
    FigureCanvasSVG(figure)
    file = io.StringIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r"""(?:url\(|href=")#([\w-]+)""", svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
