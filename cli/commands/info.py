"""`augan info`: what is in a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._console import plain_errors, print_facts
from .._models import is_onnx
from .._options import Json, Model

INNER = ("training_rows", "usual")  # long entries of the context, which are not shown


def info(
    model: Model,
    json_: Json = False,
) -> None:
    """Show how MODEL was trained, on which data, and how it scores or makes rows."""
    with plain_errors():
        facts = _of_onnx(model) if is_onnx(model) else _of_model(model)
        if json_:
            print(json.dumps(facts, indent=2))
        else:
            print_facts(facts)


def _of_onnx(path: Path) -> dict[str, Any]:
    """Return the metadata of an exported file."""
    from augan.deploy.column_draws import relations_in
    from augan.deploy.raw import ImageForm, form_of
    from augan.deploy.session import read_metadata

    facts = read_metadata(path)
    form = form_of(facts)
    if isinstance(form, ImageForm):
        data: dict[str, Any] = {"image_shape": list(form.shape), "dtype": form.dtype}
    else:
        data = {"columns": {c.name: f"{c.kind} ({c.dtype})" for c in form.columns}}
    names = (
        *("format", "augan", "libraries", "class", "columns", "labels", "image", "chunk", "kind"),
        *("n_features_in", "feature_names_in", "array_dtype", "codes"),
    )
    rest = {name: value for name, value in facts.items() if name not in names}
    rest |= _context(facts["context"])
    if not isinstance(form, ImageForm) and facts.get("codes") is not None:
        sizes = [one["values"] + len(one["members"]) + one["missing"] for one in facts["codes"]]
        rest["codes"] = {"columns": len(sizes), "codes": sum(sizes)}  # the class is one of them
        rest["relations"] = relations_in(facts, form, path).describe()
    made_by = {"augan": facts["augan"], **facts["libraries"]}
    method = {"method": facts["class"], "made_by": made_by, "bytes": path.stat().st_size}
    return {**method, **data, **rest}


def _of_model(path: Path) -> dict[str, Any]:
    from augan.io.archive import read_manifest
    from augan.model_file import load

    estimator = load(path, device="cpu")
    manifest = read_manifest(path)
    codec = estimator.codec_
    if codec.kind == "table":
        data: dict[str, Any] = {
            "columns": {c.name: f"{c.kind} ({c.dtype})" for c in codec.columns},
        }
    else:
        data = {"image_shape": list(codec.shape), "worked_on_at": list(codec.padded)}
    networks = estimator.networks_.modules().items() if estimator.networks_ else ()
    own = _of_sampler if hasattr(estimator, "classes_") else _of_detector
    return {
        "method": type(estimator).__name__,
        "trained": manifest["trained"],
        "made_by": {"augan": manifest["augan"], **manifest["libraries"]},
        "bytes": path.stat().st_size,
        **data,
        **_context(manifest["context"]),
        "parameters": {name: sum(p.numel() for p in m.parameters()) for name, m in networks},
        **own(estimator),
        "training": _training(estimator.history_),
        "settings": manifest["params"],
    }


def _context(context: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored about the data, without the entries that only commands read."""
    shown = {name: value for name, value in context.items() if name not in INNER}
    seen = context.get("training_rows")
    rows = seen.get("rows") if isinstance(seen, dict) else None
    return {"context": shown} | ({} if rows is None else {"training_rows": rows})


def _of_detector(estimator: Any) -> dict[str, Any]:
    """Return the parts of the score, and the threshold."""
    scorer = estimator.scorer_
    calibrated = estimator.scoring == "calibrated"
    return {
        "score": {"kind": estimator.scoring, "parts": list(scorer.part_names)}
        | ({"fusion": scorer.fusion} if calibrated else {})
        | ({"weights": list(scorer.weights)} if calibrated else {}),
        "threshold": estimator.threshold_,
        "calibration_rows": estimator.n_calibration_,
    }


def _of_sampler(estimator: Any) -> dict[str, Any]:
    """Return how new rows of each class are made, and the tuning."""
    return {
        "classes": {
            str(label): {"rows": n, "source": estimator.methods_[label]}
            for label, n in estimator.class_counts_.items()
        },
        "resampled": {str(label): n for label, n in estimator.sampling_strategy_.items()},
        "spread": estimator.spread_,
        "sample_spread": estimator.sample_spread_,
        "relations": estimator.relations_,
        "filters": list(estimator.filters),
        "tuning": [
            {
                "times": str(trial.times),
                "spread": trial.spread,
                "share": trial.share,
                "gain": trial.gain,
                "error": trial.error,
            }
            for trial in estimator.tuning_ or []
        ],
    }


def _training(history: Any) -> dict[str, Any]:
    """Return the last row of each phase, and the events."""
    last = {row["phase"]: row for row in history}
    events = [row["event"] for row in history if "event" in row]
    return {"last": last, "events": events}
