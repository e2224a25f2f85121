"""How the files of images are read."""

from __future__ import annotations

from dataclasses import dataclass

from augan.exceptions import ParameterError, shown

MAX_PIXELS = 178_956_970  # of one image, unless more are asked for: a quarter GiB of RGB and alpha
MOST_PIXELS = 2**40
MOST_PAGES = 2**20


@dataclass(frozen=True)
class ImageOptions:
    """How the files of images are read.

    Parameters
    ----------
    page : int, optional
        Which image to read of files that hold several (pages of a TIFF, frames of an animation),
        from 0 on. Without, such files are refused.
    max_pixels : int
        Pixels that an image may have; larger ones are refused before they are decoded.

    Raises
    ------
    ParameterError
        When a number is out of its bounds.
    """

    page: int | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.page is not None:
            _check_count("page", self.page, 0, MOST_PAGES - 1)
        _check_count("max_pixels", self.max_pixels, 1, MOST_PIXELS)


def _check_count(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        option = name.replace("_", "-")
        raise ParameterError(f"--{option} {shown(value)}: must be from {low} to {high}")


def image_options(options: object) -> ImageOptions:
    """Return how images are read of options that are also about tables."""
    page, most = getattr(options, "page", None), getattr(options, "max_pixels", None)
    return ImageOptions(page, MAX_PIXELS if most is None else most)
