"""`augan score`: a score, a p-value and a verdict for every row of a file."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .._batches import Keep, model_batches
from .._console import (
    MAX_COUNT,
    Data,
    Quiet,
    SkipBad,
    Threads,
    plain_errors,
    say,
    set_threads,
)
from .._explaining import explained, score_columns
from .._models import load_detector, model_context
from .._outputs import check_apart, check_output
from .._reading import as_trained, reading_options
from .._scoring import Fpr, Threshold, flag_limit, scored_batches


@reading_options
def score(
    model: Annotated[Path, typer.Argument(help="Model file written by augan fit or augan export.")],
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .parquet or .jsonl; else stdout.")
    ] = None,
    fpr: Fpr = None,
    threshold: Threshold = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_COUNT, help="Only the rows with the highest scores, sorted."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what makes a row unusual, and what is usual.")
    ] = False,
    heatmaps: Annotated[
        Path | None,
        typer.Option(help="New folder for images with their heat, and masks of the defects."),
    ] = None,
    id_: Annotated[
        list[str] | None,
        typer.Option("--id", help="Columns (a,b) that name a row, if not those of augan fit --id."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Columns (a,b) to write beside the scores as they stand; repeatable."),
    ] = None,
    skip_bad: SkipBad = False,
    json_lines: Annotated[
        bool, typer.Option("--json", help="JSON lines instead of CSV on stdout.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda …; the model's own if not set.")
    ] = None,
    threads: Threads = None,
    options: Any = None,
    quiet: Quiet = False,
) -> None:
    """Score every row of DATA with MODEL.

    Columns of the result: row (counted from 0 over the whole table; path for images of a folder),
    those of --id and --keep, anomaly_score (higher = more abnormal), p_value (share of normal rows
    with a score as high), is_anomaly. With --explain also explanation and, of the three columns
    that make a row most unusual, column_1, value_1, usual_1 (the range of 90 % of the training
    rows, or frequent values), direction_1 (above, below, inside, unseen, rare, missing), and so on.
    """
    with plain_errors():
        from augan.io.results import open_results

        if out is not None:
            _check_out(out, model, data)
        set_threads(threads, model=model)
        estimator = load_detector(model, device, threads)
        limit = flag_limit(estimator, fpr, threshold)
        if heatmaps is not None:
            _check_heatmaps(heatmaps, model, estimator, data)
        context = model_context(estimator, model)
        options = as_trained(options, context, model, estimator)
        wanted = Keep(id_ or [], keep or [], score_columns(), uses_stored=True)
        batches = model_batches(*(estimator, model, data, options), skip_bad=skip_bad, keep=wanted)
        reasons = _reasons(estimator, context) if explain else None
        tally = _Tally()
        with (
            _heatmap_folder(heatmaps, estimator) as write_heat,
            open_results(out, json_lines=json_lines, neutral=True) as write,
        ):
            results = _results(
                *(estimator, batches, data, options),
                limit=limit,
                reasons=reasons,
                explain=explain,
                quiet=quiet,
                write_heat=write_heat,
            )
            counted = tally.count(results)
            for result in _highest(counted, top) if top else counted:
                write(result)
        where = "".join(f"; wrote {path}" for path in (out, heatmaps) if path)
        say(f"{tally.n_flagged} of {tally.n_rows} rows are anomalies{where}", quiet=quiet)


@dataclass
class _Tally:
    """Counts all rows that were scored, whichever of them are shown."""

    n_rows: int = 0
    n_flagged: int = 0

    def count(self, results: Iterator[Any]) -> Iterator[Any]:
        for result in results:
            self.n_rows += len(result)
            self.n_flagged += int(result["is_anomaly"].sum())
            yield result


def _check_out(out: Path, model: Path, data: Path) -> None:
    """Fail now rather than after the scoring."""
    from augan.io.results import result_format

    result_format(out)
    check_output(out, "--out", model, data)


def _check_heatmaps(folder: Path, model: Path, estimator: Any, data: Path) -> None:
    """Fail now rather than after the scoring."""
    from augan.exceptions import ParameterError
    from augan.io.images import check_image_folder

    if estimator.codec_.kind != "image":
        raise ParameterError(f"--heatmaps {folder}: {model} was trained on a table")
    check_image_folder(folder)
    check_apart(folder, "--heatmaps", data)


def _heatmap_folder(folder: Path | None, estimator: Any) -> Any:
    """Return what gives a function that writes a heatmap, or None."""
    if folder is None:
        return contextlib.nullcontext()
    from augan.io.heatmaps import open_heatmap_folder

    codec = estimator.codec_
    limit = estimator.pixel_threshold_
    return open_heatmap_folder(folder, limit=limit, low=codec.low, high=codec.high)


def _write_heatmaps(
    write: Any, heat: Any, path: Path, options: Any, names: Any, images: Any, flagged: Any
) -> None:
    """Write the heatmaps of a batch; images of a folder are read again, at their own size."""
    from augan.io.decoding import read_form, read_image
    from augan.io.image_files import image_root
    from augan.io.image_options import image_options

    how = image_options(options)
    for i, name in enumerate(names):
        image = images[i]
        if names.name == "path":
            file = image_root(path) / name
            image = read_image(file, read_form(file, how), how)
        write(str(name), image, heat[i], bool(flagged[i]))


def _results(
    estimator: Any,
    batches: Iterator[Any],
    path: Path,
    options: Any,
    *,
    limit: float,
    explain: bool,
    reasons: Any,
    quiet: bool,
    write_heat: Any = None,
) -> Iterator[Any]:
    """Give the result table of each batch."""
    import pandas as pd

    from augan.io.walking import readable

    wanted = explain or write_heat is not None
    for batch, found in scored_batches(estimator, batches, path, quiet=quiet, explain=wanted):
        scores = found.anomaly_score
        names = batch.names
        is_path = names.name == "path"
        columns = {names.name: names.map(readable) if is_path else names.to_numpy()}
        if batch.kept is not None:
            columns |= {name: batch.kept[name].to_numpy() for name in batch.kept}
        columns |= {"anomaly_score": scores, "p_value": found.p_value}
        columns["is_anomaly"] = scores > limit
        if write_heat is not None:
            images = (options, names, batch.rows, columns["is_anomaly"])
            _write_heatmaps(write_heat, found.explanation, path, *images)
        if explain:
            columns |= explained(found.explanation, batch.rows, reasons)
        yield pd.DataFrame(columns)


def _reasons(estimator: Any, context: dict[str, Any]) -> Any:
    """Return what says of the cells of a table what would be usual; None for images."""
    from augan.codecs.usual import Reasons

    codec = estimator.codec_
    return Reasons(codec.columns, context.get("usual")) if codec.kind == "table" else None


def _highest(results: Iterator[Any], n: int) -> Iterator[Any]:
    """Give one table with the `n` highest scores of all, highest first."""
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
