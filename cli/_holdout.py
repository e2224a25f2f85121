"""`augan fit --holdout`: the figures of a new model on rows that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._console import data_errors, say
from ._report import MAX_KINDS, print_checks, print_report
from ._training import Held
from .labels import Labelled

KEPT = ("auroc", "average_precision", "recall", "fpr")  # in the model file
N_BOOTSTRAP = 1000


def check_share(share: float | None) -> None:
    """Raise for a share that leaves nothing to train or to evaluate on.

    Raises
    ------
    ParameterError
        For a share outside 0 to 1.
    """
    from augan.exceptions import ParameterError

    if share is not None and not 0 < share < 1:
        raise ParameterError(f"--holdout {share}: must be above 0 and below 1")


def evaluate_held(
    estimator: Any, held: Held, path: Path, *, share: float, seed: int, quiet: bool
) -> dict[str, Any]:
    """Score the held-out rows, print the figures, and return those that the model file keeps."""
    rows = _score(estimator, held, path)
    kept = {"share": share, "seed": seed, "rows": len(rows.scores)}
    how: dict[str, Any] = {"seed": seed, "quiet": quiet}
    if rows.anomaly is not None and rows.anomaly.any() and not rows.anomaly.all():
        return kept | _with_anomalies(estimator, rows, **how)
    if rows.anomaly is not None:
        rows = rows.only(~rows.anomaly)
    if not len(rows.scores):
        say(f"augan: warning: {path}: no held-out normal row can be read: not evaluated")
        return kept | {"rows": 0}
    return kept | _without_anomalies(estimator, rows, **how)


@dataclass(frozen=True)
class _Scored:
    """Scores and p-values of held-out rows, and, where there are labels, which are anomalies."""

    scores: Any
    p_values: Any
    anomaly: Any
    labels: Any

    def only(self, mask: Any) -> _Scored:
        """Return the rows where a mask is true."""
        return _Scored(
            self.scores[mask], self.p_values[mask], self.anomaly[mask], self.labels[mask]
        )


def _score(estimator: Any, held: Held, path: Path) -> _Scored:
    """Return the scores of the held-out rows that can be read."""
    import numpy as np

    scores, p_values, places = [np.empty(0)], [np.empty(0)], [np.empty(0, dtype=int)]
    with data_errors(path):
        for which, rows in held.batches(estimator.codec_):
            found = estimator.assess(rows)
            scores.append(found.anomaly_score)
            p_values.append(found.p_value)
            places.append(np.asarray(which))
    which = np.concatenate(places)
    has_labels = held.is_anomaly is not None
    return _Scored(
        np.concatenate(scores),
        np.concatenate(p_values),
        held.is_anomaly[which] if has_labels else None,
        held.labels[which] if has_labels else None,
    )


def _with_anomalies(estimator: Any, rows: _Scored, *, seed: int, quiet: bool) -> dict[str, Any]:
    """Measure how well the anomalies are found."""
    from augan.evaluation import detection_metrics
    from augan.evaluation.detection import n_held_out

    report = detection_metrics(
        *(rows.anomaly, rows.scores),
        threshold=estimator.threshold_,
        p_values=rows.p_values,
        kinds=Labelled(rows.labels, rows.anomaly).kinds(MAX_KINDS),
        n_calibration=n_held_out(estimator),
        n_bootstrap=N_BOOTSTRAP,
        random_state=seed,
    )
    if not quiet:
        print(f"on {len(rows.scores)} held-out rows:")
        print_report(report)
    figures = {name: getattr(report, name).value for name in KEPT}
    return {"anomalies": report.n_anomaly} | figures


def _without_anomalies(estimator: Any, rows: _Scored, *, seed: int, quiet: bool) -> dict[str, Any]:
    """Measure how many normal rows are flagged, and whether their p-values are uniform."""
    from augan.evaluation.calibration import check_p_values
    from augan.evaluation.detection import n_held_out

    limit = estimator.threshold_
    flagged = float((rows.scores > limit).mean())
    how: dict[str, Any] = {"n_bootstrap": N_BOOTSTRAP, "confidence": 0.95, "seed": seed}
    checks = check_p_values(rows.p_values, n_held_out(estimator), **how)
    if not quiet:
        print(
            f"on {len(rows.scores)} held-out rows, assumed normal: {flagged:.1%} flagged "
            f"(anomaly_score > {limit:.4g})"
        )
        print_checks(checks, 0.95)
    return {"flagged": flagged}
