"""Images larger than the networks' own: coarse pixels, details, heatmaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_sample_image
from sklearn.metrics import roc_auc_score

import augan
from augan import FAnoGAN
from augan.codecs.image import ImageCodec
from augan.exceptions import ParameterError
from augan.models.config import detector_config
from augan.models.detector_training import new_codec
from augan.networks.pseudo_defects import damage, draw_regions
from augan.networks.restoration import RestorationNetwork
from augan.scoring.heatmap import Heatmap, PixelDeviation
from augan.scoring.maps import ImageNeighbours, LocalNeighbours
from augan.scoring.rates import pixel_threshold
from augan.scoring.view import View
from augan.training.restoration import symmetries_of

QUICK: dict[str, Any] = {
    "max_steps": 2,
    "encoder_steps": 2,
    "width": 8,
    "n_folds": 2,
    "n_critic": 1,
}
TRAINED = {**QUICK, "restoration_steps": 60, "detail_size": 64, "random_state": 0}


def crops(n: int, seed: int, size: tuple[int, int] = (80, 72)) -> np.ndarray:
    """Return grey photographs of a part of a roof, not quite from the same place."""
    random = np.random.default_rng(seed)
    roof = load_sample_image("china.jpg").mean(axis=2).astype(np.uint8)
    places = random.integers((180, 100), (188, 108), (n, 2))
    return np.stack([roof[a : a + size[0], b : b + size[1]] for a, b in places])


def scratched(images: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images with a bright scratch, and its masks."""
    random = np.random.default_rng(seed)
    masks = np.zeros(images.shape, dtype=bool)
    for mask in masks:
        top, left = random.integers(10, 40, 2)
        mask[top : top + 30, left : left + 5] = True
    return np.where(masks, 255, images).astype(np.uint8), masks


@pytest.fixture(scope="module")
def plain() -> FAnoGAN:
    """A detector without pretrained weights."""
    return FAnoGAN(**TRAINED, backbone=None).fit(crops(60, 0))


@pytest.fixture(scope="module")
def pretrained() -> FAnoGAN:
    return FAnoGAN(random_state=0).fit(crops(60, 0))


@pytest.fixture(params=["plain", "pretrained"])
def detector(request: pytest.FixtureRequest) -> FAnoGAN:
    found: FAnoGAN = request.getfixturevalue(request.param)
    return found


def test_defects_score_higher_and_are_hotter(detector: FAnoGAN) -> None:
    good = crops(20, 1)
    bad, masks = scratched(crops(20, 2))
    scores = detector.anomaly_score(np.concatenate([good, bad]))
    assert roc_auc_score(np.repeat([0, 1], 20), scores) > 0.9
    heat = detector.explain(bad)
    assert heat.shape == bad.shape
    assert roc_auc_score(masks.ravel(), heat.ravel()) > 0.8
    assert (detector.explain(good) > detector.pixel_threshold_).mean() < 0.1


def test_the_heads_are_those_of_photographs(plain: FAnoGAN, pretrained: FAnoGAN) -> None:
    names = ["local_neighbors", "image_neighbors", "detail_restoration"]
    assert list(plain.score_parts(crops(3, 1))) == names
    assert plain.codec_.standardize and plain.codec_.resized == (32, 29)
    assert plain.networks_.pretext is None and plain.networks_.backbone is None
    names = ["backbone_memory", "backbone_gaussian", "backbone_fine", "image_neighbors"]
    assert list(pretrained.score_parts(crops(3, 1))) == names
    assert pretrained.networks_.backbone.name == "efficientnet_lite0"
    assert pretrained.networks_.restoration is None and len(pretrained.history_) == 0
    assert pretrained.n_calibration_ == 60  # every image
    own = detector_config(FAnoGAN(restoration_steps=5).get_params(), pretrained.codec_)
    assert own.heads == (*names, "detail_restoration")


def test_the_patches_of_very_many_images_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("augan.scoring.cross_fitting.MOST_IMAGES", 12)
    detector = FAnoGAN(random_state=0).fit(crops(30, 0))
    assert detector.n_calibration_ == 12
    bad, _ = scratched(crops(6, 1))
    assert detector.anomaly_score(bad).min() > detector.anomaly_score(crops(6, 2)).max()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "efficientnet_lite0"),
        ({"backbone": None}, None),
        ({"backbone": "resnet18"}, "resnet18"),
        ({"heads": ("local_neighbors",)}, None),
        ({"heads": ("local_neighbors", "backbone_gaussian")}, "efficientnet_lite0"),
        ({"scoring": "paper"}, None),
    ],
)
def test_the_backbone_is_there_where_a_head_reads_it(
    pretrained: FAnoGAN, given: dict[str, Any], expected: str | None
) -> None:
    config = detector_config(FAnoGAN(**given).get_params(), pretrained.codec_)
    assert config.backbone == expected


