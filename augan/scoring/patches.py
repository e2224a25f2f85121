"""Heads with anomaly maps of a pretrained backbone's features of patches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from augan.scoring.maps import SMOOTHING, MapHead, blurred
from augan.scoring.nearest import nearest
from augan.scoring.view import View

MEMORY_IMAGES = 128  # training images, at most, whose patches are remembered place by place
COMPARED_SIDE = 6  # largest side of the maps by which different images are found
ALIKE = 0.87  # largest ratio of distances at the same place, relative to shifted images
USUAL_SHARE = 0.05  # of the images, those nearest, whose mean distance is usual at a place
REACH = 1  # places to each side at which a patch may lie
USUAL_SMOOTHING = 5  # side of the window that the usual distances of places are averaged over
FLOOR = 0.01  # added to a squared distance, in units of the usual one
RIDGE = 0.1  # share of the mean variance that is added to variances
INTEGERS = 127  # the largest of 8 bits
SMALLEST = 1e-6  # added to variances, in units of those of standardised features


class PatchHead(MapHead):
    """A head that compares patches with those of training images.

    In images of parts that lie alike (`aligned`), a patch is compared with those at the same place,
    in other images with patches anywhere.
    """

    share = 0.01
    aligned = True  # set before `fit`

    def patches(self, view: View) -> Tensor:
        """Return the patches (B, K, h, w) that the head compares."""
        return view.patches


class BackboneMemory(PatchHead):
    """Distance of each patch to the nearest patch of the training images, in a backbone's features.

    Of aligned images, those at the same place or next to it, as multiples of the usual distance at
    that place, which is the median of the mean distances of training images to the nearest 5 % of
    the others. The images are as different as possible: a greedy coreset, as PatchCore (Roth 2022)
    takes of patches. Of images that do not lie alike, it is a random sample of patches anywhere.

    Parameters
    ----------
    memory_size : int
        The largest number of patches in a memory for all places.
    """

    centre: Tensor
    bank: Tensor  # as integers, in multiples of `unit`
    unit: Tensor
    usual: Tensor
    has_memory = True

    def __init__(self, n_neighbors: int, memory_size: int) -> None:
        super().__init__()
        self.memory_size = memory_size
        self.add_buffers("centre", "unit", "usual")
        self.add_buffers("bank", dtype=torch.int8)

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Store patches of at most `MEMORY_IMAGES`, and at most `n_rows`, training images."""
        patches = self.patches(view)
        most = min(MEMORY_IMAGES, n_rows or len(patches))
        if self.aligned:
            images = patches[_different(patches, most, random)]
            self.centre = images.flatten(2).mean(dim=0).T.unsqueeze(2)  # (h * w, K, 1)
            places = images.flatten(2).permute(2, 1, 0) - self.centre
            self.bank, self.unit = _rounded(places.contiguous(), 2)
            self.usual = _usual(self._distances(images, among=True))
        else:
            rows = _some(patches, most, random).movedim(1, -1).flatten(0, 2)
            self.bank, self.unit = _rounded(_some(rows, self.memory_size, random), 0)
            self.centre = rows.new_zeros(1, rows.shape[1], 1)
            self.usual = rows.new_ones(1, 1)

    def map(self, view: View) -> Tensor:
        """Return relative distances (B, h, w)."""
        patches = self.patches(view)
        if self.bank.ndim == 3:
            found = self._distances(patches)
        else:
            rows = patches.movedim(1, -1)
            distances, _ = nearest(rows.flatten(1, 2), self.bank * self.unit, 1, spare=0)
            found = distances.unflatten(1, rows.shape[1:3])[..., 0]
        return found / self.usual

    def _distances(self, patches: Tensor, *, among: bool = False) -> Tensor:
        """Return distances (n, h, w) to the nearest patch of the memory at about the same place.

        With `among`, the patches are those of the memory: mean distances to the nearest
        `USUAL_SHARE` of the other images.
        """
        # relative to the mean of each place, since products of large numbers have large errors
        bank, centre = self.bank * self.unit, self.centre.transpose(1, 2)
        norms = bank.square().sum(dim=1, keepdim=True)  # (h * w, 1, n)
        rows = patches.movedim(1, -1)  # (n, h, w, K)
        size = rows.shape[1], rows.shape[2]
        least = None
        for down, right in _shifts(REACH, size):
            shifted = _moved(rows, down, right).flatten(1, 2).transpose(0, 1) - centre
            squares = torch.baddbmm(norms, shifted, bank, alpha=-2)  # (h * w, n, images of memory)
            if not among:
                squares = squares.amin(dim=2, keepdim=True)
            squares = squares + shifted.square().sum(dim=2, keepdim=True)
            back = squares.transpose(0, 1).unflatten(1, size)
            found = _moved(back, -down, -right, torch.inf)  # (n, h, w, images of the memory or 1)
            least = found if least is None else torch.minimum(least, found)
        assert least is not None
        squares = least.clamp(min=0)
        if not among:
            return (squares[..., 0] + FLOOR * self.usual.square()).sqrt()
        n_near = max(1, round(USUAL_SHARE * len(rows)))
        squares = squares.flatten(1, 2).movedim(0, 1)  # (h * w, n, n)
        squares.diagonal(dim1=1, dim2=2).fill_(torch.inf)
        near = squares.topk(min(n_near, max(len(rows) - 1, 1)), dim=2, largest=False).values
        return near.sqrt().mean(dim=2).T.unflatten(1, size)


