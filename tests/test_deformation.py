"""Deformed and noisy images: where things end up, and how far."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from augan.sampling import deformation
from augan.sampling.deformation import add_noise, deform, reflect, relight

N, HEIGHT, WIDTH, RADIUS = 200, 40, 80, 10


@pytest.fixture(scope="module")
def discs() -> torch.Tensor:
    """Images of a disc in the middle, in a frame twice as wide as high."""
    y, x = torch.meshgrid(_middle(HEIGHT), _middle(WIDTH), indexing="ij")
    disc = (RADIUS + 0.5 - (x**2 + y**2).sqrt()).clamp(0, 1)
    return disc.expand(N, 1, HEIGHT, WIDTH)


def _middle(size: int) -> torch.Tensor:
    return torch.arange(size) - (size - 1) / 2


def test_without_an_amount_nothing_changes(discs: torch.Tensor) -> None:
    random = torch.Generator().manual_seed(0)
    assert torch.allclose(deform(discs, 0.0, random), discs, atol=1e-5)
    assert torch.equal(add_noise(discs, 0.0, random), discs)
    assert torch.allclose(relight(discs, 0.0, random), discs, atol=1e-6)


def test_a_disc_stays_nearly_one_in_a_wide_frame(
    discs: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("augan.sampling.deformation.GRID_DEVIATION", 0.0)
    found = deform(discs, 1.0, torch.Generator().manual_seed(0))[:, 0].clamp(0, 1)
    mass = found.sum(dim=(1, 2))
    scale = (mass / discs[0].sum()).sqrt()
    assert scale.min() > 1 / (1 + deformation.MAX_ZOOM) / (1 + deformation.MAX_SHEAR) ** 0.5 - 0.02
    assert scale.max() < (1 + deformation.MAX_ZOOM) * (1 + deformation.MAX_SHEAR) ** 0.5 + 0.02
    assert scale.std() > 0.3 * deformation.MAX_ZOOM
    for axis, places in ((1, _middle(WIDTH)), (2, _middle(HEIGHT))):
        centre = (found.sum(dim=axis) * places).sum(dim=1) / mass
        assert centre.abs().max() < 0.2
    wide, high = (
        ((found.sum(dim=axis) * places**2).sum(dim=1) / mass).sqrt()
        for axis, places in ((1, _middle(WIDTH)), (2, _middle(HEIGHT)))
    )
    limit = ((1 + deformation.MAX_STRETCH) ** 2) * (
        1 + deformation.MAX_SHEAR + deformation.MAX_ROTATION
    )
    assert (wide / high).max() < limit and (high / wide).max() < limit
    assert (wide / high).std() > 0.5 * deformation.MAX_STRETCH


def _text(image: torch.Tensor) -> str:
    return str(image.flatten().tolist())


def test_reflections_are_those_of_the_symmetry_each_as_often() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    turned = [torch.rot90(image, k, (2, 3)) for k in range(4)]
    dihedral = {_text(one) for one in (*turned, *(one.mT for one in turned))}
    flips = {_text(image.flip(axes)) for axes in ((), (2,), (3,), (2, 3))}
    for symmetry, expected in (("flips", flips), ("dihedral", dihedral)):
        found = reflect(image.expand(4000, -1, -1, -1), symmetry, torch.Generator().manual_seed(0))
        counts = Counter(map(_text, found))
        assert counts.keys() == expected
        assert min(counts.values()) > 0.8 * 4000 / len(expected)


def test_bends_move_each_part_by_another_way(discs: torch.Tensor) -> None:
    bent = deform(discs, 1.0, torch.Generator().manual_seed(0))
    again = deform(discs, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(bent, again)
    assert (bent - discs).abs().amax(dim=(1, 2, 3)).min() > 0.1


def test_noise_goes_by_the_deviation_of_each_image() -> None:
    random = torch.Generator().manual_seed(0)
    dim = torch.randn(N, 1, 20, 20, generator=random)
    images = torch.cat([dim, 4 * dim])
    strength = (add_noise(images, 0.5 / deformation.MAX_NOISE, random) - images).std(dim=(1, 2, 3))
    for own, deviation in ((strength[:N], 1), (strength[N:], 4)):
        assert own.min() < 0.02 * deviation and own.mean() == pytest.approx(
            0.25 * deviation, rel=0.15
        )
        assert 0.45 * deviation < own.max() < 0.6 * deviation
    flat = torch.zeros(2, 1, 8, 8)
    assert torch.equal(add_noise(flat, 1.0, random), flat)


def test_light_changes_contrast_and_brightness_of_each_image() -> None:
    random = torch.Generator().manual_seed(0)
    images = 3 + 2 * torch.randn(N, 3, 12, 12, generator=random)
    found = relight(images, 0.5, random)
    own, mean = images.std(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3))
    contrast = (found.std(dim=(1, 2, 3)) / own).log() / deformation.MAX_CONTRAST
    brightness = (found.mean(dim=(1, 2, 3)) - mean) / own / deformation.MAX_BRIGHTNESS
    for draws in (contrast, brightness):
        assert 0.45 < draws.max() <= 0.501 and -0.501 <= draws.min() < -0.45
        assert abs(draws.mean()) < 0.1
    pattern = (found - found.mean(dim=(1, 2, 3), keepdim=True)) / (
        images - images.mean(dim=(1, 2, 3), keepdim=True)
    )
    assert (pattern.flatten(1).std(dim=1) < 0.05 * pattern.flatten(1).mean(dim=1)).all()
