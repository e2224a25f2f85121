"""`augan interpolate`, `inpaint` and `edit`: pictures out of a model's latent space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .._console import (
    MAX_COUNT,
    Device,
    Quiet,
    Threads,
    data_errors,
    plain_errors,
    say,
    set_threads,
)
from .._images import check_picture, load_image_model, pick, read_images
from .._models import model_context
from .._reading import as_trained
from ..labels import is_label

Model = Annotated[Path, typer.Argument(help="A detector of images, written by augan fit.")]
Images = Annotated[Path, typer.Argument(help="Images: a folder, .npy or .npz.")]
Picture = Annotated[Path, typer.Option(help="Picture to write (.png).")]

N_EDITS = 6  # images from as it is to as edited


def interpolate(
    model: Model,
    data: Images,
    out: Picture,
    start: Annotated[int, typer.Option(min=0, help="Image to start at, from 0 on.")] = 0,
    end: Annotated[int, typer.Option(min=0, help="Image to end at.")] = 1,
    number: Annotated[
        int,
        typer.Option(
            "--number", "-n", min=2, max=10_000, help="How many images from one to the other."
        ),
    ] = 10,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Show the way from one image of DATA to another, as MODEL makes the images between them.

    The first and the last image of the picture are those of DATA themselves.
    """
    import numpy as np

    with plain_errors():
        detector, images, _ = _opened("interpolate", model, data, out, device, threads)
        ends = [pick(images, row, name, data) for row, name in ((start, "--start"), (end, "--end"))]
        with data_errors(data):
            way = detector.interpolate(*ends, number)
        _save(np.concatenate([ends[0], way, ends[1]]), out, number + 2)
        say(f"{number} images between two; wrote {out}", quiet=quiet)


def inpaint(
    model: Model,
    data: Images,
    out: Picture,
    mask: Annotated[
        Path | None, typer.Option(help="Image of the size of those of DATA, white in the holes.")
    ] = None,
    hole: Annotated[
        str | None,
        typer.Option(metavar="TOP,LEFT,HEIGHT,WIDTH", help="Or a rectangle, in pixels."),
    ] = None,
    number: Annotated[
        int,
        typer.Option(
            "--number", "-n", min=1, max=MAX_COUNT, help="Images of DATA, from the first on."
        ),
    ] = 10,
    steps: Annotated[int, typer.Option(min=2, max=10**6, help="Steps of the search.")] = 100,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Fill holes in images of DATA with what MODEL makes there.

    The picture shows images with the hole, filled, and as they are in DATA.
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
    target: Annotated[
        str, typer.Option(help="Array of an .npz with the labels; of a folder of images: folder.")
    ],
    positive: Annotated[
        str, typer.Option(help="Label of the images that show what others are to get.")
    ],
    strength: Annotated[
        float, typer.Option(help="How far to go; 1: as far as the two kinds lie apart.")
    ] = 2.0,
    number: Annotated[
        int,
        typer.Option("--number", "-n", min=1, max=MAX_COUNT, help="Other images of DATA to edit."),
    ] = 5,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Give images of DATA, by and by, what sets those labelled --positive apart from the others.

    Each row of the picture is an image, from as it is to as edited.
    """
    import numpy as np

    with plain_errors():
        detector, images, labels = _opened("edit", model, data, out, device, threads, target)
        wanted = is_label(labels, positive, f"{data}: {target!r}", "images to learn from")
        with data_errors(data):
            way = detector.direction(images, wanted)
        others = images[~wanted][:number]
        shares = np.linspace(0, strength, N_EDITS)
        edited = np.stack([detector.edit(others, way, float(share)) for share in shares], axis=1)
        _save(edited.reshape(-1, *images.shape[1:]), out, N_EDITS)
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
    """Return the detector, the images, and their labels where a target names them."""
    from augan.io.options import ReadOptions

    check_picture(out, "--out", model, data, mask)
    set_threads(threads, small_batches=False, model=model)
    detector = load_image_model(model, device, command)
    options = as_trained(ReadOptions(), model_context(detector, model), model, detector)
    return detector, *read_images(data, options, detector.codec_, target)


def _holes(mask: Path | None, hole: str | None, size: tuple[int, int]) -> Any:
    """Return the holes (H, W) that an image or four numbers describe."""
    import numpy as np

    from augan.exceptions import DataError, ParameterError
    from augan.io.decoding import read_form
    from augan.io.masks import read_mask

    if (mask is None) == (hole is None):
        raise ParameterError("--mask or --hole: give one of them, where the holes are")
    if mask is not None:
        form = read_form(mask)
        holes = read_mask(mask, (form.height, form.width))
        if holes.shape != size:
            raise DataError(f"--mask {mask}: of {holes.shape} pixels, the images are of {size}")
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