class BackboneGaussian(PatchHead):
    """Mahalanobis distance of each patch, in a backbone's features: PaDiM (Defard 2021).

    Of aligned images each place has a mean and a covariance of its own, the latter shrunk to the
    mean covariance of all places, the more so, the fewer images there are (Friedman 1989). To each
    variance, `RIDGE` of the mean variance is added. Of other images all places have the same.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean")
        self.add_buffers("whitening", dtype=torch.float16)

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Fit means (K, h, w) and whitening matrices (h * w, K, K), or a single one."""
        patches = self.patches(view)
        n, n_features = patches.shape[:2]
        if self.aligned:
            self.mean = patches.mean(dim=0)
            rows = (patches - self.mean).flatten(2).permute(2, 0, 1)  # (h * w, n, K)
            own = torch.bmm(rows.transpose(1, 2), rows) / n
            shrinkage = n_features / (n + n_features)
            covariance = own * (1 - shrinkage) + own.mean(dim=0) * shrinkage
        else:
            self.mean = patches.mean(dim=(0, 2, 3))[:, None, None]
            rows = (patches - self.mean).movedim(1, -1).flatten(0, 2)
            covariance = (rows.T @ rows / len(rows))[None]
        self.whitening = _whitening(covariance).half()

    def map(self, view: View) -> Tensor:
        """Return distances (B, h, w)."""
        patches = self.patches(view)
        rows = (patches - self.mean).flatten(2).permute(2, 0, 1)  # (h * w, B, K)
        found = torch.matmul(rows, self.whitening.float()).square().mean(dim=2).sqrt()
        return found.T.unflatten(1, patches.shape[2:])


class BackboneFine(BackboneGaussian):
    """Mahalanobis distance of each patch in a backbone's fine features, for thin or small defects.

    Otherwise as `BackboneGaussian`.
    """

    share, weight, heat_weight = 0.003, 1.2, 2.0

    def patches(self, view: View) -> Tensor:
        """Return the fine patches (B, K, h, w)."""
        return view.fine_patches


class BackboneResidual(MapHead):
    """Cosine distance of a backbone's features of a patch before and after restoration."""

    needs, share = "restoration", 0.02

    def map(self, view: View) -> Tensor:
        """Return cosine distances (B, h, w)."""
        return blurred(1 - F.cosine_similarity(view.deep, view.deep_restored), SMOOTHING)


