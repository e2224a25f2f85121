"""How the files of images are read."""

from __future__ import annotations

from dataclasses import dataclass

from augan.exceptions import ParameterError

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
        if self.page is not None and not 0 <= self.page < MOST_PAGES:
            raise ParameterError(f"page={self.page}: must be from 0 to {MOST_PAGES - 1}")
        if not 1 <= self.max_pixels <= MOST_PIXELS:
            raise ParameterError(f"max_pixels={self.max_pixels}: must be from 1 to {MOST_PIXELS}")


def image_options(options: object) -> ImageOptions:
    """Return how images are read of options that are also about tables."""
    page, most = getattr(options, "page", None), getattr(options, "max_pixels", None)
    return ImageOptions(page, MAX_PIXELS if most is None else most)
