"""A diagnosis of a GAN's training in words: mode collapse, divergence, vanishing gradients."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

Row = dict[str, Any]

HEALTHY = "healthy"
STARTING = "starting"
START = 0.1  # share of the phase in which the diagnosis is "starting"
N_AVERAGED = 5  # last reports, whose figures are averaged
MANY_DUPLICATES = 0.3  # share of near-duplicates: mode collapse
LOW_COVERAGE = 0.1
STRONG_CRITIC, WEAK_CRITIC = 0.99, 0.55  # accuracies of the critic
COVERAGE_DROP = 0.5  # coverage relative to its best value so far: losing modes
MIN_BEST_COVERAGE = 0.2  # for a diagnosis of "losing modes"
MAX_GROWTH = 5.0  # norm of the weights relative to its first value: diverging
NO_GRADIENT = 1e-7  # norm of the generator's gradient
NO_SPREAD = 1e-3  # spread of generated rows relative to real rows: all are equal


def health(rows: Sequence[Row]) -> str:
    """Return a diagnosis of the GAN's training from the reports so far.

    Parameters
    ----------
    rows : sequence of dict
        Reports of the phase "gan"; the last one has measures on held-out rows.

    Returns
    -------
    words : str
        "healthy", "starting", or the problem.
    """
    last, recent = rows[-1], [row for row in rows if "critic_loss" in row][-N_AVERAGED:]
    since = next((i for i, row in enumerate(reversed(rows[:-1])) if "coverage" in row), len(rows))
    events = [row["event"] for row in rows[len(rows) - 1 - since :] if "event" in row]
    diverged = [event for event in events if "diverged" in event]
    if diverged:
        return diverged[-1].removeprefix("the gan ")
    if last["done"] < START:
        return STARTING
    for network in ("critic", "generator"):
        growth = last[f"{network}_weight_growth"]
        if growth > MAX_GROWTH:
            return (
                f"diverging: the {network}'s weights have grown {growth:.0f} times; "
                "try a lower learning rate"
            )
    if max(row["generator_gradient_norm"] for row in recent) < NO_GRADIENT:
        return "dead generator: no gradient, or almost none"
    if last["spread"] < NO_SPREAD:
        return "dead generator: all generated rows are equal"
    alike = last["near_duplicates"]
    if alike >= MANY_DUPLICATES:
        return f"mode collapse: {alike:.0%} of the generated rows are near-duplicates"
    accuracy = fmean(
        (row["critic_accuracy_real"] + row["critic_accuracy_fake"]) / 2 for row in recent
    )
    best = max(row["coverage"] for row in rows if "coverage" in row)
    if last["coverage"] < LOW_COVERAGE and accuracy >= STRONG_CRITIC:
        return "critic too strong: it recognises all generated rows"
    if last["coverage"] < LOW_COVERAGE and accuracy <= WEAK_CRITIC:
        return "critic too weak: it cannot tell real and generated rows apart"
    if best >= MIN_BEST_COVERAGE and last["coverage"] < COVERAGE_DROP * best:
        return f"losing modes: coverage fell from {best:.0%} to {last['coverage']:.0%}"
    return HEALTHY
