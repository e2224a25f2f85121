"""Heads of a backbone's patches, against plain loops over images and places."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from augan.scoring.maps import blurred
from augan.scoring.patches import (
    FLOOR,
    BackboneFine,
    BackboneGaussian,
    BackboneMemory,
    are_aligned,
)

SIZE, FEATURES = (5, 4), 6


def view_of(patches: Tensor) -> Any:
    return SimpleNamespace(patches=patches, fine_patches=2 * patches)


def images(n: int, seed: int, *, aligned: bool = True) -> Tensor:
    """Return patches (n, K, h, w) of places that differ more than images do, or of textures."""
    random = torch.Generator().manual_seed(seed)
    places = 4 * torch.randn(FEATURES, *SIZE, generator=torch.Generator().manual_seed(9))
    noise = torch.randn(n, FEATURES, *SIZE, generator=random)
    return places + noise * torch.linspace(0.2, 2, SIZE[1]) if aligned else noise


def fitted(head: Any, patches: Tensor, *, aligned: bool = True) -> Any:
    head.aligned = aligned
    head.fit(view_of(patches), np.random.default_rng(0))
    return head


def test_whether_the_same_places_are_alike() -> None:
    random = np.random.default_rng(0)
    order = [torch.randperm(20, generator=torch.Generator().manual_seed(i)) for i in range(20)]

    def shuffled(patches: Tensor) -> Tensor:
        parts = zip(patches.flatten(2), order, strict=True)
        return torch.stack([one[:, places] for one, places in parts]).unflatten(2, SIZE)

    aligned, texture = images(20, 0), images(20, 0, aligned=False)
    assert are_aligned(aligned, shuffled(aligned), random)
    assert not are_aligned(texture, shuffled(texture), random)
    # as of padding: alike at the same places whether they are shifted or not
    assert not are_aligned(aligned, images(20, 1), random)
    assert not are_aligned(aligned[:1], shuffled(aligned)[:1], random)
    assert not are_aligned(torch.zeros(5, 3, *SIZE), torch.zeros(5, 3, *SIZE), random)


def test_distances_are_to_the_nearest_patches_around_the_same_place() -> None:
    train, rows = images(30, 0), images(4, 1)
    head = fitted(BackboneMemory(1, 100), train)
    height, width = SIZE
    expected = torch.empty(4, height, width)
    for i in range(height):
        for j in range(width):
            around = train[:, :, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            apart = (around.flatten(2) - rows[:, None, :, i, j, None]).norm(dim=2)
            expected[:, i, j] = apart.flatten(1).amin(dim=1)
    found = head.map(view_of(rows))
    relative = ((expected / head.usual).square() + FLOOR).sqrt()
    assert torch.allclose(found, relative, rtol=2e-2)  # it is stored in 8 bits
    assert head.usual.shape == SIZE
    assert head.usual[:, -1].min() > head.usual[:, 0].max()  # of the places that vary more


def test_usual_distances_are_those_between_training_images() -> None:
    """With 60 images, to the three that are nearest, not counting the image itself."""
    train = images(60, 0)
    head = fitted(BackboneMemory(1, 100), train)
    height, width = SIZE
    expected = torch.empty(height, width)
    for i in range(height):
        for j in range(width):
            around = train[:, :, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].flatten(2)
            apart = (around[None] - train[:, None, :, i, j, None]).norm(dim=2).amin(dim=2)
            apart.fill_diagonal_(torch.inf)
            expected[i, j] = apart.topk(3, dim=1, largest=False).values.mean(dim=1).median()
    assert torch.allclose(head.usual, blurred(expected[None], 5)[0], rtol=1e-2)


def test_the_memory_has_images_that_differ() -> None:
    """Most images are copies of five; a random sample would hold hardly any other."""
    random = torch.Generator().manual_seed(0)
    kinds = images(140, 0)
    copies = kinds[torch.randint(5, (600,), generator=random)]
    train = torch.cat([kinds, copies + 1e-3 * torch.randn(copies.shape, generator=random)])
    head = fitted(BackboneMemory(1, 100), train)
    assert head.bank.shape == (SIZE[0] * SIZE[1], FEATURES, 128)
    remembered = (head.bank * head.unit + head.centre).permute(2, 1, 0).flatten(1)
    nearest = torch.cdist(remembered, kinds.flatten(1)).argmin(dim=1)
    assert len(nearest.unique()) == 128  # no image is there with its copy


def test_textures_are_compared_with_patches_anywhere() -> None:
    train, rows = images(50, 0, aligned=False), images(3, 1, aligned=False)
    assert fitted(BackboneMemory(1, 400), train, aligned=False).bank.shape == (400, FEATURES)
    head = fitted(BackboneMemory(1, 1000), train, aligned=False)  # all of them
    known = train.movedim(1, -1).flatten(0, 2)
    apart = torch.cdist(rows.movedim(1, -1).flatten(1, 2), known).amin(dim=2)
    assert torch.allclose(head.map(view_of(rows)), apart.unflatten(1, SIZE), rtol=1e-2, atol=0.02)


def test_gaussians_have_covariances_that_are_shrunk_to_the_mean_one() -> None:
    train, rows = images(40, 0), images(3, 1)
    head = fitted(BackboneGaussian(), train)
    places = train.flatten(2).permute(2, 0, 1).numpy()  # (h * w, n, K)
    own = np.stack([np.cov(place.T, bias=True) for place in places])
    shrinkage = FEATURES / (40 + FEATURES)
    ridge = 0.1 * np.trace(own.mean(axis=0)) / FEATURES * np.eye(FEATURES)
    expected = torch.empty(3, *SIZE)
    for place, covariance in enumerate(own):
        shrunk = (1 - shrinkage) * covariance + shrinkage * own.mean(axis=0) + ridge
        i, j = divmod(place, SIZE[1])
        apart = (rows[:, :, i, j] - train[:, :, i, j].mean(dim=0)).numpy()
        squares = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(shrunk), apart) / FEATURES
        expected[:, i, j] = torch.from_numpy(np.sqrt(squares))
    assert torch.allclose(head.map(view_of(rows)), expected, rtol=5e-3)


def test_textures_have_one_gaussian() -> None:
    train = images(50, 0, aligned=False)
    head = fitted(BackboneGaussian(), train, aligned=False)
    assert head.whitening.shape == (1, FEATURES, FEATURES) and head.mean.shape == (FEATURES, 1, 1)
    found = head.map(view_of(images(200, 1, aligned=False)))
    assert float(found.square().mean()) == pytest.approx(1.0, rel=0.2)  # E |x|^2 / K


@pytest.mark.parametrize("head", [BackboneMemory(1, 10), BackboneGaussian()])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_or_equal_images_are_enough(head: Any, n: int) -> None:
    for train in (images(n, 0), images(1, 0).expand(n, -1, -1, -1), torch.zeros(n, 3, *SIZE)):
        found = fitted(head, train).map(view_of(torch.cat([train, train + 1])))
        assert torch.isfinite(found).all()
        assert found[n:].mean() > found[:n].mean()


def test_details_are_the_fine_patches() -> None:
    """Fine patches are twice the others here, which Mahalanobis distances do not depend on."""
    train, rows = images(40, 0), images(3, 1)
    coarse, fine = fitted(BackboneGaussian(), train), fitted(BackboneFine(), train)
    assert torch.allclose(fine.mean, 2 * coarse.mean)
    assert torch.allclose(fine.map(view_of(rows)), coarse.map(view_of(rows)), rtol=1e-3)
