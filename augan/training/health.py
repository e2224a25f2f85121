"""How a GAN is doing, in words, by the figures that training reports."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

Row = dict[str, Any]

HEALTHY = "healthy"
STARTING = "starting"
START = 0.1  # share of the phase before which nothing can be told
RECENT = 5  # rows whose figures are averaged
COLLAPSED = 0.3  # share of near-duplicates from which on modes are missing
UNCOVERED = 0.1  # coverage below which the generator does not make what is real
ALL, CHANCE = 0.99, 0.55  # critic's accuracy, of a critic that sees everything, and nothing
LOST = 0.5  # of the best coverage so far, below which modes are being lost
SEEN = 0.2  # best coverage that there is something to lose of
GROWN = 5.0  # times the weights are as long as at first, when training runs away
NO_GRADIENT = 1e-7  # norm of the generator's gradient
STILL = 1e-3  # spread of generated rows, of that of real ones, below which they are one row


def health(rows: Sequence[Row]) -> str:
    """Say how the GAN is doing, by the rows of its phase that were reported so far.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the phase "gan", the last one with measures on held-out rows.

    Returns
    -------
    words : str
        "healthy", "starting", or what is wrong.
    """
    last, recent = rows[-1], [row for row in rows if "critic_loss" in row][-RECENT:]
    since = next((i for i, row in enumerate(reversed(rows[:-1])) if "coverage" in row), len(rows))
    events = [row["event"] for row in rows[len(rows) - 1 - since :] if "event" in row]
    diverged = [event for event in events if "diverged" in event]
    if diverged:
        return diverged[-1].removeprefix("the gan ")
    if last["done"] < START:
        return STARTING
    for network in ("critic", "generator"):
        growth = last[f"{network}_weight_growth"]
        if growth > GROWN:
            return f"diverging: the {network}'s weights have grown {growth:.0f} times; learn slower"
    if max(row["generator_gradient_norm"] for row in recent) < NO_GRADIENT:
        return "dead generator: no gradient reaches it"
    if last["spread"] < STILL:
        return "dead generator: it makes one row, whatever the latent"
    alike = last["near_duplicates"]
    if alike >= COLLAPSED:
        return f"mode collapse: {alike:.0%} of the generated rows are near-duplicates"
    accuracy = fmean(
        (row["critic_accuracy_real"] + row["critic_accuracy_fake"]) / 2 for row in recent
    )
    best = max(row["coverage"] for row in rows if "coverage" in row)
    if last["coverage"] < UNCOVERED and accuracy >= ALL:
        return "critic too strong: it knows every generated row"
    if last["coverage"] < UNCOVERED and accuracy <= CHANCE:
        return "critic too weak: it tells nothing apart, and the generator learns nothing"
    if best >= SEEN and last["coverage"] < LOST * best:
        return f"losing modes: coverage fell from {best:.0%} to {last['coverage']:.0%}"
    return HEALTHY
