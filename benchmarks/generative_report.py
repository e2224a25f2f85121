"""Results of the benchmark of generated images as Markdown."""

from __future__ import annotations

from formatting import markdown_table
from results import Result

from augan.training.loop import SNAPSHOT_EVERY

STEPS = 800  # of the model from scratch, and of those with a switch; the default for images
COLUMNS = {
    "quality": ("fid", "kid", "precision", "recall", "coverage", "classes_of_1000", "steps"),
    "switches": ("fid", "kid", "precision", "recall", "coverage", "fit_seconds"),
    "classes": ("agreement", "accuracy_of_made", "steps"),
    "filling": ("augan", "mean_around", "smoothest", "five_nearest"),
    "transfer": (
        "kid_from_scratch",
        "steps",
        "kid_fine_tuned",
        "steps_fine_tuned",
        "as_good_after",
    ),
}


def report(results: list[Result]) -> str:
    """Return a table for each kind of figure, with the figures of real images below if known."""
    blocks = []
    kinds = [(line["what"], line["minutes"], line["threads"]) for line in results]
    for kind in dict.fromkeys(kinds):
        what, minutes, n_threads = kind
        own = [line for line, its in zip(results, kinds, strict=True) if its == kind]
        lines = [line for line in own if "error" not in line]
        if what == "transfer":
            lines = [line | _adapted(line) for line in lines]
        names = COLUMNS[what]
        rows = [[line["variant"], *_cells(line, names)] for line in lines]
        if "fid" in names:
            real = {name: lines[0].get(f"real_{name}") for name in names}
            rows.append(["held-out images", *_cells(real, names)])
        given = "" if what == "switches" else f", {minutes:g} minutes each, threads: {n_threads}"
        header = [what + given, *names]
        blocks.append(markdown_table([name.replace("_", " ") for name in header], rows))
    return "\n\n".join(blocks)


def _cells(line: Result, names: tuple[str, ...]) -> list[str]:
    values = (line[name] for name in names)
    return ["" if v is None else f"{v:,}" if isinstance(v, int) else f"{v:.2f}" for v in values]


def _adapted(line: Result) -> Result:
    """Return final distances and steps, and when training from scratch is as good."""
    scratch, tuned = line["kid_scratch"], line["kid_fine_tuned"]
    as_good = next((i for i, distance in enumerate(scratch, 1) if distance <= tuned[-1]), None)
    return {
        "kid_from_scratch": scratch[-1],
        "steps": STEPS,
        "kid_fine_tuned": tuned[-1],
        "steps_fine_tuned": STEPS // 3,
        "as_good_after": as_good and as_good * SNAPSHOT_EVERY,
    }