def are_aligned(patches: Tensor, shifted: Tensor, random: np.random.Generator) -> bool:
    """Whether images are alike at the same places.

    The nearest patch in other images, at the same place, is compared with the nearest patch of as
    many at a random place. Networks pad the edges of images, by which patches at the same place are
    a little alike in any images; so the ratio is relative to that of the images shifted at random.

    Parameters
    ----------
    patches, shifted : Tensor
        Patches (n, K, h, w) of the images, and of these shifted.
    random : Generator
        Draws the random places.
    """
    if len(patches) < 2 or patches[0, 0].numel() < 2:
        return False
    order = torch.from_numpy(random.permutation(patches[0, 0].numel())).to(patches.device)
    return _likeness(patches, order) < ALIKE * _likeness(shifted, order)


def _likeness(patches: Tensor, order: Tensor) -> float:
    """Return the ratio of distances to the nearest patch at the same place and at another one."""
    rows = patches.flatten(2).permute(2, 0, 1)  # (h * w, n, K)
    own = rows.new_zeros(rows.shape[1], rows.shape[1]).fill_diagonal_(torch.inf)
    same, elsewhere = (
        float((torch.cdist(rows, others) + own).amin(dim=2).mean())
        for others in (rows, rows[order])
    )
    return same / elsewhere if elsewhere > 0 else 1.0


def _some(rows: Tensor, most: int, random: np.random.Generator) -> Tensor:
    """Return rows, a random sample if there are more than `most`."""
    if len(rows) <= most:
        return rows
    chosen = np.sort(random.choice(len(rows), most, replace=False))
    return rows[torch.from_numpy(chosen).to(rows.device)]


def _different(patches: Tensor, most: int, random: np.random.Generator) -> Tensor:
    """Return the indices of at most `most` images, each as far as possible from those before it.

    Images (n, K, h, w) are compared at low resolution (k-center greedy, Sener and Savarese 2018).
    """
    if len(patches) <= most:
        return torch.arange(len(patches), device=patches.device)
    height, width = (min(side, COMPARED_SIDE) for side in patches.shape[2:])
    rows = F.adaptive_avg_pool2d(patches, (height, width)).flatten(1)
    chosen = [int(random.integers(len(rows)))]
    apart = torch.full_like(rows[:, 0], torch.inf)
    while len(chosen) < most:
        apart = apart.minimum((rows - rows[chosen[-1]]).square().sum(dim=1))
        chosen.append(int(apart.argmax()))
    return torch.tensor(sorted(chosen), device=patches.device)


def _rounded(values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return values as integers of 8 bits along a dimension, and their unit."""
    unit = (values.abs().amax(dim=dim, keepdim=True) / INTEGERS).clamp(min=SMALLEST)
    return (values / unit).round().to(torch.int8), unit


def _usual(distances: Tensor) -> Tensor:
    """Return the median (h, w) of distances (n, h, w), smoothed, and never 0."""
    finite = torch.where(distances.isfinite(), distances, 1.0)
    median = blurred(finite.median(dim=0).values[None], USUAL_SMOOTHING)[0]
    return torch.where(median > 0, median, torch.ones_like(median))


def _whitening(covariance: Tensor) -> Tensor:
    """Return matrices W (P, K, K) of covariances, with |xW|^2 the Mahalanobis distance of x."""
    unit = torch.eye(covariance.shape[1], dtype=torch.float64, device=covariance.device)
    added = RIDGE * float(covariance.diagonal(dim1=1, dim2=2).mean()) + SMALLEST
    lower = torch.linalg.cholesky(covariance.double() + added * unit)
    inverse = torch.linalg.solve_triangular(lower, unit.expand_as(lower), upper=False)
    return inverse.transpose(1, 2).float()


def _shifts(reach: int, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield shifts by at most `reach` places, of maps of a size, in which something is left."""
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if abs(down) < size[0] and abs(right) < size[1]:
                yield down, right


def _moved(rows: Tensor, down: int, right: int, value: float = 0.0) -> Tensor:
    """Return rows (n, h, w, F) moved by places; what comes in from outside is `value`."""
    padded = F.pad(rows, [0, 0, *_margins(right), *_margins(down)], value=value)
    top, left = max(-down, 0), max(-right, 0)
    return padded[:, top : top + rows.shape[1], left : left + rows.shape[2]]


def _margins(step: int) -> tuple[int, int]:
    return max(step, 0), max(-step, 0)
