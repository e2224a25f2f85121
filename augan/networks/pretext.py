"""Pretext networks: self-supervised feature extractors, trained on normal rows.

The labels of a pretext task are generated from the data. The features of a network that solves
the task separate anomalies better than those of the critic, which is trained against a generator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan.codecs.spec import ImageSpec
from augan.networks.conv import halving_channels
from augan.networks.layers import SLOPE, SteadyLinear

MAX_SWAPPED = 0.5  # largest share of a row's columns that are replaced
LINEAR_UP_TO = 6.0  # standard deviations; larger numbers are compressed to their logarithm
SHIFT = 4  # images are shifted by 1 / SHIFT of a side


class PretextNetwork(nn.Module):
    """Base class: a feature extractor, and the loss of the task that it is trained on.

    Attributes
    ----------
    reads_standard : bool
        Whether its input is standardised rows; otherwise it is encoded rows, like the critic's.
    n_features : int
        Number of features.
    """

    reads_standard: bool
    n_features: int

    def features(self, rows: Tensor) -> Tensor:
        """Return features (n, F) of rows."""
        raise AssertionError("a subclass says which")  # pragma: no cover

    def loss(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return the loss of the task on a batch."""
        raise AssertionError("a subclass says of which task")  # pragma: no cover


class SwapPretext(PretextNetwork):
    """Detects which columns of a row were masked, and reconstructs them.

    This is VIME's pretext task (Yoon 2020, section 4.1): masked columns get the value of another
    random row, so their marginal distributions do not change, and the task can only be solved with
    dependencies between columns. VIME masks with one probability; here the share of masked columns
    is drawn for each row, up to `MAX_SWAPPED`.

    Parameters
    ----------
    owner : Tensor
        Column of each channel of a standardised row, (S,).
    varying : Tensor
        The channels (V,) that differ between training rows. The network reads these only.
    width : int
        Units of each of the three hidden layers.
    reconstruction_weight : float, default=1.0
        Weight of the reconstruction error in the loss; that of the mask's cross-entropy is 1.
    linear_up_to : float, default=6.0
        Standard deviations beyond which numbers are compressed to their logarithm.

    References
    ----------
    Yoon, Zhang, Jordon and van der Schaar (2020). VIME: Extending the Success of Self- and
    Semi-supervised Learning to Tabular Domain. NeurIPS.
    """

    reads_standard = True
    owner: Tensor
    varying: Tensor
    constant: Tensor
    order: Tensor

    def __init__(
        self,
        owner: Tensor,
        varying: Tensor,
        *,
        width: int,
        reconstruction_weight: float = 1.0,
        linear_up_to: float = LINEAR_UP_TO,
    ) -> None:
        super().__init__()
        self.reconstruction_weight, self.linear_up_to = reconstruction_weight, linear_up_to
        self.reads_all = len(varying) == len(owner)
        columns, own = owner[varying].unique(return_inverse=True)
        size, self.n_columns = len(varying), len(columns)
        others = torch.ones_like(owner, dtype=torch.bool).index_fill(0, varying, value=False)
        places = {"owner": own, "varying": varying, "constant": others.nonzero()[:, 0]}
        places["order"] = torch.cat([varying, places["constant"]]).argsort()
        for name, place in places.items():
            self.register_buffer(name, place, persistent=False)
        self.layers = nn.ModuleList(
            [SteadyLinear(size, width), nn.Linear(width, width), nn.Linear(width, width)]
        )
        self.n_features = 2 * width
        self.detect = nn.Linear(width, self.n_columns)
        self.repair = nn.Linear(width, size)

    def read(self, rows: Tensor) -> Tensor:
        """Return what the network sees of standardised rows (n, S): channels (n, V), compressed."""
        return compress(rows if self.reads_all else rows[:, self.varying], self.linear_up_to)

    def features(self, rows: Tensor) -> Tensor:
        """Return the activations of the last two layers (n, 2 * width) of standardised rows."""
        return torch.cat(self._hidden(self.read(rows))[-2:], dim=1)

    def loss(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return the cross-entropy of the mask plus the reconstruction error."""
        rows = self.read(rows)
        corrupted, swapped = swap_columns(rows, self.owner, self.n_columns, random)
        hidden = self._hidden(corrupted)[-1]
        found = F.binary_cross_entropy_with_logits(self.detect(hidden), swapped.to(rows.dtype))
        error = F.smooth_l1_loss(self.repair(hidden), rows)
        return found + self.reconstruction_weight * error

    def repair_error(self, rows: Tensor, features: Tensor) -> Tensor:
        """Return errors (n, S) of the reconstruction of standardised rows, compressed.

        `features` (n, F) are those that `features` returns of the rows. A channel that was constant
        in training is reconstructed as 0.
        """
        error: Tensor = self.repair(features[:, self.n_features // 2 :]) - self.read(rows)
        if self.reads_all:
            return error
        others = compress(rows[:, self.constant], self.linear_up_to)
        return torch.cat([error, others], dim=1)[:, self.order]

    def _hidden(self, x: Tensor) -> list[Tensor]:
        activations = []
        for layer in self.layers:
            x = F.silu(layer(x))
            activations.append(x)
        return activations


class TransformPretext(PretextNetwork):
    """Classifies which rotation and shift was applied to an image (Golan and El-Yaniv 2018).

    Parameters
    ----------
    spec : ImageSpec
        Spec of the images.
    width : int
        Channels of the first convolution.
    """

    reads_standard = False

    def __init__(self, spec: ImageSpec, *, width: int) -> None:
        super().__init__()
        self.transforms = Transforms(spec)
        layers: list[nn.Module] = []
        before = spec.channels
        channels = halving_channels(spec, width)
        for size in channels:
            layers += [nn.Conv2d(before, size, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            before = size
        n_halvings = len(channels)
        self.n_features = before * (spec.height >> n_halvings) * (spec.width >> n_halvings)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.classify = nn.Linear(self.n_features, len(self.transforms))

    def features(self, rows: Tensor) -> Tensor:
        """Return the input (n, F) of the classifier for images that are not transformed."""
        activations: Tensor = self.layers(rows)
        return activations

    def loss(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return the cross-entropy for one random transformation of each image."""
        images, chosen = self.transforms.draw(rows, random)
        return F.cross_entropy(self.classify(self.features(images)), chosen)

    def transform_nll(self, rows: Tensor) -> Tensor:
        """Return the mean of -log p(transform | image) over all transforms of each image, (n,)."""
        total = rows.new_zeros(rows.shape[0])  # `len` would be a constant in an exported graph
        for i in range(len(self.transforms)):
            logits = self.classify(self.features(self.transforms.apply(rows, i)))
            others = torch.cat([logits[:, :i], logits[:, i + 1 :]], dim=1).logsumexp(dim=1)
            total = total + _log_of_one_plus_exp(others - logits[:, i])
        return total / len(self.transforms)


class Transforms:
    """Rotations and shifts of images; the first one is the identity.

    Parameters
    ----------
    spec : ImageSpec
        Spec of the images. Square images are rotated by multiples of 90 degrees, others by 180.
    """

    def __init__(self, spec: ImageSpec) -> None:
        turns = (0, 1, 2, 3) if spec.height == spec.width else (0, 2)
        shifts = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
        self.moves = [(turn, shift) for turn in turns for shift in shifts]

    def __len__(self) -> int:
        return len(self.moves)

    def draw(self, images: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images (n, C, H, W), randomly transformed, and the indices (n,) of transforms."""
        chosen = torch.randint(len(self), (len(images),), generator=random, device=images.device)
        moved = torch.empty_like(images)
        for i in range(len(self)):
            moved[chosen == i] = self.apply(images[chosen == i], i)
        return moved, chosen

    def apply(self, images: Tensor, index: int) -> Tensor:
        """Return images (n, C, H, W), shifted and rotated; the border is replicated."""
        turn, (down, right) = self.moves[index]
        height, width = images.shape[2] // SHIFT, images.shape[3] // SHIFT
        if down or right:
            padded = F.pad(images, (width, width, height, height), mode="replicate")
            top, left = height * (1 + down), width * (1 + right)
            images = padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]
        return torch.rot90(images, turn, (2, 3)) if turn else images


def _log_of_one_plus_exp(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)), accurate for very negative x too."""
    return x.clamp(min=0) + (-x.abs()).exp().log1p()


def swap_columns(
    rows: Tensor, owner: Tensor, n_columns: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return rows (n, S) with columns replaced by values of other rows, and the mask (n, columns).

    The share of a row's columns that is replaced is uniform in [0, `MAX_SWAPPED`); the row that a
    value comes from is drawn for each column.
    """
    shape: tuple[int, int] = (len(rows), n_columns)
    place: Any = {"generator": random, "device": rows.device}
    share = MAX_SWAPPED * torch.rand(len(rows), 1, **place)
    swapped = torch.rand(shape, **place) < share
    donors = torch.randint(len(rows), shape, **place)
    return torch.where(swapped[:, owner], rows.gather(0, donors[:, owner]), rows), swapped


def compress(rows: Tensor, linear_up_to: float = LINEAR_UP_TO) -> Tensor:
    """Return standardised rows; numbers beyond `linear_up_to` grow as their logarithm."""
    size = rows.abs()
    beyond = linear_up_to + (size - linear_up_to).clamp(min=0).log1p()
    return torch.where(size <= linear_up_to, rows, rows.sign() * beyond)
