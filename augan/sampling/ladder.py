"""Which source new rows of a class come from: the fewer real rows, the closer to them."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from augan.codecs.spec import Spec
from augan.networks import Networks
from augan.sampling.sources import ClassGAN, DataNeighbourhood, LatentNeighbourhood, Source

Method = Literal["gan", "latent", "data"]

MIN_LATENT_ROWS = 5  # below which a class has no spread in the latents to speak of


def choose(method: str, n_rows: int) -> Method:
    """Return the source for a class of `n_rows`; "auto" goes by how many there are."""
    if method == "auto":
        return "latent" if n_rows >= MIN_LATENT_ROWS else "data"
    return method  # type: ignore[return-value]


def build_source(
    method: Method,
    networks: Networks | None,
    spec: Spec,
    rows: Tensor,
    others: Tensor,
    *,
    label: int,
    n_classes: int,
    spread: float,
) -> Source:
    """Return the source of new rows of a class.

    Parameters
    ----------
    method : {"gan", "latent", "data"}
        Which.
    networks : Networks or None
        Trained; None for "data".
    spec : VectorSpec or ImageSpec
        What the encoded channels are.
    rows, others : Tensor
        Encoded rows (m, ...) of the class, and of all classes.
    label, n_classes : int
        The class, from 0 on, of how many.
    spread : float
        How far from a real row to go.
    """
    if method == "data":
        return DataNeighbourhood(rows, others, spec, spread)
    assert networks is not None
    gan = ClassGAN(networks, spec, label, n_classes)
    return gan if method == "gan" else LatentNeighbourhood(gan, rows, spread)
