"""Pixel metrics of heatmaps, on images with masks of the defects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from augan.exceptions import DataError

Pairs = list[tuple[NDArray[np.bool_], NDArray[np.floating[Any]]]]

MAX_PRO_FPR = 0.3  # the overlap is integrated up to this false-positive rate
N_THRESHOLDS = 5000
CORNERS = np.ones((3, 3), dtype=int)  # pixels that touch at a corner belong to one region


@dataclass(frozen=True)
class PixelReport:
    """Result of `pixel_metrics`.

    Attributes
    ----------
    n_images, n_regions : int
        Images, and connected regions of defective pixels in them.
    prevalence : float
        Share of defective pixels, which is also the average precision of random heat.
    auroc : float
        Probability that a defective pixel is hotter than a good one.
    average_precision : float
        Mean of the precision at each defective pixel, in order of decreasing heat.
    aupro : float
        Area under the per-region overlap curve [1]_: the share of a region that is found, mean
        over regions, integrated up to a false-positive rate of 30 % and divided by 0.3.
    by_kind : dict of str to PixelReport
        The same for each kind of defects, with the images without defects; empty without `kinds`.

    References
    ----------
    .. [1] Bergmann et al. "The MVTec anomaly detection dataset." IJCV, 2021.
    """

    n_images: int
    n_regions: int
    prevalence: float
    auroc: float
    average_precision: float
    aupro: float
    by_kind: dict[str, PixelReport] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict that JSON can hold."""
        return asdict(self)


def pixel_metrics(
    masks: Sequence[Any], heatmaps: Sequence[Any], *, kinds: Sequence[Any] | None = None
) -> PixelReport:
    """Compare heatmaps with masks of the defects.

    Metrics are computed at 5,000 thresholds, so that millions of pixels need not be sorted.

    Parameters
    ----------
    masks : sequence of array-like of shape (H, W)
        True, or not 0, where an image is defective; sizes may differ from image to image.
    heatmaps : sequence of array-like of shape (H, W)
        Heat of the pixels of the same images, hotter = more abnormal.
    kinds : sequence of str, optional
        The kind of defect of each image; ignored for images with an empty mask.

    Returns
    -------
    report : PixelReport
        The metrics.

    Raises
    ------
    DataError
        When masks, heatmaps and kinds differ in number or shape, when heat is not finite, or when
        all pixels are defective or none is.

    Examples
    --------
    >>> import numpy as np
    >>> from augan.evaluation import pixel_metrics
    >>> mask = np.zeros((4, 4), dtype=bool)
    >>> mask[1:3, 1:3] = True
    >>> pixel_metrics([mask], [mask * 2.0]).auroc
    1.0
    """
    pairs = _read(masks, heatmaps)
    return replace(_report(pairs), by_kind={} if kinds is None else _by_kind(pairs, list(kinds)))


def _by_kind(pairs: Pairs, kinds: list[Any]) -> dict[str, PixelReport]:
    """Return the metrics of each kind of defects, with the images without defects.

    Raises
    ------
    DataError
        When kinds and images differ in number.
    """
    if len(kinds) != len(pairs):
        raise DataError(f"{len(kinds)} kinds for {len(pairs)} images")
    defective = [bool(mask.any()) for mask, _ in pairs]
    found = sorted({str(kind) for kind, bad in zip(kinds, defective, strict=True) if bad})
    marked = list(zip(pairs, map(str, kinds), defective, strict=True))
    return {
        name: _report([pair for pair, kind, bad in marked if not bad or kind == name])
        for name in found
    }


def _report(pairs: Pairs) -> PixelReport:
    """Return the metrics of masks and heatmaps.

    Raises
    ------
    DataError
        When all pixels are defective or none is.
    """
    thresholds = _thresholds(pairs)
    n_steps = len(thresholds) + 1
    good, bad = np.zeros(n_steps), np.zeros(n_steps)
    overlap, n_regions = np.zeros(n_steps), 0
    for mask, heat in pairs:
        step = np.searchsorted(thresholds, heat, side="left")  # 0: at or below all thresholds
        good += np.bincount(step[~mask], minlength=n_steps)
        bad += np.bincount(step[mask], minlength=n_steps)
        regions, count = label(mask, CORNERS)
        for region in range(1, count + 1):
            inside = step[regions == region]
            overlap += np.bincount(inside, minlength=n_steps) / len(inside)
        n_regions += count
    if good.sum() == 0 or bad.sum() == 0:
        kind = "good" if good.sum() == 0 else "defective"
        raise DataError(f"no {kind} pixel in {len(pairs)} masks: both kinds are needed")
    fp, tp, found = (_from_the_top(counts) for counts in (good, bad, overlap))
    fpr, recall = fp / fp[-1], tp / tp[-1]
    precision = tp / np.maximum(tp + fp, 1)
    pro = found / n_regions
    return PixelReport(
        n_images=len(pairs),
        n_regions=n_regions,
        prevalence=float(bad.sum() / (bad.sum() + good.sum())),
        auroc=float(np.trapezoid(recall, fpr)),
        average_precision=float((np.diff(recall) * precision[1:]).sum()),
        aupro=_area_up_to(fpr, pro, MAX_PRO_FPR) / MAX_PRO_FPR,
    )


def _read(masks: Iterable[Any], heatmaps: Iterable[Any]) -> Pairs:
    """Return masks as booleans, each with its heatmap.

    Raises
    ------
    DataError
        When they differ in number or shape, or heat is not finite.
    """
    found = [np.asarray(mask) for mask in masks]
    heats = [np.asarray(heat) for heat in heatmaps]
    if len(found) != len(heats) or not found:
        raise DataError(f"{len(found)} masks for {len(heats)} heatmaps")
    for i, (mask, heat) in enumerate(zip(found, heats, strict=True)):
        if mask.ndim != 2 or mask.shape != heat.shape:
            raise DataError(f"image {i}: mask of shape {mask.shape}, heatmap of shape {heat.shape}")
        if not np.isfinite(heat).all():
            raise DataError(f"image {i}: the heatmap is not finite")
    return [(mask != 0, heat) for mask, heat in zip(found, heats, strict=True)]


def _thresholds(pairs: Pairs) -> NDArray[Any]:
    """Return all values, or quantiles of those of defective and of good pixels if many."""
    parts = []
    for defective in (True, False):
        values = np.concatenate([heat[mask == defective] for mask, heat in pairs])
        stride = max(1, len(values) // 1_000_000)
        values = np.sort(values[::stride])
        chosen = np.linspace(0, len(values) - 1, min(N_THRESHOLDS // 2, len(values)))
        parts.append(values[chosen.round().astype(int)] if len(values) else values)
    return np.unique(np.concatenate(parts))


def _from_the_top(counts: NDArray[Any]) -> NDArray[Any]:
    """Return the cumulative counts, from the highest threshold down."""
    return np.concatenate([[0.0], counts[::-1].cumsum()])


def _area_up_to(x: NDArray[Any], y: NDArray[Any], limit: float) -> float:
    at_limit = np.interp(limit, x, y)
    inside = x < limit
    return float(np.trapezoid(np.append(y[inside], at_limit), np.append(x[inside], limit)))
