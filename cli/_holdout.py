"""`augan fit --holdout`: a fresh model's figures on rows that were kept apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ._console import data_errors, say
from ._training import Held
from .labels import Labelled

Holdout = Annotated[
    float | None,
    typer.Option(help="Share of the rows to keep apart and evaluate on, above 0 and below 1."),
]
KEPT = ("auroc", "average_precision", "recall", "fpr")  # in the model file
N_BOOTSTRAP = 1000


def check_share(share: float | None, *, trains_sampler: bool) -> None:
    """Refuse a share that leaves nothing to train or to evaluate on."""
    from augan.exceptions import ParameterError

    if share is None:
        return
    if not (math.isfinite(share) and 0 < share < 1):
        raise ParameterError(f"--holdout {share}: must be above 0 and below 1")
    if trains_sampler:
        raise ParameterError("--holdout goes with a detector: a sampler of classes scores nothing")


def evaluate_held(
    estimator: Any, held: Held, path: Path, *, share: float, seed: int, quiet: bool
) -> dict[str, Any]:
    """Score the rows kept apart, print how well that went, and return what the model keeps."""
    import numpy as np

    from augan.evaluation.detection import n_held_out

    found, places = [], []
    with data_errors(path):
        for which, rows in held.batches(estimator.codec_):
            found.append(estimator.assess(rows))
            places.append(which)
    if not found:
        return _unread(path, share, seed)
    which = np.concatenate(places)
    scores = np.concatenate([part.anomaly_score for part in found])
    p_values = np.concatenate([part.p_value for part in found])
    kept = {"share": share, "seed": seed, "rows": len(scores)}
    n_calibration = n_held_out(estimator)
    anomaly = None if held.is_anomaly is None else held.is_anomaly[which]
    if anomaly is None or not anomaly.any() or anomaly.all():
        normal = slice(None) if anomaly is None else ~anomaly
        scores, p_values = scores[normal], p_values[normal]
        if not len(scores):
            return _unread(path, share, seed)
        return kept | _of_normal_rows(
            scores, p_values, estimator.threshold_, n_calibration, seed=seed, quiet=quiet
        )
    from augan.evaluation import detection_metrics

    from ._detection import MAX_KINDS, print_report

    report = detection_metrics(
        anomaly,
        scores,
        threshold=estimator.threshold_,
        p_values=p_values,
        kinds=Labelled(held.labels[which], anomaly).kinds(MAX_KINDS),
        n_calibration=n_calibration,
        n_bootstrap=N_BOOTSTRAP,
        random_state=seed,
    )
    if not quiet:
        print(f"on {len(scores)} rows that were kept apart:")
        print_report(report)
    figures = {name: getattr(report, name).value for name in KEPT}
    return kept | {"anomalies": report.n_anomaly} | figures


def _unread(path: Path, share: float, seed: int) -> dict[str, Any]:
    """Say that nothing could be evaluated; the model is kept nevertheless."""
    say(f"augan: warning: {path}: no normal row that was kept apart can be read: not evaluated")
    return {"share": share, "seed": seed, "rows": 0}


def _of_normal_rows(
    scores: Any, p_values: Any, limit: float, n_calibration: int | None, *, seed: int, quiet: bool
) -> dict[str, Any]:
    """Say how many rows that are taken for normal are flagged, and whether p-values are right."""
    from augan.evaluation.calibration import check_p_values

    from ._detection import print_checks

    flagged = float((scores > limit).mean())
    how: dict[str, Any] = {"n_bootstrap": N_BOOTSTRAP, "confidence": 0.95, "seed": seed}
    checks = check_p_values(p_values, n_calibration, **how)
    if not quiet:
        print(
            f"on {len(scores)} rows that were kept apart, taken for normal: {flagged:.1%} flagged "
            f"(anomaly_score > {limit:.4g})"
        )
        print_checks(checks, 0.95)
    return {"flagged": flagged}
