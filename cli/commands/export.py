"""`augan export`: a model as an ONNX file, which runs without torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._console import plain_errors, say, set_threads
from .._options import Quiet, Threads
from .._outputs import check_output
from .._reading import as_trained, reading_options

MOST_ROWS = 4096  # of --data, that the export is tested with


Source = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file written by augan fit.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="File to write (.onnx).")]
Part = Annotated[
    Literal["scorer", "generator", "encoder"] | None,
    typer.Option(
        metavar="NAME",
        help="scorer (rows to scores), generator (to new rows) or encoder (rows to latents); "
        "by default the scorer, of samplers the generator.",
    ),
]
Precision = Annotated[
    Literal["fp32", "fp16", "int8"],
    typer.Option(metavar="TYPE", help="Networks: fp32, fp16 or int8 (need --data)."),
]
Bank = Annotated[
    Literal["fp32", "fp16", "pq"],
    typer.Option(
        metavar="TYPE",
        help="Stored rows: fp32, fp16 or pq (need --data).",
    ),
]
Trial = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Normal rows, not trained on, to test the export with.",
    ),
]
Card = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the model card (.md).")]
Triton = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Also write a model repository for Triton (new folder)."),
]


@reading_options
def export(
    model: Source,
    out: Out,
    part: Part = None,
    precision: Precision = "fp32",
    bank: Bank = "fp32",
    data: Trial = None,
    card: Card = None,
    triton: Triton = None,
    quiet: Quiet = False,
    threads: Threads = None,
    options: Any = None,
) -> None:
    """Write MODEL as an ONNX file: raw columns or pixels in, scores and decisions out.

    Of samplers: random numbers in, new rows out.

    The file is kept only if its results equal those of MODEL, on generated rows and on --data.
    """
    with plain_errors():
        from augan.deploy.runtime import onnx_runtime
        from augan.io.archive import read_manifest
        from augan.model_file import load

        _check_outputs(model, data, out, card, triton)
        onnx_runtime()  # raises now if it is not installed
        set_threads(threads)
        estimator = load(model, device="cpu")
        rows = None if data is None else _rows(estimator, model, data, options)
        from augan.deploy.triton import write_repository

        report = estimator.export_onnx(
            out,
            part=part or ("scorer" if hasattr(estimator, "anomaly_score") else "generator"),
            precision=precision,
            bank=bank,
            X=rows,
            context=read_manifest(model)["context"],
        )
        if card is not None:
            _write_card(out, card)
        if triton is not None:
            write_repository(out, triton)
        where = "".join(f"; wrote {path}" for path in (card, triton) if path)
        say(f"wrote {report}{where}", quiet=quiet)


def _check_outputs(
    model: Path, data: Path | None, out: Path, card: Path | None, triton: Path | None
) -> None:
    """Raise for outputs that cannot be written, now rather than after the export."""
    from augan._files import is_stream
    from augan.exceptions import ParameterError
    from augan.io.images import check_image_folder

    if out.suffix.lower() != ".onnx":
        raise ParameterError(f"{out}: the name of an export must end in .onnx")
    check_output(out, "OUT", model, data)
    if card is not None:
        check_output(card, "--card", model, data)
        if os.path.realpath(card) == os.path.realpath(out):
            raise ParameterError(f"--card {card}: is the file of the export")
    if is_stream(out) and (card is not None or triton is not None):
        raise ParameterError(f"{out}: is not a file; --card and --triton need one")
    if triton is not None:
        check_image_folder(triton)


def _rows(estimator: Any, model: Path, data: Path, options: Any) -> Any:
    """Return the first rows of a file, in the form that the model takes."""
    import numpy as np
    import pandas as pd

    from augan.exceptions import ModelFileError

    from .._batches import model_batches
    from .._models import model_context

    if not hasattr(estimator, "anomaly_score"):
        raise ModelFileError(f"{model}: a {type(estimator).__name__}; --data needs a detector")
    options = as_trained(options, model_context(estimator, model), model, estimator)
    parts, n = [], 0
    for batch in model_batches(estimator, model, data, options):
        parts.append(batch.rows)
        n += len(batch.rows)
        if n >= MOST_ROWS:
            break
    frames = isinstance(parts[0], pd.DataFrame)
    joined = pd.concat(parts, ignore_index=True) if frames else np.concatenate(parts)
    return joined[:MOST_ROWS]


def _write_card(model: Path, card: Path) -> None:
    import onnx

    from augan._files import atomic_path

    with atomic_path(card) as temporary:
        temporary.write_text(onnx.load(model).doc_string, encoding="utf-8")
