"""The latent space: ways, holes, directions, truncation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits

from augan import AnoGAN, FAnoGAN
from augan.blending import blend
from augan.exceptions import DataError, ParameterError
from augan.inversion import spherical_path, truncated_normal

DIGITS = np.clip(16 * load_digits().images, 0, 255).astype(np.uint8)
LABELS = load_digits().target
TABLE = load_breast_cancer(as_frame=True).data.iloc[:200, :6]
HOLE = np.zeros((8, 8), dtype=bool)
HOLE[3:6, 2:6] = True


@pytest.fixture(scope="module")
def digits():
    """A detector of zeros and ones."""
    chosen = LABELS < 2
    return FAnoGAN(
        **{"max_steps": 120, "encoder_steps": 120, "pretext_steps": 1, "n_folds": 2},
        **{"gan": "dcgan", "n_critic": 1},
        **{"heads": ("data_neighbors",), "latent_dim": 16, "width": 16, "random_state": 0},
    ).fit(DIGITS[chosen][:300])


@pytest.fixture(scope="module")
def rows():
    """A detector of a table."""
    return FAnoGAN(
        max_steps=50,
        encoder_steps=50,
        n_critic=1,
        pretext_steps=1,
        heads=("data_neighbors",),
        random_state=0,
    ).fit(TABLE)


def test_latents_decode_to_the_reconstruction(digits, rows):
    z = digits.encode(DIGITS[:5])
    assert z.shape == (5, 16)
    assert np.array_equal(digits.generate(z), digits.reconstruct(DIGITS[:5]))
    z = rows.encode(TABLE[:5])
    pd.testing.assert_frame_equal(rows.generate(z), rows.reconstruct(TABLE[:5]), check_like=True)


def test_a_way_leads_from_one_image_to_another(digits):
    way = digits.interpolate(DIGITS[[0]], DIGITS[[1]], 7)
    assert way.shape == (7, 8, 8) and way.dtype == np.uint8
    assert np.array_equal(way[[0, -1]], digits.reconstruct(DIGITS[:2]))
    to_start = np.abs(way - way[0].astype(float)).mean(axis=(1, 2))
    assert (np.diff(to_start) > 0).sum() >= 5  # away from the start, but for one step
    steps = np.abs(np.diff(way.astype(float), axis=0)).mean(axis=(1, 2))
    assert steps.max() < to_start[-1]  # no jump from one to the other


def test_a_way_between_rows_of_a_table(rows):
    way = rows.interpolate(TABLE[:1], TABLE[1:2], 4)
    assert list(way) == list(TABLE) and len(way) == 4


def test_a_path_keeps_to_the_sphere():
    random = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 200, generator=random, dtype=torch.float64)
    path = spherical_path(start, end, 9)
    assert torch.allclose(path[[0, -1]], torch.stack([start, end]))
    norms = path.norm(dim=1)
    assert norms.min() > 0.95 * min(start.norm(), end.norm())
    assert ((start + end) / 2).norm() < 0.8 * norms.min()  # where a straight line would go
    for other in (start, -start, 0 * start):  # no arc, or any: a straight line
        assert torch.isfinite(spherical_path(start, other, 3)).all()


def test_holes_are_filled_better_than_by_what_is_around(digits):
    images = DIGITS[LABELS < 2][300:360]
    assert len(images) == 60
    filled = digits.inpaint(images, HOLE)
    assert filled.dtype == np.uint8
    assert np.array_equal(filled[:, ~HOLE], images[:, ~HOLE])
    smooth = blend(images, np.zeros(images.shape), np.broadcast_to(HOLE, images.shape))
    around = np.zeros_like(HOLE)
    around[2:7, 1:7] = True
    mean = images[:, around & ~HOLE].mean(axis=1)
    truth = images[:, HOLE].astype(float)
    error = np.abs(filled[:, HOLE] - truth).mean()
    assert error < 0.7 * np.abs(smooth[:, HOLE] - truth).mean()
    assert error < 0.7 * np.abs(mean[:, None] - truth).mean()


def test_what_is_in_a_hole_is_not_looked_at(digits):
    images = DIGITS[:3].copy()
    filled = digits.inpaint(images, HOLE, n_steps=20)
    images[:, HOLE] = 255 - images[:, HOLE]
    assert np.array_equal(digits.inpaint(images, HOLE, n_steps=20), filled)


def test_each_image_may_have_holes_of_its_own(digits):
    masks = np.stack([HOLE, HOLE.T, HOLE[::-1]])
    filled = digits.inpaint(DIGITS[:3], masks, n_steps=10)
    assert all(np.array_equal(f[~m], x[~m]) for f, m, x in zip(filled, masks, DIGITS, strict=False))
    assert not np.array_equal(filled[1][HOLE.T], DIGITS[1][HOLE.T])


def test_filling_changes_no_network_and_no_random_state(digits):
    before = {k: v.clone() for k, v in digits.scorer_.state_dict().items()}
    state = torch.get_rng_state()
    first = digits.inpaint(DIGITS[:2], HOLE, n_steps=5)
    assert np.array_equal(first, digits.inpaint(DIGITS[:2], HOLE, n_steps=5))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[k], v) for k, v in digits.scorer_.state_dict().items())


def test_colour_images_and_floats_are_filled():
    colour = np.stack([DIGITS, 255 - DIGITS, DIGITS // 2], axis=3)[:60] / 255
    quick = {"max_steps": 5, "encoder_steps": 5, "pretext_steps": 1, "n_folds": 2, "width": 8}
    model = FAnoGAN(**quick, heads=("data_neighbors",), random_state=0).fit(colour)
    filled = model.inpaint(colour[:2], HOLE, n_steps=5)
    assert filled.shape == (2, 8, 8, 3) and filled.dtype == float
    assert np.array_equal(filled[:, ~HOLE], colour[:2][:, ~HOLE])
    assert filled.min() >= 0 and filled.max() <= 1


def test_a_blend_has_the_gradients_of_what_is_made():
    rng = np.random.default_rng(0)
    image, hole = rng.normal(size=(1, 20, 20)), np.zeros((1, 20, 20), dtype=bool)
    hole[0, 5:12, 5:12] = True
    # what is made is the image itself, brighter: the blend is the image
    assert np.allclose(blend(image, image + 3, hole), image)
    # nothing is made: harmonic, each pixel the mean of those beside it
    smooth = blend(image, 0 * image, hole)[0]
    around = (smooth[:-2, 1:-1] + smooth[2:, 1:-1] + smooth[1:-1, :-2] + smooth[1:-1, 2:]) / 4
    assert np.allclose(smooth[1:-1, 1:-1][hole[0, 1:-1, 1:-1]], around[hole[0, 1:-1, 1:-1]])
    edge = np.zeros((1, 20, 20), dtype=bool)
    edge[0, :4] = True  # a hole at the border of the image
    assert np.allclose(blend(image, image - 1, edge), image)


def test_a_direction_leads_from_one_kind_to_the_other(digits):
    chosen = LABELS < 2
    images, ones = DIGITS[chosen], LABELS[chosen] == 1
    way = digits.direction(images[:200], ones[:200])
    zeros = images[300:][~ones[300:]]
    assert np.array_equal(digits.edit(zeros, way, 0.0), zeros)
    mean = images[:200][ones[:200]].mean(axis=0)
    distances = [
        np.abs(digits.edit(zeros, way, strength) - mean).mean() for strength in (-0.5, 0, 0.5, 1)
    ]
    assert distances == sorted(distances, reverse=True)


def test_rows_of_a_table_are_edited(rows):
    big = TABLE["mean radius"] > TABLE["mean radius"].median()
    way = rows.direction(TABLE, big)
    edited = rows.edit(TABLE[:20], way, 1.0)
    assert list(edited) == list(TABLE)
    assert edited["mean radius"].mean() > TABLE["mean radius"][:20].mean()


def test_truncated_latents_are_usual_ones(digits):
    random = torch.Generator().manual_seed(0)
    z = truncated_normal(4000, 5, 0.7, random)
    assert z.abs().max() <= 0.7 and z.dtype == torch.float32
    assert abs(float(z.mean())) < 0.02
    assert float(z.std()) == pytest.approx(0.387, abs=0.01)  # of a normal within 0.7
    assert float(truncated_normal(9000, 5, 9, random).std()) == pytest.approx(1, abs=0.02)
    usual, alike = (digits.sample(200, 0, truncation=limit) for limit in (None, 0.3))
    assert alike.std(axis=0).mean() < 0.7 * usual.std(axis=0).mean()
    assert np.array_equal(digits.sample(5, 0), digits.sample(5, 0, truncation=None))


def test_a_model_without_encoder_searches():
    model = AnoGAN(max_steps=5, search_steps=3, heads=("data_neighbors",), random_state=0)
    model.fit(TABLE)
    assert model.interpolate(TABLE[:1], TABLE[1:2], 3).shape == (3, 6)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda d: d.inpaint(DIGITS[:2], HOLE[:7]), DataError, r"mask of shape \(7, 8\): must be"),
        (lambda d: d.inpaint(DIGITS[:2], HOLE.astype(int)), DataError, "mask of int64: must be"),
        (lambda d: d.inpaint(DIGITS[:2], HOLE & False), DataError, "image 0: no pixel is a hole"),
        (lambda d: d.inpaint(DIGITS[:2], HOLE | True), DataError, "image 0: every pixel is a hole"),
        (lambda d: d.inpaint(DIGITS[:2, :7], HOLE[:7]), DataError, "images of shape"),
        (lambda d: d.inpaint(DIGITS[:2], HOLE, n_steps=0), ParameterError, "n_steps=0: must be"),
        (lambda d: d.interpolate(DIGITS[:2], DIGITS[:1]), DataError, "a: 2 rows"),
        (lambda d: d.interpolate(DIGITS[:1], DIGITS[:1], 1), ParameterError, "n_steps=1"),
        (lambda d: d.generate(np.zeros((2, 3))), DataError, r"\(2, 3\): must be \(n, 16\)"),
        (lambda d: d.generate(np.full((1, 16), np.nan)), DataError, "latents: must be finite"),
        (lambda d: d.edit(DIGITS[:2], np.zeros(3)), DataError, r"must be \(n, 16\)"),
        (lambda d: d.edit(DIGITS[:2], np.zeros(16), np.inf), ParameterError, "strength=inf"),
        (lambda d: d.direction(DIGITS[:3], [0, 0, 0]), DataError, "must have both"),
        (lambda d: d.direction(DIGITS[:3], [0, 1]), DataError, r"y has shape \(2,\) for 3 rows"),
        (lambda d: d.sample(3, truncation=0), ParameterError, "truncation=0: must be"),
    ],
)
def test_what_cannot_be_done_is_said(digits, use, error, message):
    with pytest.raises(error, match=message):
        use(digits)


def test_holes_are_for_images(rows):
    with pytest.raises(ParameterError, match="inpaint: is for images"):
        rows.inpaint(TABLE, HOLE)
