"""Layouts of encoded tensors, from which networks are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Activation = Literal["identity", "softmax", "tanh"]


@dataclass(frozen=True)
class Span:
    """Channels `start:stop` of one column, and the activation of the generator for them."""

    name: str
    start: int
    stop: int
    activation: Activation

    @property
    def size(self) -> int:
        """Number of channels."""
        return self.stop - self.start


@dataclass(frozen=True)
class VectorSpec:
    """Encoded rows of shape (n, size)."""

    kind: ClassVar[Literal["vector"]] = "vector"
    spans: tuple[Span, ...]

    @property
    def size(self) -> int:
        """Number of channels of a row."""
        return self.spans[-1].stop if self.spans else 0


@dataclass(frozen=True)
class ImageSpec:
    """Encoded images of shape (n, channels, height, width)."""

    kind: ClassVar[Literal["image"]] = "image"
    channels: int
    height: int
    width: int
    activation: Activation = "tanh"
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)  # padded: left, right, top, bottom

    @property
    def inner(self) -> tuple[int, int]:
        """Height and width without the margins."""
        left, right, top, bottom = self.margins
        return self.height - top - bottom, self.width - left - right


Spec = VectorSpec | ImageSpec
