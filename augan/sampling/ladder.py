"""Which source new rows of a class come from: the fewer real rows, the closer to them."""

from __future__ import annotations

from typing import Literal

Method = Literal["gan", "latent", "data"]

MIN_LATENT_ROWS = 5  # below which a class has no spread in the latents to speak of


def choose(method: str, n_rows: int) -> Method:
    """Return the source for a class of `n_rows`; "auto" goes by how many there are."""
    if method == "auto":
        return "latent" if n_rows >= MIN_LATENT_ROWS else "data"
    return method  # type: ignore[return-value]
