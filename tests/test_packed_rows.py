"""Encoded rows as they are stored in model files."""

from __future__ import annotations

import pytest
import torch

from augan.sampling.packed_rows import pack, unpack


@pytest.mark.parametrize("n_binary", [0, 1, 8, 11])
def test_packed_rows_are_the_same_rows(n_binary: int) -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(37, 14, generator=random)
    rows[:, torch.randperm(14, generator=random)[:n_binary]] = 1.0
    rows[3] = rows[3].clamp(min=0)
    packed = pack(rows)
    assert packed["rows"].shape == (37, 14 - n_binary)
    assert torch.equal(unpack(packed), rows)


def test_categories_take_a_bit_each() -> None:
    rows = torch.eye(16).repeat(100, 1)
    packed = pack(rows)
    assert sum(tensor.nbytes for tensor in packed.values()) == 1600 * 2 + 16


def test_images_and_rows_of_older_files_stay_as_they_are() -> None:
    images = torch.zeros(5, 1, 4, 4)
    assert pack(images)["rows"] is images
    assert torch.equal(unpack({"rows": images}), images)


@pytest.mark.parametrize(
    "change",
    [
        {"bits": torch.zeros(3, 1, dtype=torch.uint8)},
        {"bits": torch.zeros(4, 2, dtype=torch.uint8)},
        {"bits": torch.zeros(4, 1)},
        {"binary": torch.ones(3)},
        {"rows": torch.zeros(4, 1)},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, torch.Tensor]) -> None:
    packed = pack(torch.eye(4)[:, :3])
    with pytest.raises(ValueError, match="bits"):
        unpack(packed | change)
