"""`augan interpolate`, `inpaint` and `edit`: pictures from a model's latent space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .._console import data_errors, plain_errors, say, set_threads
from .._images import check_picture, load_image_model, pick, read_images
from .._models import model_context
from .._options import MAX_COUNT, Device, Images, Picture, Quiet, Threads, at_most
from .._reading import as_trained
from ..labels import is_label

N_EDITS = 6  # images in a row, the first of them unchanged


Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A detector of images, written by augan fit.")
]
Start = Annotated[int, typer.Option(min=0, metavar="N", help="Image to start at, from 0 on.")]
End = Annotated[int, typer.Option(min=0, metavar="N", help="Image to end at.")]
Between = Annotated[
    int,
    typer.Option(
        "--number", "-n", min=2, max=10_000, metavar="N", help="Number of images in between."
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Image as large as those of DATA, white in holes."),
]
Hole = Annotated[
    str | None,
    typer.Option(metavar="TOP,LEFT,HEIGHT,WIDTH", help="Or a rectangle, in pixels."),
]
First = Annotated[
    int,
    typer.Option(
        "--number",
        "-n",
        min=1,
        callback=at_most(MAX_COUNT),
        metavar="N",
        help="Number of images, from the first on.",
    ),
]
SearchSteps = Annotated[
    int, typer.Option(min=2, max=10**6, metavar="N", help="Steps of the latent search.")
]
LabelColumn = Annotated[
    str,
    typer.Option("--target", metavar="COL", help="Labels: an .npz array, or folder (of images)."),
]
Positive = Annotated[
    str,
    typer.Option(metavar="LABEL", help="Label of the images that show the attribute to add."),
]
Strength = Annotated[
    float,
    typer.Option(metavar="NUMBER", help="1: the difference of the means of the two kinds."),
]
Others = Annotated[
    int,
    typer.Option(
        "--number",
        "-n",
        min=1,
        callback=at_most(MAX_COUNT),
        metavar="N",
        help="Number of other images of DATA to edit.",
    ),
]


def interpolate(
    model: Model,
    data: Images,
    out: Picture,
    start: Start = 0,
    end: End = 1,
    number: Between = 10,
    quiet: Quiet = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw images of MODEL that lead from one image of DATA to another.

    The first and the last image of the picture are those of DATA.
    """
    import numpy as np

    with plain_errors():
        detector, images, _ = _opened("interpolate", model, data, out, device, threads)
        ends = [pick(images, row, name, data) for row, name in ((start, "--start"), (end, "--end"))]
        with data_errors(data):
            between = detector.interpolate(*ends, number)
        _save(np.concatenate([ends[0], between, ends[1]]), out, number + 2)
        say(f"{number} images between two; wrote {out}", quiet=quiet)


def inpaint(
    model: Model,
    data: Images,
    out: Picture,
    mask: Mask = None,
    hole: Hole = None,
    number: First = 10,
    steps: SearchSteps = 100,
    quiet: Quiet = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Fill holes in images of DATA with what MODEL generates there.

    The picture has three rows: images with the hole, filled ones, and those of DATA.
    """
    import numpy as np

    with plain_errors():
        detector, images, _ = _opened("inpaint", model, data, out, device, threads, mask=mask)
        images = images[:number]
        holes = _holes(mask, hole, images.shape[1:3])
        with data_errors(mask or data):
            filled = detector.inpaint(images, holes, n_steps=steps)
        shown = images.copy()
        shown[:, holes] = detector.codec_.high
        _save(np.concatenate([shown, filled, images]), out, len(images))
        say(f"{len(images)} images filled; wrote {out}", quiet=quiet)


def edit(
    model: Model,
    data: Images,
    out: Picture,
    target: LabelColumn,
    positive: Positive,
    strength: Strength = 2.0,
    number: Others = 5,
    quiet: Quiet = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Add to images of DATA, in steps, what distinguishes those labelled --positive.

    Each row of the picture is an image, from unchanged to fully edited.
    """
    import numpy as np

    with plain_errors():
        detector, images, labels = _opened("edit", model, data, out, device, threads, target)
        wanted = is_label(labels, positive, f"{data}: {target!r}", "images to learn from")
        with data_errors(data):
            direction = detector.direction(images, wanted)
        others = images[~wanted][:number]
        shares = np.linspace(0, strength, N_EDITS)
        edited = [detector.edit(others, direction, float(share)) for share in shares]
        rows = np.stack(edited, axis=1).reshape(-1, *images.shape[1:])
        _save(rows, out, N_EDITS)
        say(f"{len(others)} images edited; wrote {out}", quiet=quiet)


def _opened(
    command: str,
    model: Path,
    data: Path,
    out: Path,
    device: str,
    threads: int | None,
    target: str | None = None,
    mask: Path | None = None,
) -> tuple[Any, Any, Any]:
    """Return the detector, the images, and their labels if there is a target."""
    from augan.io.options import ReadOptions

    check_picture(out, "--out", model, data, mask)
    set_threads(threads, small_batches=False, model=model)
    detector = load_image_model(model, device, command)
    options = as_trained(ReadOptions(), model_context(detector, model), model, detector)
    return detector, *read_images(data, options, detector.codec_, target)


def _holes(mask: Path | None, hole: str | None, size: tuple[int, int]) -> Any:
    """Return the mask (H, W) of the holes, from an image or four numbers."""
    import numpy as np

    from augan.exceptions import DataError, ParameterError
    from augan.io.decoding import read_form
    from augan.io.masks import read_mask

    if (mask is None) == (hole is None):
        raise ParameterError("give one of --mask and --hole")
    if mask is not None:
        form = read_form(mask)
        holes = read_mask(mask, (form.height, form.width))
        if holes.shape != size:
            raise DataError(f"--mask {mask}: has {holes.shape} pixels, the images have {size}")
        return holes
    try:
        top, left, height, width = (int(part) for part in str(hole).split(","))
    except ValueError:
        raise ParameterError(f"--hole {hole}: must be TOP,LEFT,HEIGHT,WIDTH") from None
    holes = np.zeros(size, dtype=bool)
    inside = top >= 0 and left >= 0 and top + height <= size[0] and left + width <= size[1]
    if not inside or min(height, width) < 1:
        raise ParameterError(f"--hole {hole}: not inside images of {size[0]} x {size[1]} pixels")
    holes[top : top + height, left : left + width] = True
    return holes


def _save(images: Any, out: Path, columns: int) -> None:
    from augan.pictures import save_grid

    save_grid(images, out, columns=columns)
