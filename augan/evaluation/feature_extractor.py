"""Feature extractors: networks whose features real and generated images are compared in."""

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
from augan.classifiers.images import BATCH, DECAY, N_FEATURES, RATE, feature_layers
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
INCEPTION_FILE = "inception_v3_google-0cc3c7bd.pth"  # name of torchvision's file of weights
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of its pixels
STREAM = "judge"  # name of a random stream: it never changes, or the figures would


class FeatureExtractor(nn.Module):
    """Base class: features (n, F) of images, and class probabilities computed from them.

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        Real images; generated ones are encoded in the same way.
    """

    name: str
    layers: nn.Module
    classify: nn.Module

    def __init__(self, images: Images) -> None:
        super().__init__()
        self.codec = ImageCodec().fit(images)

    @torch.no_grad()
    def extract(self, images: Images) -> tuple[Array, Array]:
        """Return features (n, F) and class probabilities (n, K) of images (n, H, W[, C])."""
        raw = self.codec.prepare(images)
        parts = [self.layers(self.codec.module(part)[0]) for part in raw.split(ENCODED_AT_ONCE)]
        features: Tensor = torch.cat(parts)
        return features.double().numpy(), self.classify(features).double().softmax(1).numpy()


class LearnedFeatureExtractor(FeatureExtractor):
    """A small classifier trained on the given images; nothing is downloaded.

    It is trained on their classes or, without classes, to tell by how much an image was rotated
    and shifted [1]_.

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        Real images to train on.
    classes : ndarray of int of shape (n,), or None
        Their classes, from 0 on.
    seed : int
        Seed of the weights and of training.

    References
    ----------
    .. [1] Golan and El-Yaniv. "Deep anomaly detection using geometric transformations." NeurIPS,
       2018.
    """

    def __init__(self, images: Images, classes: NDArray[np.int64] | None, seed: int) -> None:
        super().__init__(images)
        transforms = Transforms(self.codec.spec)
        n_outputs = len(transforms) if classes is None else int(classes.max()) + 1
        task = "rotations and shifts" if classes is None else "the classes"
        self.name = f"a classifier trained on {task}"
        with seeded_layers(seed, STREAM):
            self.layers = feature_layers(self.codec.spec, WIDTH)
            self.classify = nn.Linear(N_FEATURES, n_outputs)
        self._train(images, classes, transforms, torch_stream(seed, STREAM))
        freeze(self)

    def _train(
        self,
        images: Images,
        classes: NDArray[np.int64] | None,
        transforms: Transforms,
        random: torch.Generator,
    ) -> None:
        raw = self.codec.prepare(images)
        labels = torch.zeros(len(raw)) if classes is None else torch.from_numpy(classes)
        optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=DECAY)
        n_steps = min(N_EPOCHS * len(raw) // BATCH, MAX_STEPS)
        for step in range(n_steps):
            set_rate(optimizer, RATE * (1 - step / n_steps))
            drawn = torch.randint(len(raw), (BATCH,), generator=random)
            batch, target = self.codec.module(raw[drawn])[0], labels[drawn]
            if classes is None:
                batch, target = transforms.draw(batch, random)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(self.classify(self.layers(batch)), target).backward()
            optimizer.step()


class InceptionFeatureExtractor(FeatureExtractor):
    """torchvision's Inception v3 with weights from a local file; nothing is downloaded.

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        Real images.
    weights : path-like or None, default=None
        File with its weights. If None, the file in the cache of ``torch.hub``.

    Raises
    ------
    DataError
        When there is no such file, or it does not hold weights of torchvision's Inception v3.
    """

    name = "torchvision's Inception v3"

    def __init__(self, images: Images, weights: str | os.PathLike[str] | None = None) -> None:
        super().__init__(images)
        file = Path(weights or Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE)
        state = read_weights(file)
        from torchvision.models import inception_v3  # slow to import and rarely needed

        network = inception_v3(weights=None, init_weights=False)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise DataError(f"{file}: not the weights of torchvision's inception_v3") from error
        self.classify, network.fc = network.fc, nn.Identity()
        self.layers = nn.Sequential(_InceptionInput(), network)
        freeze(self)


class _InceptionInput(nn.Module):
    """Turns images in [-1, 1] into 299 x 299 RGB, standardised as ImageNet's pixels are."""

    def forward(self, images: Tensor) -> Tensor:
        colour = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
        size = (INCEPTION_SIDE, INCEPTION_SIDE)
        large = F.interpolate(colour, size=size, mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(value)[:, None, None] for value in IMAGENET)
        return ((large + 1) / 2 - mean) / deviation
