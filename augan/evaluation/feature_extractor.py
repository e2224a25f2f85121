"""Networks that generated images are judged by: what their features and classes say of images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import seeded_layers, torch_stream
from augan.classifiers.images import BATCH, DECAY, N_FEATURES, RATE, reading_layers
from augan.codecs.image import ENCODED_AT_ONCE, ImageCodec
from augan.exceptions import DataError
from augan.networks.backbone import read_weights
from augan.networks.pretext import Transforms
from augan.training.phases import freeze, set_rate

Array = NDArray[np.float64]
Images = NDArray[Any]

WIDTH = 32
N_EPOCHS, MAX_STEPS = 30, 1500
INCEPTION_SIDE = 299
INCEPTION_FILE = "inception_v3_google-0cc3c7bd.pth"  # as torchvision calls its weights
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # means and deviations of its pixels


class Judge(nn.Module):
    """Features (n, F) of encoded images (n, C, h, w), and classes by them.

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        Real images: how they are read is how generated ones are.
    """

    name: str
    layers: nn.Module
    classify: nn.Module

    def __init__(self, images: Images) -> None:
        super().__init__()
        self.codec = ImageCodec().fit(images)

    @torch.no_grad()
    def read(self, images: Images) -> tuple[Array, Array]:
        """Return features (n, F) and probabilities of classes (n, K) of images (n, H, W[, C])."""
        raw = self.codec.prepare(images)
        parts = [self.layers(self.codec.module(part)[0]) for part in raw.split(ENCODED_AT_ONCE)]
        features: Tensor = torch.cat(parts)
        return features.double().numpy(), self.classify(features).double().softmax(1).numpy()


class OwnJudge(Judge):
    """A small classifier that learns from the user's own images; nothing is downloaded.

    It learns their classes or, without any, how they were turned and moved (Golan 2018).

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        Real images to learn from.
    classes : ndarray of int of shape (n,), or None
        Their classes, from 0 on.
    seed : int
        Seed of the weights and of training.
    """

    def __init__(self, images: Images, classes: NDArray[np.int64] | None, seed: int) -> None:
        super().__init__(images)
        transforms = Transforms(self.codec.spec)
        n_outputs = len(transforms) if classes is None else int(classes.max()) + 1
        self.name = "a classifier of " + ("their turns" if classes is None else "their classes")
        with seeded_layers(seed, "judge"):
            self.layers = reading_layers(self.codec.spec, WIDTH)
            self.classify = nn.Linear(N_FEATURES, n_outputs)
        raw, random = self.codec.prepare(images), torch_stream(seed, "judge")
        given = torch.zeros(len(raw)) if classes is None else torch.from_numpy(classes)
        optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=DECAY)
        n_steps = min(N_EPOCHS * len(raw) // BATCH, MAX_STEPS)
        for step in range(n_steps):
            set_rate(optimizer, RATE * (1 - step / n_steps))
            drawn = torch.randint(len(raw), (BATCH,), generator=random)
            shown, target = self.codec.module(raw[drawn])[0], given[drawn]
            if classes is None:
                shown, target = transforms.draw(shown, random)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(self.classify(self.layers(shown)), target).backward()
            optimizer.step()
        freeze(self)


class InceptionJudge(Judge):
    """torchvision's Inception v3, of weights that are already there; nothing is downloaded.

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        Real images.
    weights : path-like or None, default=None
        File with its weights; None is torchvision's own in the cache of ``torch.hub``.

    Raises
    ------
    DataError
        When there are none, or the file has others.
    """

    name = "Inception v3, torchvision's weights"

    def __init__(self, images: Images, weights: str | os.PathLike[str] | None = None) -> None:
        super().__init__(images)
        file = Path(weights or Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE)
        state = read_weights(file)
        from torchvision.models import inception_v3  # takes a second, and few need it

        network = inception_v3(weights=None, init_weights=False)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise DataError(f"{file}: not the weights of torchvision's inception_v3") from error
        self.classify, network.fc = network.fc, nn.Identity()
        self.layers = nn.Sequential(_AsInceptionSees(), network)
        freeze(self)


class _AsInceptionSees(nn.Module):
    """Images of [-1, 1] as RGB of 299 pixels a side, in deviations of ImageNet's pixels."""

    def forward(self, images: Tensor) -> Tensor:
        colour = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
        size = (INCEPTION_SIDE, INCEPTION_SIDE)
        large = F.interpolate(colour, size=size, mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(value)[:, None, None] for value in IMAGENET)
        return ((large + 1) / 2 - mean) / deviation
