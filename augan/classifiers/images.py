"""A small convolutional classifier of images; its layers also extract features."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import seeded_layers, torch_stream
from augan._sklearn import BaseEstimator, ClassifierMixin
from augan.codecs.image import ENCODED_AT_ONCE, ImageCodec
from augan.codecs.spec import ImageSpec
from augan.networks.augment import shifted
from augan.networks.conv import halving_channels, n_flat
from augan.networks.layers import SLOPE
from augan.training.phases import set_rate

N_FEATURES = 128
SIDE, WIDTH = 32, 16  # largest side of the encoded images, and channels of the first layer
BATCH = 64
RATE, DECAY = 2e-3, 1e-2  # AdamW's learning rate and weight decay


def feature_layers(spec: ImageSpec, width: int) -> nn.Sequential:
    """Build layers from encoded images (n, C, h, w) to features (n, 128)."""
    channels = halving_channels(spec, width)
    layers: list[nn.Module] = []
    for before, size in pairwise([spec.channels, *channels]):
        layers += [
            nn.Conv2d(before, size, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(size),
            nn.LeakyReLU(SLOPE),
        ]
    flat = nn.Linear(n_flat(spec, channels), N_FEATURES)
    return nn.Sequential(*layers, nn.Flatten(), flat, nn.LeakyReLU(SLOPE))


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """Classifies images, resized to at most 32 pixels a side; trained on random shifts of them.

    Parameters
    ----------
    n_steps : int, default=600
        Training steps, independent of the number of images.
    random_state : int, default=0
        Seed of the weights, the batches and the shifts.
    """

    def __init__(self, n_steps: int = 600, random_state: int = 0) -> None:
        self.n_steps = n_steps
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> ImageClassifier:
        """Fit to images (n, H, W[, C]) and their classes (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.codec_ = ImageCodec(min(SIDE, max(X.shape[1:3]))).fit(X)
        raw, labels = self.codec_.prepare(X), torch.from_numpy(codes)
        random = torch_stream(self.random_state, "classifier")
        with seeded_layers(self.random_state, "classifier"):
            head = nn.Linear(N_FEATURES, len(self.classes_))
            self.network_ = nn.Sequential(feature_layers(self.codec_.spec, WIDTH), head)
        optimizer = torch.optim.AdamW(self.network_.parameters(), lr=RATE, weight_decay=DECAY)
        for step in range(self.n_steps):
            set_rate(optimizer, RATE * (1 - step / self.n_steps))
            drawn = torch.randint(len(raw), (BATCH,), generator=random)
            images = shifted(self.codec_.module(raw[drawn])[0], random)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(self.network_(images), labels[drawn]).backward()
            optimizer.step()
        self.network_.eval()
        return self

    @torch.no_grad()
    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities (n, K) of the classes of images (n, H, W[, C])."""
        parts = self.codec_.prepare(X).split(ENCODED_AT_ONCE)
        outputs: Tensor = torch.cat([self.network_(self.codec_.module(part)[0]) for part in parts])
        return np.asarray(outputs.double().softmax(dim=1).numpy())

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the most probable class of each image."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