def test_photographs_are_read_with_a_limited_number_of_pixels() -> None:
    for shape, size in (((600, 600), (320, 320)), ((100, 1600), (80, 1280)), ((90, 80), (90, 80))):
        codec = new_codec(FAnoGAN().get_params(), np.zeros((2, *shape), dtype=np.uint8))
        assert codec.detailed == size
        read = codec.module.detailed_pixels(codec.prepare(np.zeros((1, *shape), dtype=np.uint8)))
        assert all(side % 16 == 0 for side in read.shape[2:])
        assert np.allclose(read.shape[2:], size, atol=8) and float(read.max()) == pytest.approx(-1)


def test_brightness_and_contrast_do_not_count_without_a_backbone(plain: FAnoGAN) -> None:
    images = crops(5, 3) // 2
    brighter = (images + 100).astype(np.uint8)
    np.testing.assert_allclose(
        plain.anomaly_score(brighter), plain.anomaly_score(images), atol=0.05
    )


def test_a_loaded_model_has_the_same_scores_and_heat(detector: FAnoGAN, tmp_path: Path) -> None:
    detector.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    images = crops(7, 4)
    assert np.array_equal(loaded.anomaly_score(images), detector.anomaly_score(images))
    assert np.array_equal(loaded.explain(images), detector.explain(images))
    assert loaded.pixel_threshold_ == detector.pixel_threshold_


def test_an_image_is_scored_the_same_whatever_stands_beside_it(detector: FAnoGAN) -> None:
    images = crops(20, 5)
    together = detector.anomaly_score(images)
    alone = np.concatenate([detector.anomaly_score(image[None]) for image in images])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("name, value", [("restoration_steps", 5), ("detail_size", 40)])
def test_parameters_of_details_change_scores(name: str, value: int) -> None:
    few = {**QUICK, "backbone": None, "restoration_steps": 3, "detail_size": 64, "random_state": 0}
    changed = FAnoGAN(**{**few, name: value}).fit(crops(20, 0))
    other = FAnoGAN(**few).fit(crops(20, 0))
    images = crops(5, 1)
    assert not np.allclose(changed.anomaly_score(images), other.anomaly_score(images))


@pytest.mark.slow
def test_a_stopped_run_is_resumed_in_the_restoration(tmp_path: Path) -> None:
    params = {**QUICK, "restoration_steps": 20, "detail_size": 32, "random_state": 0}
    whole = FAnoGAN(**params).fit(crops(20, 0))
    file = tmp_path / "state"

    def stop(row: dict[str, Any]) -> None:
        if row["phase"] == "restoration" and row["step"] == 10:
            raise KeyboardInterrupt

    stopped = FAnoGAN(**params, checkpoint=file, checkpoint_interval=0, callbacks=[stop])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(crops(20, 0))
    resumed = FAnoGAN(**params, checkpoint=file, resume=True).fit(crops(20, 0))
    images = crops(5, 1)
    assert np.array_equal(resumed.anomaly_score(images), whole.anomaly_score(images))


def test_colour_and_float_images_are_photographs_too() -> None:
    china = load_sample_image("china.jpg")[:80, :600]
    images = np.stack([china[:, i : i + 80] for i in range(0, 500, 20)])
    fitted = FAnoGAN(**{**QUICK, "restoration_steps": 2}).fit(images / 255.0)
    assert fitted.explain(images[:3] / 255.0).shape == (3, 80, 80)
    assert fitted.sample(2).shape == (2, 80, 80, 3)


# The parts


