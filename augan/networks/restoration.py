"""A network that restores damaged images: a defect is where it changes an image."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan.networks.pseudo_defects import damage
from augan.networks.tiling import in_tiles

LEARNED_SIDE = 128  # largest side of training images, in pixels
OVERLAP = 32  # overlap of tiles, in pixels
PIXELS_AT_ONCE = 2**20
N_HALVINGS = 4
STEM = 2  # side of the blocks of pixels that become channels (pixel unshuffle)
MAX_GROWTH = 8  # channels double at every halving, up to `MAX_GROWTH * width`
GROUPS = 4  # of group normalisation
REPLACED_WEIGHT = 10.0  # of replaced pixels in the loss; all others have weight 1
HUBER_BETA = 0.1  # standard deviations; smaller errors have a quadratic loss


class RestorationNetwork(nn.Module):
    """A U-Net (Ronneberger 2015) that removes pseudo-defects and segments them.

    A reconstructive and a discriminative part as in DRAEM (Zavrtanik 2021), in one network.

    Parameters
    ----------
    channels : int
        Channels of the images.
    width : int
        Channels of the first level.
    """

    def __init__(self, channels: int, *, width: int) -> None:
        super().__init__()
        self.channels = channels
        widths = [width * min(2**i, MAX_GROWTH) for i in range(N_HALVINGS + 1)]
        before = [channels * STEM**2, *widths[:-1]]
        self.down = nn.ModuleList(map(_block, before, widths))
        self.up = nn.ModuleList(_block(deeper + own, own) for own, deeper in pairwise(widths))
        self.last = nn.Conv2d(width, (channels + 1) * STEM**2, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the correction of images (n, C, h, w), and logits (n, 1, h, w).

        The correction is added to an image to restore it; the logits are those of the probability
        that a pixel was replaced.
        """
        height, width = images.shape[2:]
        multiple = STEM * 2**N_HALVINGS
        bottom, right = -height % multiple, -width % multiple
        x = F.pad(images, (0, right, 0, bottom), mode="replicate")
        x = F.pixel_unshuffle(x, STEM).contiguous(memory_format=torch.channels_last)
        passed = []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x)
            passed.append(x)
        for skip, block in zip(passed[-2::-1], list(self.up)[::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), skip], dim=1))
        out = F.pixel_shuffle(self.last(x), STEM)[:, :, :height, :width]
        return out[:, : self.channels], out[:, self.channels :]

    def loss(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Return the restoration error plus the cross-entropy of the replaced pixels."""
        others = images.roll(1, dims=0)
        damaged, where = damage(images, others, random)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=_has_fast_bfloat16(images)):
            change, logits = self(damaged)
        weight = 1 + (REPLACED_WEIGHT - 1) * where
        error = F.smooth_l1_loss(
            damaged + change.float(), images, reduction="none", beta=HUBER_BETA
        )
        found = F.binary_cross_entropy_with_logits(logits.float(), where)
        return (weight * error).mean() + found

    def correction(self, images: Tensor) -> Tensor:
        """Return the correction (n, C, h, w) that is added to images to restore them.

        Images larger than `LEARNED_SIDE` are processed in tiles: group normalisation depends on
        the size of its input.
        """
        return in_tiles(
            lambda tiles: self(tiles)[0],
            images,
            side=LEARNED_SIDE,
            overlap=OVERLAP,
            at_once=max(1, PIXELS_AT_ONCE // LEARNED_SIDE**2),
        )

    def change(self, images: Tensor) -> Tensor:
        """Return the mean absolute correction of each pixel (n, h, w), in standard deviations."""
        return self.correction(images).abs().mean(dim=1)


def _block(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.GroupNorm(GROUPS, after),
        nn.SiLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.GroupNorm(GROUPS, after),
        nn.SiLU(),
    )


def _has_fast_bfloat16(images: Tensor) -> bool:
    """Return whether the CPU is faster in bfloat16 than in float32."""
    if images.device.type != "cpu":
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
