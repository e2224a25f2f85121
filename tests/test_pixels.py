"""Figures of pixels: against scikit-learn, and regions against a plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from sklearn.datasets import load_sample_image
from sklearn.metrics import average_precision_score, roc_auc_score

from augan.evaluation import PixelReport, pixel_metrics
from augan.exceptions import DataError


def make_maps(n: int = 6, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return masks of blobs, one of them empty, and heat that finds the blobs in part."""
    random = np.random.default_rng(seed)
    masks, heats = [], []
    for i in range(n):
        smooth = gaussian_filter(random.normal(size=(40, 30)), 3)
        mask = smooth > np.quantile(smooth, 0.9) if i else np.zeros((40, 30), dtype=bool)
        masks.append(mask)
        heats.append(gaussian_filter(random.normal(size=(40, 30)) + 1.5 * mask, 1))
    return masks, heats


def plain_aupro(masks: list[np.ndarray], heats: list[np.ndarray]) -> float:
    """Integrate the mean overlap of regions over the false-positive rate, up to .3."""
    good = np.concatenate([heat[~mask] for mask, heat in zip(masks, heats, strict=True)])
    regions = []
    for mask, heat in zip(masks, heats, strict=True):
        numbers, count = label(mask, np.ones((3, 3)))
        regions += [heat[numbers == i + 1] for i in range(count)]
    points = [(0.0, 0.0)]
    for limit in np.sort(np.unique(np.concatenate([heat.ravel() for heat in heats])))[::-1]:
        points.append(((good >= limit).mean(), np.mean([(r >= limit).mean() for r in regions])))
    fpr, pro = np.array(points).T
    inside = fpr <= 0.3
    at_limit = np.interp(0.3, fpr, pro)
    return float(np.trapezoid(np.r_[pro[inside], at_limit], np.r_[fpr[inside], 0.3]) / 0.3)


def test_figures_equal_their_definitions() -> None:
    masks, heats = make_maps()
    report = pixel_metrics(masks, heats)
    flat, heat = np.concatenate([m.ravel() for m in masks]), np.concatenate([*heats]).ravel()
    assert report.auroc == pytest.approx(roc_auc_score(flat, heat), abs=1e-3)
    assert report.average_precision == pytest.approx(average_precision_score(flat, heat), abs=5e-3)
    assert report.aupro == pytest.approx(plain_aupro(masks, heats), abs=2e-3)
    assert report.prevalence == pytest.approx(flat.mean())
    assert report.n_images == 6
    assert report.n_regions == sum(label(mask, np.ones((3, 3)))[1] for mask in masks)
    assert PixelReport(**report.to_dict()) == report


def test_each_kind_is_compared_with_the_good_images() -> None:
    masks, heats = make_maps()
    kinds = ["good", "dent", "scratch", "dent", "scratch", "dent"]
    report = pixel_metrics(masks, heats, kinds=kinds)
    assert list(report.by_kind) == ["dent", "scratch"]
    for kind, part in report.by_kind.items():
        rows = [i for i, name in enumerate(kinds) if name in (kind, "good")]
        assert part == pixel_metrics([masks[i] for i in rows], [heats[i] for i in rows])
    with pytest.raises(DataError, match="2 kinds for 6 images"):
        pixel_metrics(masks, heats, kinds=["good", "dent"])


def test_small_regions_count_as_much_as_large_ones() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[:20, :20] = mask[25, 25] = True
    large, small = mask.copy(), mask.copy()
    large[25, 25] = False
    small[:20, :20] = False
    by_large, by_small = (pixel_metrics([mask], [heat * 1.0]) for heat in (large, small))
    assert by_large.auroc > 0.99 > 0.6 > by_small.auroc
    assert by_large.aupro == pytest.approx(by_small.aupro, abs=1e-6)


def test_heat_of_a_photograph_finds_what_was_painted_over() -> None:
    roof = load_sample_image("china.jpg")[200:328, 100:228].mean(axis=2)
    mask = np.zeros((128, 128), dtype=bool)
    mask[40:60, 70:90] = True
    painted = np.where(mask, 255.0, roof)
    good, random = pixel_metrics([mask], [np.abs(painted - roof)]), pixel_metrics([mask], [roof])
    assert (good.auroc, good.aupro, good.average_precision) == pytest.approx((1.0, 1.0, 1.0))
    assert random.auroc < 0.9


@pytest.mark.parametrize(
    "masks, heats, says",
    [
        ([], [], "0 masks for 0 heatmaps"),
        ([np.ones((4, 4))], [np.ones((4, 4))] * 2, "1 masks for 2 heatmaps"),
        (
            [np.ones((4, 4))],
            [np.ones((4, 5))],
            "mask of shape (4, 4), heatmap of shape (4, 5)",
        ),
        ([np.ones(4)], [np.ones(4)], "image 0: mask of shape (4,)"),
        ([np.eye(4)], [np.full((4, 4), np.nan)], "image 0: the heatmap is not finite"),
        ([np.zeros((4, 4))], [np.ones((4, 4))], "no defective pixel in 1 masks"),
        ([np.ones((4, 4))], [np.ones((4, 4))], "no good pixel in 1 masks"),
    ],
)
def test_what_cannot_be_compared_is_said(masks: Any, heats: Any, says: str) -> None:
    with pytest.raises(DataError) as error:
        pixel_metrics(masks, heats)
    assert says in str(error.value)
