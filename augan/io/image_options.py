"""Options for reading image files."""

from __future__ import annotations

from dataclasses import dataclass

from augan.exceptions import ParameterError, shown

MAX_PIXELS = 178_956_970  # default limit, that of Pillow: half a GiB of RGB
MOST_PIXELS = 2**40
MOST_PAGES = 2**20


@dataclass(frozen=True)
class ImageOptions:
    """Options for reading image files.

    Parameters
    ----------
    page : int, optional
        Index of the image to read from files that hold several (pages of a TIFF, frames of an
        animation). Without it, such files are refused.
    max_pixels : int
        Largest number of pixels; larger images are refused before they are decoded.

    Raises
    ------
    ParameterError
        If a number is out of its bounds.
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
    """Return the options for images among those for all files."""
    page, most = getattr(options, "page", None), getattr(options, "max_pixels", None)
    return ImageOptions(page, MAX_PIXELS if most is None else most)
