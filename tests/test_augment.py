"""Differentiable augmentation: what it does to images, and that gradients pass."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

from augan import FAnoGAN, GANSampler
from augan.networks.augment import diff_augment


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_images_change_and_keep_their_shape() -> None:
    images = torch.rand(20, 3, 16, 24, generator=random(1))
    changed = diff_augment(images, random())
    assert changed.shape == images.shape
    assert ((changed - images).abs().amax(dim=(1, 2, 3)) > 0.01).all()
    assert torch.equal(changed, diff_augment(images, random()))
    assert not torch.equal(changed, diff_augment(images, random(2)))


def test_a_flat_image_changes_its_brightness_alone() -> None:
    changed = diff_augment(torch.zeros(50, 1, 8, 8), random())
    spread = changed.amax(dim=(1, 2, 3)) - changed.amin(dim=(1, 2, 3))
    assert spread.max() < 1e-6
    assert 0.2 < changed.abs().max() <= 0.25


def test_a_point_moves_by_at_most_an_eighth() -> None:
    images = torch.zeros(200, 1, 16, 16)
    images[:, 0, 8, 8] = 100.0
    places = diff_augment(images, random()).flatten(1).argmax(dim=1)
    rows, columns = places // 16, places % 16
    assert set(rows.tolist()) == set(columns.tolist()) == {6, 7, 8, 9, 10}


def test_gradients_pass_to_every_image() -> None:
    images = torch.rand(5, 1, 8, 8, requires_grad=True)
    diff_augment(images, random()).square().sum().backward()
    assert (images.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_it_changes_what_a_sampler_of_images_learns_and_nothing_in_tables() -> None:
    digits = load_digits()
    kept = digits.target < 2
    images, y = digits.images[kept], digits.target[kept]
    steps = {"max_steps": 5, "encoder_steps": 5, "width": 4}
    params = {"method": "latent", "random_state": 0, **steps}
    for X, differ in ((images, True), (images.reshape(len(images), -1), False)):
        with_it, without = (
            GANSampler(diff_augment=flag, **params).fit(X, y).sample(20)[0]
            for flag in (True, False)
        )
        assert (not np.array_equal(with_it, without)) == differ


def test_it_changes_what_a_detector_of_images_learns_and_nothing_in_tables() -> None:
    images = load_digits().images[:60]
    steps = {"max_steps": 5, "encoder_steps": 5, "pretext_steps": 1, "width": 4, "random_state": 0}
    for X, differ in ((images, True), (images.reshape(len(images), -1), False)):
        with_it, without = (
            FAnoGAN(diff_augment=flag, **steps).fit(X).sample(20) for flag in (True, False)
        )
        assert (not np.array_equal(with_it, without)) == differ
