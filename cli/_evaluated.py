"""The labelled rows of `augan evaluate`, and the scores that a model gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._batches import Batch, model_batches
from ._console import data_errors
from ._models import model_context
from ._pixels import Pixels, open_pixels
from ._reading import as_trained
from ._report import MAX_KINDS
from ._scoring import scored_batches
from ._thresholds import AskedThreshold
from .labels import Labelled, read_anomalies


@dataclass(frozen=True)
class GivenLabels:
    """Options of the labels: their column, which are anomalies, folder of masks."""

    target: str | None
    anomaly: str | None
    normal: str | None
    masks: Path | None

    @classmethod
    def of(
        cls,
        data: Path,
        target: str | None,
        anomaly: str | None,
        normal: str | None,
        masks: Path | None,
    ) -> GivenLabels:
        """Return the options; in MVTec's layout the folder "good" holds the normal images."""
        from augan.io.image_files import is_mvtec
        from augan.io.image_folder import LABELS

        if is_mvtec(data):
            if target in (None, LABELS) and anomaly is None and normal is None:
                normal = "good"
            target = target or LABELS
        return cls(target, anomaly, normal, masks)


@dataclass
class EvaluatedRows:
    """The labelled rows, and their scores, which are collected batch by batch."""

    estimator: Any
    data: Path
    options: Any
    known: Labelled
    batches: Any
    pixels: Pixels | None
    page: Any = None
    scores: list[Any] = field(default_factory=list)
    p_values: list[Any] = field(default_factory=list)
    places: list[Any] = field(default_factory=list)
    hashes: list[Any] = field(default_factory=list)

    def score(self, *, quiet: bool) -> None:
        """Score all rows; warn of those that the model was trained on."""
        import numpy as np

        from augan.codecs.seen_rows import warn_of_seen
        from augan.exceptions import DataError

        for batch, found in scored_batches(self.estimator, self.batches, self.data, quiet=quiet):
            self._add(batch, found)
        if not self.places:
            raise DataError(f"{self.data}: none of {len(self.known.labels)} images can be read")
        seen = getattr(self.estimator, "training_rows_", None)
        warn_of_seen(seen, np.concatenate(self.hashes), str(self.data))

    def _add(self, batch: Batch, found: Any) -> None:
        from augan.codecs.seen_rows import hashes_of

        names, rows = batch.names, batch.rows
        where = self.known.places(names)
        is_anomaly = self.known.is_anomaly[where]
        self.scores.append(found.anomaly_score)
        self.p_values.append(found.p_value)
        self.places.append(where)
        self.hashes.append(hashes_of(self.estimator.codec_, rows)[~is_anomaly])
        if self.pixels is not None:
            self.pixels.add(self.estimator, names, rows, is_anomaly)
        if self.page is not None:
            self.page.add(names, rows, found, is_anomaly, self.known.labels[where])

    def scored(self) -> Labelled:
        """Return the labels of the rows that have been scored, in their order."""
        import numpy as np

        return self.known.only(np.concatenate(self.places))

    def fit_threshold(self, asked: AskedThreshold) -> Any:
        """Return the threshold that suits the labels best."""
        import numpy as np

        with data_errors(self.data):
            return asked.fit(self.scored().is_anomaly, np.concatenate(self.scores))

    def report(self, limit: float, n_bootstrap: int, seed: int) -> Any:
        """Return the figures of all rows."""
        import numpy as np

        from augan.evaluation import detection_metrics
        from augan.evaluation.detection import n_held_out

        scored = self.scored()
        with data_errors(self.data):
            return detection_metrics(
                scored.is_anomaly,
                np.concatenate(self.scores),
                threshold=limit,
                p_values=np.concatenate(self.p_values),
                kinds=scored.kinds(MAX_KINDS),
                n_calibration=n_held_out(self.estimator),
                n_bootstrap=n_bootstrap,
                random_state=seed,
            )

    def pixel_report(self) -> Any:
        """Return the figures of the pixels, None where there are no masks."""
        return None if self.pixels is None else self.pixels.report(self.scored().kinds(MAX_KINDS))


def open_rows(
    estimator: Any, model: Path, data: Path, options: Any, given: GivenLabels, *, skip_bad: bool
) -> EvaluatedRows:
    """Return the labelled rows of a file, to be scored."""
    target = _target(estimator, model, given.target)
    options = as_trained(options, model_context(estimator, model), model, estimator)
    known = read_anomalies(
        *(data, options, target),
        anomaly=given.anomaly,
        normal=given.normal,
        masks=given.masks,
        usual="table" if estimator.codec_.kind == "table" else "images",
    )
    how: Any = {"target": target, "skip_bad": skip_bad, "masks": given.masks}
    batches = known.labelled(model_batches(estimator, model, data, options, **how))
    pixels = open_pixels(data, known, given.masks, options, skip_bad=skip_bad)
    return EvaluatedRows(estimator, data, options, known, batches, pixels)


def _target(estimator: Any, model: Path, target: str | None) -> str:
    """Return the column with the labels, which must not be a feature of the model."""
    from augan.exceptions import ParameterError

    name = target or model_context(estimator, model).get("target")
    if name is None:
        raise ParameterError(
            f"--target: name the column with the labels; {model} does not store one"
        )
    codec = estimator.codec_
    if codec.kind == "table" and name in [column.name for column in codec.columns]:
        raise ParameterError(f"--target {name}: {model} was trained on this column")
    return str(name)


def open_page(rows: EvaluatedRows) -> Any:
    """Return the page of the report, to which each batch is added."""
    from augan.evaluation.report.page import EvaluationPage

    def read_image(name: str) -> Any:
        from augan.io.decoding import read_form, read_image
        from augan.io.image_files import image_root
        from augan.io.image_options import image_options

        file, how = image_root(rows.data) / name, image_options(rows.options)
        return read_image(file, read_form(file, how), how)

    return EvaluationPage(
        rows.estimator,
        read_image=None if rows.known.names is None else read_image,
        read_mask=None if rows.pixels is None else rows.pixels.mask,
    )
