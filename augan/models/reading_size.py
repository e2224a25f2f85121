"""The size at which a detector's networks read images, and what they may miss for it."""

from __future__ import annotations

from augan.codecs.image import ImageCodec
from augan.models.detector import DetectorModel

LEAST_DEFECT = 4  # pixels of a reduced image that a defect needs, at least, to be seen


def reduction(model: DetectorModel, original: tuple[int, int] | None = None) -> str | None:
    """Return in words to what size a detector reduces images; None if it does not.

    Parameters
    ----------
    model : DetectorModel
        The model of a fitted detector.
    original : tuple of int, optional
        Height and width of the images before they were read as training images.
    """
    codec = model.codec
    if not isinstance(codec, ImageCodec):
        return None
    original = original or codec.size
    read = _read_size(model, codec)
    ratio = max(original) / max(read)
    if ratio <= 1:
        return None
    kind = "photographs" if codec.is_photograph else "images"
    return (
        f"{kind} of {_shown(original)} pixels were read at {_shown(read)}: defects of less "
        f"than about {round(LEAST_DEFECT * ratio):,} pixels may not be seen"
    )


def _read_size(model: DetectorModel, codec: ImageCodec) -> tuple[int, int]:
    """Return the height and width at which the networks read the finest details."""
    networks = model.networks
    reads_details = networks.backbone is not None or networks.restoration is not None
    return codec.detailed if reads_details else codec.resized


def _shown(size: tuple[int, int]) -> str:
    height, width = size
    return f"{width:,} x {height:,}"
