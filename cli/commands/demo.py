"""`augan demo`: training, scoring and sampling on data sets of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .._console import plain_errors, progress, say, set_threads, training_progress
from .._options import Quiet, Seed, Threads

NORMAL_DIGIT = 3
N_SHOWN = 5  # normal images, and abnormal ones, in the picture of reconstructions


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write to.")] = Path(
        "demo-output"
    ),
    seed: Seed = 0,
    quiet: Quiet = False,
    threads: Threads = None,
) -> None:
    """Train and apply detectors on a table and images that come with scikit-learn.

    The table: breast tumours, benign ones are normal. The images: handwritten digits, threes are
    normal. Half of the normal rows are trained on; all others are scored.
    """
    with plain_errors():
        set_threads(threads, small_batches=True)
        out.mkdir(parents=True, exist_ok=True)
        rows = [_table_demo(out, seed, quiet), _image_demo(out, seed, quiet)]
        _print_figures(rows)
        say(f"wrote scores, samples, models and pictures to {out}", quiet=quiet)


def _table_demo(out: Path, seed: int, quiet: bool) -> dict[str, Any]:
    from sklearn.datasets import load_breast_cancer

    frame, target = load_breast_cancer(return_X_y=True, as_frame=True)
    anomaly = (target == 0).to_numpy()  # malignant
    detector, figures, test = _detect(
        "breast tumours", frame, anomaly, out / "tumours", seed, quiet
    )
    _write_table(test, out / "tumours-scores.csv")
    _write_table(detector.sample(200, random_state=seed), out / "tumours-samples.csv")
    return figures


def _image_demo(out: Path, seed: int, quiet: bool) -> dict[str, Any]:
    import numpy as np
    from sklearn.datasets import load_digits

    from augan._files import atomic_path
    from augan.pictures import save_grid, save_reconstructions

    digits = load_digits()
    anomaly = digits.target != NORMAL_DIGIT
    name = f"digits, {NORMAL_DIGIT} as normal"
    detector, figures, test = _detect(name, digits.images, anomaly, out / "digits", seed, quiet)
    test["digit"] = digits.target[test["row"]]
    _write_table(test, out / "digits-scores.csv")
    shown = np.concatenate(
        [test["row"][test["anomaly"] == is_anomaly][:N_SHOWN] for is_anomaly in (False, True)]
    )
    images = digits.images[shown]
    labels = [
        f"{digits.target[row]}: {score:.1f}"
        for row, score in zip(shown, detector.anomaly_score(images), strict=True)
    ]
    save_reconstructions(
        images,
        detector.reconstruct(images),
        detector.explain(images),
        out / "digits-reconstructions.png",
        labels=labels,
    )
    samples = detector.sample(40, random_state=seed)
    save_grid(samples, out / "digits-samples.png", title="generated")
    with atomic_path(out / "digits-samples.npy") as temporary, temporary.open("wb") as file:
        np.save(file, samples)
    return figures


def _write_table(frame: Any, path: Path) -> None:
    from augan.io.results import open_results

    with open_results(path) as write:
        write(frame)


def _detect(
    name: str, X: Any, anomaly: Any, out: Path, seed: int, quiet: bool
) -> tuple[Any, dict[str, Any], Any]:
    """Train on half of the normal rows, score the rest; return detector, figures and scores."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import average_precision_score, roc_auc_score

    from augan import FAnoGAN
    from augan.pictures import save_curves

    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~anomaly))
    train = np.sort(normal[: len(normal) // 2])
    rows = np.setdiff1d(np.arange(len(anomaly)), train)
    take = X.iloc if isinstance(X, pd.DataFrame) else X
    with progress(quiet) as display:
        say(f"{name}: training on {len(train)} normal rows", quiet=quiet)
        callbacks = [training_progress(display)]
        detector = FAnoGAN(generator=True, random_state=seed, callbacks=callbacks)
        detector.fit(take[train])
    scores = detector.anomaly_score(take[rows])
    test = pd.DataFrame(
        {
            "row": rows,
            "anomaly": anomaly[rows],
            "anomaly_score": scores,
            "p_value": detector.p_value_of(scores),
            "is_anomaly": scores > detector.threshold_,
        }
    )
    detector.save(out.with_suffix(".augan"))
    save_curves(detector.history_, out.with_name(f"{out.name}-curves.png"), title=name)
    figures = {
        "data": name,
        "trained on": len(train),
        "scored": len(rows),
        "AUROC": roc_auc_score(anomaly[rows], scores),
        "AP": average_precision_score(anomaly[rows], scores),
        "seconds": detector.history_[-1]["seconds"],
    }
    return detector, figures, test


def _print_figures(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from .._terminal import PlainConsole

    table = Table()
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "data" else "right")
    for row in rows:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    PlainConsole().print(table)
