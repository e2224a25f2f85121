"""`augan score`: a score, a p-value and a decision for every row of a file."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._batches import Batch, Keep
from .._console import plain_errors, say, set_threads
from .._explaining import explained, score_columns
from .._given import given_data
from .._heat import HeatOutputs, open_heat
from .._models import load_scorer, model_context
from .._options import (
    MAX_COUNT,
    OUTPUT,
    Fpr,
    Model,
    ModelDevice,
    Quiet,
    SkipBad,
    Threads,
    Threshold,
    at_most,
)
from .._outputs import check_output
from .._reading import as_trained, reading_options
from .._scoring import flag_limit, scored_batches

Data = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA",
        help="CSV, JSON Lines, Parquet, .npy, .npz, a folder, - (stdin); images, 'new/*.png'.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File (.csv, .parquet, .jsonl); default: standard output."),
]
Top = Annotated[
    int | None,
    typer.Option(
        min=1,
        callback=at_most(MAX_COUNT),
        metavar="N",
        help="Only the N rows with the highest scores, sorted.",
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Also write which columns make a row unusual, and why.")
]
Heatmaps = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="New folder for images with heatmaps, and masks of the defects.",
        rich_help_panel=OUTPUT,
    ),
]
RawHeat = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="New folder for the heat of each image, in numbers.",
        rich_help_panel=OUTPUT,
    ),
]
RawHeatFormat = Annotated[
    Literal["npy", "tiff"] | None,
    typer.Option(
        metavar="FORMAT",
        help="npy (float32, default) or tiff (16 bits).",
        rich_help_panel=OUTPUT,
    ),
]
PixelFpr = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of the pixels of good images that may be in regions, 0 to 1.",
        rich_help_panel=OUTPUT,
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Option(
        "--id",
        metavar="COLS",
        help="Columns that identify a row (a,b); default: those of augan fit --id.",
        rich_help_panel=OUTPUT,
    ),
]
Kept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLS",
        help="Columns (a,b) to copy beside the scores; repeatable.",
        rich_help_panel=OUTPUT,
    ),
]
JsonLines = Annotated[
    bool,
    typer.Option(
        "--json", help="JSON Lines instead of CSV on standard output.", rich_help_panel=OUTPUT
    ),
]


@reading_options
def score(
    model: Model,
    data: Data,
    out: Out = None,
    fpr: Fpr = None,
    threshold: Threshold = None,
    top: Top = None,
    explain: Explain = False,
    quiet: Quiet = False,
    id_: Ids = None,
    keep: Kept = None,
    heatmaps: Heatmaps = None,
    raw_heat: RawHeat = None,
    raw_heat_format: RawHeatFormat = None,
    pixel_fpr: PixelFpr = None,
    json_lines: JsonLines = False,
    device: ModelDevice = None,
    threads: Threads = None,
    skip_bad: SkipBad = False,
    options: Any = None,
) -> None:
    """Score every row of DATA with MODEL.

    The result has the columns row (of image files: path), anomaly_score (higher: more abnormal),
    p_value (share of held-out normal rows with a score at least as high) and is_anomaly; for images
    also n_regions, and region_box (x,y,w,h) and region_area (share of the image) of the largest.
    --explain adds the three most unusual columns of each row, with their values and the usual ones.
    """
    with plain_errors():
        from augan.io.results import open_results

        if out is not None:
            _check_out(out, model, data)
        set_threads(threads, model=model)
        estimator = load_scorer(model, device, threads)
        limit = flag_limit(estimator, fpr, threshold)
        outputs = HeatOutputs(heatmaps, raw_heat, raw_heat_format, pixel_fpr)
        outputs.check(model, estimator, data)
        context = model_context(estimator, model)
        options = as_trained(options, context, model, estimator)
        kept = Keep(id_ or [], keep or [], score_columns(), uses_stored=True)
        given = given_data(data, estimator, model, skip_bad=skip_bad)
        batches = given.batches(estimator, model, options, skip_bad=skip_bad, keep=kept)
        results = _Results(estimator, given.label, limit, _reasons(estimator, context), explain)
        with (
            open_heat(estimator, given.files(options), outputs) as results.heat,
            open_results(out, json_lines=json_lines, neutral=True) as write,
        ):
            for table in results.tables(batches, top, quiet=quiet):
                write(table)
        say(results.summary(out, *outputs.folders.values()), quiet=quiet)


@dataclass
class _Results:
    """Makes a table of each batch of rows, and counts the rows and the anomalies."""

    estimator: Any
    data: str
    limit: float
    reasons: Any
    explain: bool
    heat: Any = None
    n_rows: int = 0
    n_flagged: int = 0

    def tables(self, batches: Iterator[Batch], top: int | None, *, quiet: bool) -> Iterator[Any]:
        """Yield the table of each batch; with `top`, one table of the highest scores."""
        tables = self._of_batches(batches, quiet=quiet)
        return _highest(tables, top) if top else tables

    def summary(self, *written: Path | None) -> str:
        """Return how many rows are anomalies, and which files have been written."""
        where = "".join(f"; wrote {path}" for path in written if path)
        return f"{self.n_flagged} of {self.n_rows} rows are anomalies{where}"

    def _of_batches(self, batches: Iterator[Batch], *, quiet: bool) -> Iterator[Any]:
        how = {"quiet": quiet, "explain": self.explain or self.heat.is_needed}
        for batch, found in scored_batches(self.estimator, batches, self.data, **how):
            table = self._table(batch, found)
            self.n_rows += len(table)
            self.n_flagged += int(table["is_anomaly"].sum())
            yield table

    def _table(self, batch: Batch, found: Any) -> Any:
        import pandas as pd

        from augan.io.walking import readable

        names, scores = batch.names, found.anomaly_score
        is_path = names.name == "path"
        columns = {names.name: names.map(readable) if is_path else names.to_numpy()}
        if batch.kept is not None:
            columns |= {name: batch.kept[name].to_numpy() for name in batch.kept}
        columns |= {"anomaly_score": scores, "p_value": found.p_value}
        columns["is_anomaly"] = scores > self.limit
        columns |= self.heat.columns(batch, found.explanation, columns["is_anomaly"])
        if self.explain:
            columns |= explained(found.explanation, batch.rows, self.reasons, found.surprise)
        return pd.DataFrame(columns)


def _check_out(out: Path, model: Path, data: list[Path]) -> None:
    """Raise for an output that cannot be written, now rather than after the scoring."""
    from augan.io.results import result_format

    result_format(out)
    check_output(out, "--out", model, *data)


def _reasons(estimator: Any, context: dict[str, Any]) -> Any:
    """Return the usual values of a table's columns; None for images."""
    from augan.codecs.usual import Reasons

    codec = estimator.codec_
    return Reasons(codec.columns, context.get("usual")) if codec.kind == "table" else None


def _highest(results: Iterator[Any], n: int) -> Iterator[Any]:
    """Yield one table with the `n` highest scores of all, highest first."""
    import pandas as pd

    heap: list[tuple[float, int, tuple[Any, ...]]] = []
    columns: list[str] = []
    seen = 0
    for result in results:
        columns = list(result.columns)
        for record in result.nlargest(n, "anomaly_score").itertuples(index=False):
            seen += 1
            entry = (record.anomaly_score, -seen, tuple(record))
            (heapq.heappush if len(heap) < n else heapq.heappushpop)(heap, entry)
    if heap:
        yield pd.DataFrame([record for *_, record in sorted(heap)[::-1]], columns=columns)
