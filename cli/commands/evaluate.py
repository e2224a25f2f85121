"""`augan evaluate`: how well a detector finds the anomalies of labelled data."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from .._batches import Batch, model_batches
from .._console import data_errors, plain_errors, set_threads
from .._models import load_detector, model_context
from .._options import (
    READING,
    Data,
    Fpr,
    Json,
    Labels,
    Model,
    ModelDevice,
    Quiet,
    Seed,
    SkipBad,
    Threads,
    Threshold,
    at_most,
)
from .._outputs import check_output
from .._pixels import Pixels, open_pixels
from .._reading import as_trained, reading_options
from .._report import MAX_KINDS, print_pixels, print_report
from .._scoring import flag_limit, scored_batches
from ..labels import Labelled, read_anomalies

Anomaly = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Label of the anomalies; all other rows are normal."),
]
Normal = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Or label of the normal rows; all others are anomalies."),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Masks of the defects; default: MVTec's ground_truth.",
        rich_help_panel=READING,
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Also write a page (.html) with charts and the worst errors.",
    ),
]
Bootstrap = Annotated[
    int,
    typer.Option(
        min=0,
        callback=at_most(100_000),
        metavar="N",
        help="Resamples for the intervals; 0: no intervals.",
    ),
]


@reading_options
def evaluate(
    model: Model,
    data: Data,
    target: Labels = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    fpr: Fpr = None,
    threshold: Threshold = None,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    page: Page = None,
    json_: Json = False,
    quiet: Quiet = False,
    device: ModelDevice = None,
    threads: Threads = None,
    masks: Masks = None,
    skip_bad: SkipBad = False,
    options: Any = None,
) -> None:
    """Measure how well MODEL finds the anomalies of DATA, which has labels.

    Each figure has a 95 % bootstrap interval. DATA should not contain the rows that MODEL was
    trained on: their scores are lower than those of new normal rows.
    """
    with plain_errors():
        if page is not None:
            _check_page(page, model, data)
        set_threads(threads, model=model)
        estimator = load_detector(model, device, threads)
        limit = _finite(flag_limit(estimator, fpr, threshold))
        given = _GivenLabels.of(data, target, anomaly, normal, masks)
        rows = _open_rows(estimator, model, data, options, given, skip_bad=skip_bad)
        if page is not None:
            rows.page = _open_page(rows, limit)
        rows.score(quiet=quiet)
        report = rows.report(limit, bootstrap, seed)
        of_pixels = rows.pixel_report()
        if page is not None:
            rows.page.write(page, report, of_pixels, model=model.name, data=data.name)
        _print(report, of_pixels, as_json=json_)


@dataclass(frozen=True)
class _GivenLabels:
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
    ) -> _GivenLabels:
        """Return the options; in MVTec's layout the folder "good" holds the normal images."""
        from augan.io.image_files import is_mvtec
        from augan.io.image_folder import LABELS

        if is_mvtec(data):
            if target in (None, LABELS) and anomaly is None and normal is None:
                normal = "good"
            target = target or LABELS
        return cls(target, anomaly, normal, masks)


@dataclass
class _Rows:
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


def _open_rows(
    estimator: Any, model: Path, data: Path, options: Any, given: _GivenLabels, *, skip_bad: bool
) -> _Rows:
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
    return _Rows(estimator, data, options, known, batches, pixels)


def _finite(limit: float) -> float:
    from augan.exceptions import ParameterError

    if not math.isfinite(limit):
        raise ParameterError(f"--threshold {limit}: must be finite")
    return limit


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


def _open_page(rows: _Rows, limit: float) -> Any:
    """Return the page of the report, to which each batch is added."""
    from augan.evaluation.report.page import EvaluationPage

    def read_image(name: str) -> Any:
        from augan.io.decoding import read_form, read_image
        from augan.io.image_files import image_root
        from augan.io.image_options import image_options

        file, how = image_root(rows.data) / name, image_options(rows.options)
        return read_image(file, read_form(file, how), how)

    return EvaluationPage(
        *(rows.estimator, limit),
        read_image=None if rows.known.names is None else read_image,
        read_mask=None if rows.pixels is None else rows.pixels.mask,
    )


def _print(report: Any, of_pixels: Any, *, as_json: bool) -> None:
    if as_json:
        figures = report.to_dict()
        if of_pixels is not None:
            figures["pixels"] = of_pixels.to_dict()
        print(json.dumps(figures, indent=2, allow_nan=False))
        return
    print_report(report)
    if of_pixels is not None:
        print_pixels(of_pixels)


def _check_page(page: Path, *inputs: Path) -> None:
    """Raise for a page that cannot be written, now rather than after the scoring."""
    from augan.exceptions import ParameterError

    if page.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"--report {page}: the name of the page must end in .html")
    check_output(page, "--report", *inputs)