def test_a_local_memory_equals_a_plain_loop() -> None:
    random = torch.Generator().manual_seed(0)
    known, asked = (torch.randn(n, 2, 9, 7, generator=random) for n in (12, 4))
    head = LocalNeighbours(n_neighbors=2, memory_size=100)
    head.fit(_CoarseView(known), np.random.default_rng(0))
    pad = torch.nn.functional.pad
    wide_known, wide = (pad(part, (2, 2, 2, 2), mode="replicate") for part in (known, asked))
    plain = torch.zeros(4, 9, 7)
    for i in range(9):
        for j in range(7):
            here = wide[:, :, i : i + 5, j : j + 5].flatten(1)
            there = wide_known[:, :, i : i + 5, j : j + 5].flatten(1)
            plain[:, i, j] = torch.cdist(here, there).topk(2, largest=False).values.mean(dim=1)
    expected = torch.nn.functional.avg_pool2d(plain, 3, 1, 1, count_include_pad=False)
    found = head.map(_CoarseView(asked))
    assert torch.allclose(found, expected, atol=1e-3)
    scores = head(_CoarseView(asked))
    n_top = round(0.2 * 63)
    assert torch.allclose(scores, expected.flatten(1).topk(n_top).values.mean(dim=1), atol=1e-3)


class _CoarseView:
    """What a local memory asks for."""

    def __init__(self, coarse: torch.Tensor) -> None:
        self.coarse = coarse


def test_a_memory_keeps_what_it_may() -> None:
    head = LocalNeighbours(n_neighbors=1, memory_size=5)
    head.fit(_CoarseView(torch.randn(30, 1, 8, 8)), np.random.default_rng(0))
    assert len(head.bank) == 5


def test_a_heatmap_is_on_the_scale_of_normal_pixels() -> None:
    random = torch.Generator().manual_seed(0)
    maps = [torch.randn(50, size, size, generator=random).exp() * 7 for size in (8, 16)]
    heatmap = Heatmap([1.0, 1.0])
    nothing: Any = None  # it has no pixels to learn from
    heatmap.fit(maps, nothing, nothing, np.random.default_rng(0))
    heat = heatmap(maps, nothing)
    assert heat.shape == (50, 16, 16)
    assert abs(float(heat.median())) < 0.1
    for rate in (0.2, 0.01):
        above = float((heat > pixel_threshold(heatmap.thresholds, rate)).float().mean())
        assert above == pytest.approx(rate, abs=2e-3)
    alone = Heatmap([1.0, 0.0])
    alone.fit(maps, nothing, nothing, np.random.default_rng(0))
    upsampled = torch.nn.functional.interpolate(maps[0][:, None], size=(16, 16), mode="bilinear")
    order = alone(maps, nothing).flatten().argsort()
    values = upsampled.flatten()[order]  # the second map has no weight
    assert (values.diff() > -1e-5).all()


def test_deviations_of_pixels_are_those_from_the_same_place() -> None:
    random = torch.Generator().manual_seed(0)
    part = torch.randn(1, 1, 32, 48, generator=torch.Generator().manual_seed(1)) / 4
    images = part + 0.02 * torch.randn(60, 1, 32, 48, generator=random)
    usual = PixelDeviation()
    usual.fit(iter(images[:50].split(20)))
    assert usual.mean.shape == (3, 32, 48)
    good = usual(images[50:])
    assert 0.4 < float(good.square().mean()) < 1.2  # of z-scores, with larger variances
    bad = images[50:].clone()
    bad[:, :, 10, 5:40] += 0.2
    found = usual(bad)
    assert found[:, 10, 5:40].min() > 1.5 * found[:, 20:].max()
    shifted = PixelDeviation()
    shifted.aligned = False
    shifted.fit(iter([images]))
    assert shifted.mean.shape == (3, 1, 1)


