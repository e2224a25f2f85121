"""The HTML report of an evaluation: verdict, charts, metrics, worst errors, sortable rows."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import jinja2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan._files import atomic_path
from augan.assessment import Assessment
from augan.evaluation.figures import DetectionReport
from augan.evaluation.pixels import PixelReport
from augan.evaluation.report.charts import precision_recall_chart, roc_chart, score_chart
from augan.evaluation.report.pictures import heat_picture, picture
from augan.evaluation.report.rows import Highest, Kept, ScoredRows, Shown
from augan.io.images import as_bytes

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ReadImage = Callable[[str], NDArray[Any]]
ReadMask = Callable[[str, tuple[int, int]], NDArray[np.bool_]]

N_WORST = 12  # number of false alarms, and of misses
N_TOP = 100  # number of table rows that are listed
N_LISTED = 2000  # number of images that are listed
N_REASONS = 4  # columns named for each row


class ExplainingDetector(Protocol):
    """A fitted detector that explains its scores; one of images has a `pixel_threshold_`."""

    codec_: Any
    pixel_threshold_: float

    def explain(self, X: Any) -> Any:
        """Return how unusual each column, or pixel, of each row is."""


class EvaluationPage:
    """Collects scored batches and writes the HTML report of an evaluation.

    Parameters
    ----------
    detector : AnoGAN, FAnoGAN or OnnxDetector
        A fitted detector.
    read_image : callable, optional
        Returns the image of a given name at its original size. If None, the images are shown as
        they were scored.
    read_mask : callable, optional
        Returns the mask (H, W) of the image of a given name, at a given size (H, W).
    """

    def __init__(
        self,
        detector: ExplainingDetector,
        *,
        read_image: ReadImage | None = None,
        read_mask: ReadMask | None = None,
    ) -> None:
        self.detector = detector
        self.read_image, self.read_mask = read_image, read_mask
        self.of_images = detector.codec_.kind == "image"
        self.names: list[str] = []
        self.labels: list[str] = []
        self.scores: list[Floats] = []
        self.p_values: list[Floats] = []
        self.is_anomaly: list[Mask] = []
        self.normal, self.anomalous = Highest(N_WORST), Highest(N_WORST)  # the worst of each
        self.top = Highest(0 if self.of_images else N_TOP)

    def add(self, names: Any, rows: Any, found: Assessment, is_anomaly: Mask, labels: Any) -> None:
        """Add a batch of rows (b, ...), with their names, scores, classes and labels, (b,) each."""
        scores = found.anomaly_score
        start = len(self.names)
        self.names += map(str, names)
        self.labels += map(str, labels)
        self.scores.append(scores)
        self.p_values.append(found.p_value)
        self.is_anomaly.append(is_anomaly)
        for at, (score, bad) in enumerate(zip(scores.tolist(), is_anomaly, strict=True)):
            if bad:
                self.anomalous.offer(-score, start + at, rows, at)
            else:
                self.normal.offer(score, start + at, rows, at)
            if self.top.n:
                self.top.offer(score, start + at, rows, at)

    def write(
        self,
        file: Path,
        report: DetectionReport,
        pixels: PixelReport | None,
        *,
        model: str,
        data: str,
    ) -> None:
        """Write the page; `model` and `data` are the names in its title.

        Rows with a score above the threshold of the report are flagged.
        """
        assert report.threshold is not None
        scores, is_anomaly = np.concatenate(self.scores), np.concatenate(self.is_anomaly)
        given = (is_anomaly, scores, report.threshold)
        rows = ScoredRows(
            *(self.names, self.labels, scores, is_anomaly),
            p_values=np.concatenate(self.p_values),
            flagged=scores > report.threshold,
        )
        text = _template().render(
            model=model,
            data=data,
            date=datetime.date.today().isoformat(),
            report=report,
            pixels=pixels,
            of_images=self.of_images,
            charts=[
                ("ROC curve", roc_chart(*given)),
                ("Precision and recall", precision_recall_chart(*given)),
                ("Scores", score_chart(*given)),
            ],
            false_alarms=self._worst(self.normal, rows, flagged=True),
            misses=self._worst(self.anomalous, rows, flagged=False),
            listed=self._listed(rows),
            n_rows=len(scores),
        )
        with atomic_path(file) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")

    def _worst(self, kept: Highest, rows: ScoredRows, *, flagged: bool) -> list[Shown]:
        """Return those of the kept rows that are flagged, or those that are not."""
        chosen = [one for one in kept.sorted() if bool(rows.flagged[one.i]) == flagged]
        return self._shown(chosen, rows)

    def _listed(self, rows: ScoredRows) -> list[Shown]:
        """Return the rows of the sortable table; those of tables with reasons."""
        if not self.of_images:
            return self._shown(self.top.sorted(), rows)
        order = np.argsort(-rows.scores, kind="stable")[:N_LISTED]
        return [rows.shown(int(i)) for i in order]

    def _shown(self, kept: list[Kept], rows: ScoredRows) -> list[Shown]:
        shown = [rows.shown(each.i) for each in kept]
        if not kept:
            return shown
        if self.of_images:
            images = np.concatenate([each.row for each in kept])
            heat = self.detector.explain(images)
            for row, image, own in zip(shown, images, heat, strict=True):
                self._add_pictures(row, image, own)
        else:
            self._add_reasons(shown, [each.row for each in kept])
        return shown

    def _add_pictures(self, shown: Shown, image: NDArray[Any], heat: NDArray[Any]) -> None:
        if self.read_image is not None:
            image = self.read_image(shown.name)
        codec = self.detector.codec_
        pixels = as_bytes(image, codec.low, codec.high)
        shown.image = picture(pixels)
        shown.heat = heat_picture(pixels, heat, self.detector.pixel_threshold_)
        if self.read_mask is not None:
            mask = self.read_mask(shown.name, pixels.shape[:2])
            if mask.any():
                shown.mask = picture((255 * mask).astype(np.uint8))

    def _add_reasons(self, shown: list[Shown], parts: list[Any]) -> None:
        """Add the most unusual columns of each row, their values, and how unusual they are."""
        frames = isinstance(parts[0], pd.DataFrame)
        rows = pd.concat(parts, ignore_index=True) if frames else np.concatenate(parts)
        unusual = self.detector.explain(rows)
        values = rows if frames else pd.DataFrame(rows, columns=unusual.columns)
        for i, row in enumerate(shown):
            highest = unusual.iloc[i].sort_values(ascending=False, kind="stable")[:N_REASONS]
            row.reasons = [
                (str(name), _text(values[name].iloc[i]), float(times))
                for name, times in highest.items()
            ]


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("augan.evaluation.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html.j2")


def _text(value: Any) -> str:
    if pd.isna(value):
        return "missing"
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return str(value).removesuffix(" 00:00:00")  # of a day
