"""Pictures of images and training curves, written by matplotlib without a display."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from augan._files import atomic_path

Path = str | os.PathLike[str]

LINE = (0, 255, 255)  # colour of the outline of regions above the limit

SHARE: dict[str, Any] = {"ylim": (-0.02, 1.02)}
LOGARITHMIC: dict[str, Any] = {"yscale": "log"}
PANELS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {  # phase, metrics, options
    "GAN: losses": ("gan", ("critic_loss", "generator_loss"), {}),
    "critic: accuracy": ("gan", ("critic_accuracy_real", "critic_accuracy_fake"), SHARE),
    "GAN: gradients": ("gan", ("critic_gradient_norm", "generator_gradient_norm"), LOGARITHMIC),
    "generator compared with held-out rows": ("gan", ("coverage", "near_duplicates"), SHARE),
    "generator: distance to held-out rows": ("gan", ("held_out_loss",), {}),
    "encoder": ("encoder", ("encoder_loss", "held_out_loss"), LOGARITHMIC),
    "pretext networks": ("pretext", ("pretext_loss", "held_out_loss"), LOGARITHMIC),
    "restoration network": ("restoration", ("restoration_loss", "held_out_loss"), LOGARITHMIC),
}


def save_grid(images: NDArray[Any], path: Path, *, title: str = "", columns: int = 10) -> None:
    """Write images (n, H, W[, C]) as a grid to a PNG file."""
    rows = -(-len(images) // columns)
    figure, axes = _axes(rows, columns)
    for axis, image in zip(axes.flat, images, strict=False):
        _show(axis, image)
    figure.suptitle(title)
    _write(figure, path)


def save_neighbors(images: NDArray[Any], nearest: NDArray[Any], path: Path) -> None:
    """Write images (n, H, W[, C]) above their nearest real images to a PNG file."""
    figure, axes = _axes(2, len(images))
    for i, pair in enumerate(zip(images, nearest, strict=True)):
        for axis, image, word in zip(axes[:, i], pair, ("new", "nearest real"), strict=True):
            _show(axis, image)
            axis.set_title(word, fontsize=7)
    _write(figure, path)


def save_reconstructions(
    images: NDArray[Any],
    reconstructions: NDArray[Any],
    differences: NDArray[Any],
    path: Path,
    *,
    labels: list[str],
) -> None:
    """Write images, reconstructions and differences to a PNG file, a column for each image."""
    figure, axes = _axes(3, len(images))
    brightest = float(np.max(differences))
    for i, label in enumerate(labels):
        _show(axes[0, i], images[i])
        _show(axes[1, i], reconstructions[i])
        axes[2, i].imshow(differences[i], cmap="inferno", vmin=0, vmax=brightest)
        axes[0, i].set_title(label, fontsize=8)
    for row, name in enumerate(("image", "G(E(x))", "difference")):
        axes[row, 0].text(-0.15, 0.5, name, transform=axes[row, 0].transAxes, **_SIDEWAYS)
    _write(figure, path)


def overlay(image: NDArray[Any], heat: NDArray[Any], limit: float) -> NDArray[np.uint8]:
    """Return a grey, RGB or RGBA image (H, W[, C]) as RGB with its heatmap (H, W) on top.

    Opacity grows with heat, up to the hottest pixel or twice the `limit`, whichever is higher.
    Regions above the `limit` are outlined.
    """
    grey = image[:, :, None] if image.ndim == 2 else image
    colour = np.repeat(grey[:, :, :1], 3, axis=2) if grey.shape[2] == 1 else grey[:, :, :3]
    strength = np.clip(heat / max(2 * limit, float(heat.max()), 1e-9), 0, 1)
    opacity = 0.6 * strength[:, :, None]
    glow = 255 * colormaps["inferno"](0.25 + 0.75 * strength)[:, :, :3]
    blended = (1 - opacity) * colour + opacity * glow
    inside = heat > limit
    blended[inside & ~binary_erosion(inside)] = LINE
    return np.round(blended).astype(np.uint8)


class Curves(Protocol):
    """The figures of a training run, as `augan.training.monitor.History` has them."""

    def column(self, name: str, phase: str) -> tuple[list[int], list[float]]:
        """Return (steps, values) of the figure `name` in `phase`."""

    def __reversed__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows, the latest first."""


def save_curves(history: Curves, path: Path, *, title: str = "") -> None:
    """Write the training curves of a history to a PNG file."""
    shown = [(name, *panel) for name, panel in PANELS.items() if _reported(history, *panel[:2])]
    figure = Figure(figsize=(11, 3.2 * -(-len(shown) // 3)), layout="constrained")
    axes = figure.subplots(-(-len(shown) // 3), 3, squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    for axis, (name, phase, figures, options) in zip(axes.flat, shown, strict=False):
        for figure_name in figures:
            steps, values = history.column(figure_name, phase)
            label = figure_name.replace("_", " ")
            axis.plot(steps, values, label=label, marker="." * (len(steps) < 30))
        axis.set(title=name, xlabel="step", **options)
        axis.legend(fontsize=7)
    words = next((row["health"] for row in reversed(history) if "health" in row), "")
    figure.suptitle(": ".join(part for part in (title, words) if part))
    _write(figure, path)


def _reported(history: Curves, phase: str, figures: tuple[str, ...]) -> bool:
    return any(history.column(name, phase)[0] for name in figures)


_SIDEWAYS: dict[str, Any] = {"rotation": 90, "va": "center", "ha": "right", "fontsize": 9}


def _axes(rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(columns, rows * 1.05 + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def _show(axis: Any, image: NDArray[Any]) -> None:
    """Show a grey or colour image; float images are scaled to their own range."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 3 and not np.issubdtype(image.dtype, np.integer):
        image = (image - image.min()) / max(float(np.ptp(image)), 1e-9)
    axis.imshow(image, cmap="gray")


def _write(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