def parts(n: int, seed: int) -> np.ndarray:
    """Return images of a part that lies alike, with noise, in slightly different light."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96]
    part = np.where(np.hypot(y - 48, x - 48) < 40, 140.0, 60.0)
    part[36:60, 36:60] = 90
    light = random.normal(1, 0.03, (n, 1, 1))
    return (part * light + random.normal(0, 3, (n, 96, 96))).clip(0, 255).astype(np.uint8)


def test_masks_are_about_as_large_as_the_scratch() -> None:
    """A thin scratch makes all patches hot that touch it, but not their pixels."""
    detector = FAnoGAN(random_state=0).fit(parts(60, 0))
    images = parts(12, 1)
    mask = np.zeros(images.shape, dtype=bool)
    mask[:, 20:76, 66:68] = True  # 1.2 % of the area
    found = detector.explain(np.where(mask, images * 1.2, images).astype(np.uint8))
    hot = found > detector.pixel_threshold_
    overlap = (hot & mask).sum((1, 2)) / (hot | mask).sum((1, 2))
    assert overlap.mean() > 0.4
    assert (hot.sum((1, 2)) < 3 * mask.sum((1, 2))).all()


def test_pixel_fpr_sets_the_threshold_of_pixels(pretrained: FAnoGAN) -> None:
    own = pretrained.pixel_threshold_
    assert own == pretrained.pixel_threshold_at(0.001) < pretrained.pixel_threshold_at(1e-4)
    detector = clone(pretrained).set_params(pixel_fpr=0.01)
    vars(detector).update({**vars(pretrained), "pixel_fpr": 0.01})
    assert detector.pixel_threshold_ == pretrained.pixel_threshold_at(0.01) < own
    for wrong in (0, 1, -0.1, "much", None, True):
        with pytest.raises(ParameterError, match="pixel_fpr="):
            pretrained.pixel_threshold_at(wrong)


@pytest.mark.parametrize("channels", [1, 3])
def test_made_up_defects_replace_a_part(channels: int) -> None:
    images = torch.randn(64, channels, 48, 40, generator=torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(1)
    damaged, where = damage(images, images.roll(1, 0), random)
    assert damaged.shape == images.shape and where.shape == (64, 1, 48, 40)
    changed = (damaged - images).abs().amax(dim=1, keepdim=True)
    assert torch.isfinite(damaged).all()
    assert (changed[where == 0].mean() < 0.2 * changed[where == 1].mean()).item()
    assert 0.02 < where.mean() < 0.5
    again = damage(images, images.roll(1, 0), torch.Generator().manual_seed(1))
    assert torch.equal(again[0], damaged) and torch.equal(again[1], where)


def test_regions_have_many_sizes() -> None:
    regions = draw_regions(400, 64, 64, torch.Generator().manual_seed(0))
    assert regions.shape == (400, 1, 64, 64) and regions.min() >= 0 and regions.max() <= 1
    shares = regions.mean(dim=(1, 2, 3))
    assert shares.quantile(0.2) < 0.02 and shares.quantile(0.9) > 0.2


@pytest.mark.parametrize("size", [(8, 8), (33, 47), (64, 32), (100, 9)])
def test_a_restoration_has_the_size_of_the_image(size: tuple[int, int]) -> None:
    network = RestorationNetwork(3, width=4)
    images = torch.randn(2, 3, *size)
    assert network.change(images).shape == (2, *size)
    assert torch.isfinite(network.loss(images, torch.Generator().manual_seed(0)))


def test_training_teaches_the_restoration(plain: FAnoGAN) -> None:
    losses = [row["restoration_loss"] for row in plain.history_ if "restoration_loss" in row]
    assert losses[-1] < losses[0]


def test_bytes_are_not_copied_to_floats() -> None:
    images = crops(4, 0)
    codec = ImageCodec(32, True, 64).fit(images)
    assert codec.prepare(images).dtype == torch.uint8
    assert codec.module.detail(codec.prepare(images)).shape == (4, 1, 64, 58)
    detail = codec.module.detail(codec.prepare(images))
    assert detail.mean().abs() < 0.05 and abs(float(detail.std()) - 1) < 0.3


def test_images_are_turned_as_far_as_they_may_be() -> None:
    images = torch.randn(50, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert symmetries_of(images) == ["left_right", "up_down", "diagonal"]
    assert symmetries_of(images[:, :, :, :24]) == ["left_right", "up_down"]
    left, top = images.clone(), images.clone()
    left[:, :, :, :16] += 5
    top[:, :, :16] += 5
    assert symmetries_of(left) == ["up_down"]
    assert symmetries_of(top) == ["left_right"]
    assert symmetries_of(top + left) == ["diagonal"]


def test_a_large_defect_leaves_the_rest_of_the_heat_alone() -> None:
    """Bright over a third of an image, it moves mean and deviation of all."""
    images = crops(30, 0).astype(np.float32)
    codec = ImageCodec(image_size=32, standardize=True, detail_size=64).fit(images)
    bad = images[:1].copy()
    bad[:, :, :24] += 100
    known, defective = (standardised(codec, part) for part in (images, bad))
    head = ImageNeighbours(1, 100)
    head.fit(known, np.random.default_rng(0))
    heat, plain = head.map(defective)[0], (defective.coarse - known.coarse[:1]).abs()[0, 0]
    inside, outside = slice(0, 3), slice(9, None)
    assert plain[:, outside].mean() > 0.3 * plain[:, inside].mean()
    assert heat[:, outside].mean() < 0.05 * heat[:, inside].mean()


def standardised(codec: ImageCodec, images: np.ndarray) -> View:
    networks: dict[str, Any] = dict.fromkeys(("inversion", "generator", "critic"))
    return View(*codec.module(codec.prepare(images)), **networks, codec=codec.module)
