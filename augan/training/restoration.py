"""The training phase of the restoration network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from augan._random import torch_stream
from augan.networks import Networks
from augan.networks.restoration import LEARNED_SIDE
from augan.training.phases import SingleOptimizerPhase, freeze, set_rate
from augan.training.rows import LazyRows
from augan.training.steps import TrainingConfig, restoration_step

Turn = Callable[[Tensor], Tensor]

BATCH = 16
SYMMETRY_IMAGES, SYMMETRY_SIDE = 200, 16  # number and side of images for the test of symmetry
MAX_DISTANCE_RATIO = 1.1  # largest distance of transformed images, relative to that of images
LR_RESTORATION, DECAY_RESTORATION = 2e-3, 1e-2  # AdamW's learning rate and weight decay
TURNS: dict[str, Turn] = {  # their compositions are all symmetries of a square
    "left_right": lambda images: images.flip(3),
    "up_down": lambda images: images.flip(2),
    "diagonal": lambda images: images.transpose(2, 3),
}


class RestorationPhase(SingleOptimizerPhase):
    """Trains the restoration network on crops of images with made-up defects.

    Parameters
    ----------
    networks : Networks
        With `restoration`.
    train, held_out : LazyRows
        Raw images (n, C, H, W).
    detail : callable
        Function from raw images to details (n, C, h, w).
    config : TrainingConfig
        Gradient clipping (`gradient_clip`).
    seed : int
        Seed of the phase's random stream.
    """

    name = "restoration"
    stops_early = False

    def __init__(
        self,
        networks: Networks,
        train: LazyRows,
        held_out: LazyRows,
        config: TrainingConfig,
        seed: int,
        detail: Callable[[Tensor], Tensor],
        device: torch.device,
    ) -> None:
        assert networks.restoration is not None
        self.networks, self.train, self.config = networks, train, config
        self.detail, self.device, self.seed = detail, device, seed
        self.restoration = networks.restoration.to(memory_format=torch.channels_last)
        self.held_out = detail(held_out.first(BATCH)).to(device)
        self.turns = symmetries_of(detail(train.first(SYMMETRY_IMAGES)))
        self.optimizer = torch.optim.AdamW(
            self.restoration.parameters(),
            lr=LR_RESTORATION,
            weight_decay=DECAY_RESTORATION,
            fused=True,
        )
        # the names of streams determine their random numbers and must not change
        self.random = torch_stream(seed, "repair", device)
        self.picking = torch_stream(seed, "repair rows")

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step."""
        set_rate(self.optimizer, LR_RESTORATION * factor)
        drawn = torch.randint(len(self.train), (BATCH,), generator=self.picking)
        images = self._crops(self.detail(self.train[drawn].first(BATCH)))
        return restoration_step(
            self.restoration,
            images.to(self.device),
            self.optimizer,
            self.random,
            self.config.gradient_clip,
        )

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the loss on held-out images."""
        random = torch_stream(self.seed, "measure", self.device)
        return {"held_out_loss": float(self.restoration.loss(self.held_out, random))}

    def state_dict(self) -> dict[str, object]:
        """Return the state of networks, optimiser and random streams."""
        return {**super().state_dict(), "picking": self.picking.get_state()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore a state returned by `state_dict`."""
        super().load_state_dict(state)
        picking = state["picking"]
        assert isinstance(picking, Tensor)
        self.picking.set_state(picking.cpu())

    def finish(self) -> None:
        """Freeze the network, in the memory format of a loaded one."""
        self.restoration.to(memory_format=torch.contiguous_format)
        freeze(self.restoration)

    def _crops(self, images: Tensor) -> Tensor:
        """Return a random crop of the images, `LEARNED_SIDE` a side at most, randomly flipped."""
        height, width = (min(LEARNED_SIDE, side) for side in images.shape[2:])
        top, left = (
            int(torch.randint(side - kept + 1, (), generator=self.picking))
            for side, kept in zip(images.shape[2:], (height, width), strict=True)
        )
        crops = images[:, :, top : top + height, left : left + width]
        for name in self.turns:
            turned = torch.rand(len(crops), generator=self.picking) < 0.5
            crops = torch.where(turned[:, None, None, None], TURNS[name](crops), crops)
        return crops


def symmetries_of(images: Tensor) -> list[str]:
    """Return the names of the `TURNS` under which the distribution of images is symmetric.

    The criterion: the mean distance between transformed and other images (n, C, h, w) is at most
    `MAX_DISTANCE_RATIO` times the mean distance between images.
    """
    small = F.interpolate(
        images, size=(SYMMETRY_SIDE, SYMMETRY_SIDE), mode="bilinear", antialias=True
    )
    rows, others = small.flatten(1), ~torch.eye(len(small), dtype=torch.bool)
    apart = torch.cdist(rows, rows)[others].mean()
    square = images.shape[2] == images.shape[3]
    found = []
    for name, turn in TURNS.items():
        across = torch.cdist(turn(small).flatten(1), rows)[others].mean()
        if across <= MAX_DISTANCE_RATIO * apart and (square or name != "diagonal"):
            found.append(name)
    return found
