"""Networks that learn what normal data looks like from tasks that need no labels.

A pretext network stands beside the critic: it is trained on normal rows to solve a task whose
answer is known because the task was made up, and what its layers then say of a row tells normal
from abnormal better than the features of a critic that only had to beat a generator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan.codecs.spec import ImageSpec
from augan.networks.conv import halving_channels
from augan.networks.layers import SLOPE, SteadyLinear

MAX_SWAPPED = 0.5  # share of a row's columns that are replaced at most
REPAIR_WEIGHT = 1.0  # of what stood there, beside which columns were replaced
LINEAR_UP_TO = 6.0  # deviations; beyond them a standardised number counts as its logarithm
SHIFT = 4  # images are shifted by a quarter of a side


class PretextNetwork(nn.Module):
    """`features(rows)` (n, F), and `loss(rows, random)` of the task that they are learned by.

    `reads_standard` says whether rows are standardised ones, or encoded as the critic's are;
    `n_features` how many features there are.
    """

    reads_standard: bool
    n_features: int

    def features(self, rows: Tensor) -> Tensor:
        """Return features (n, F) of rows."""
        raise AssertionError("a subclass says which")  # pragma: no cover

    def loss(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return the task's loss on a batch."""
        raise AssertionError("a subclass says of which task")  # pragma: no cover


class SwapPretext(PretextNetwork):
    """Says which columns of a row were replaced, and what stood there.

    Up to half of a row's columns get the values that other rows have there. Each value alone
    stays a usual one, so the task can only be solved by what columns have to do with each other.

    Parameters
    ----------
    owner : Tensor
        Column that owns each channel of a standardised row, (S,).
    width : int
        Units of each of the three layers.
    """

    reads_standard = True
    owner: Tensor

    def __init__(self, owner: Tensor, *, width: int) -> None:
        super().__init__()
        size, self.n_columns = len(owner), int(owner.max()) + 1
        self.register_buffer("owner", owner, persistent=False)
        self.layers = nn.ModuleList(
            [SteadyLinear(size, width), nn.Linear(width, width), nn.Linear(width, width)]
        )
        self.n_features = 2 * width
        self.detect = nn.Linear(width, self.n_columns)
        self.repair = nn.Linear(width, size)

    def features(self, rows: Tensor) -> Tensor:
        """Return the activations of the last two layers (n, 2 * width) of standardised rows."""
        return torch.cat(self._hidden(compress(rows))[-2:], dim=1)

    def loss(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return the cross-entropy of what was swapped plus the error of its repair."""
        rows = compress(rows)
        corrupted, swapped = swap_columns(rows, self.owner, self.n_columns, random)
        hidden = self._hidden(corrupted)[-1]
        found = F.binary_cross_entropy_with_logits(self.detect(hidden), swapped.to(rows.dtype))
        return found + REPAIR_WEIGHT * F.smooth_l1_loss(self.repair(hidden), rows)

    def repair_error(self, rows: Tensor) -> Tensor:
        """Return how far the repair of standardised rows lies from them, compressed, (n, S)."""
        rows = compress(rows)
        error: Tensor = self.repair(self._hidden(rows)[-1]) - rows
        return error

    def _hidden(self, x: Tensor) -> list[Tensor]:
        activations = []
        for layer in self.layers:
            x = F.silu(layer(x))
            activations.append(x)
        return activations


class TransformPretext(PretextNetwork):
    """Says which of the quarter turns and shifts was applied to an image (Golan 2018).

    Parameters
    ----------
    spec : ImageSpec
        Images, at their working size.
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
        """Return the activations (n, F) that the classifier reads, of images as they are."""
        activations: Tensor = self.layers(rows)
        return activations

    def loss(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Return the cross-entropy of a random transform of each image."""
        images, chosen = self.transforms.draw(rows, random)
        return F.cross_entropy(self.classify(self.features(images)), chosen)

    def transform_nll(self, rows: Tensor) -> Tensor:
        """Return the mean of -log p(transform | image) over all transforms of each image, (n,)."""
        total = rows.new_zeros(rows.shape[0])  # `len` would fix it in an exported graph
        for i in range(len(self.transforms)):
            logits = self.classify(self.features(self.transforms.apply(rows, i)))
            others = torch.cat([logits[:, :i], logits[:, i + 1 :]], dim=1).logsumexp(dim=1)
            total = total + _log_of_one_plus_exp(others - logits[:, i])
        return total / len(self.transforms)


class Transforms:
    """Quarter turns and shifts of images, the first of which leaves them as they are.

    Parameters
    ----------
    spec : ImageSpec
        Images, at their working size; only square ones are turned by one quarter, or three.
    """

    def __init__(self, spec: ImageSpec) -> None:
        turns = (0, 1, 2, 3) if spec.height == spec.width else (0, 2)
        shifts = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
        self.moves = [(turn, shift) for turn in turns for shift in shifts]

    def __len__(self) -> int:
        return len(self.moves)

    def draw(self, images: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images (n, C, H, W), each with a transform of its own, and which (n,)."""
        chosen = torch.randint(len(self), (len(images),), generator=random, device=images.device)
        moved = torch.empty_like(images)
        for i in range(len(self)):
            moved[chosen == i] = self.apply(images[chosen == i], i)
        return moved, chosen

    def apply(self, images: Tensor, index: int) -> Tensor:
        """Return images (n, C, H, W), shifted and turned; what moves in repeats the border."""
        turn, (down, right) = self.moves[index]
        height, width = images.shape[2] // SHIFT, images.shape[3] // SHIFT
        if down or right:
            padded = F.pad(images, (width, width, height, height), mode="replicate")
            top, left = height * (1 + down), width * (1 + right)
            images = padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]
        return torch.rot90(images, turn, (2, 3)) if turn else images


def _log_of_one_plus_exp(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)), exact to the last digits where it is close to zero."""
    return x.clamp(min=0) + (-x.abs()).exp().log1p()


def swap_columns(
    rows: Tensor, owner: Tensor, n_columns: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return rows (n, S) with columns replaced by other rows' values, and which (n, columns).

    A share drawn from [0, `MAX_SWAPPED`) of each row's columns is replaced; each column's value
    comes from a row of its own.
    """
    shape: tuple[int, int] = (len(rows), n_columns)
    place: Any = {"generator": random, "device": rows.device}
    share = MAX_SWAPPED * torch.rand(len(rows), 1, **place)
    swapped = torch.rand(shape, **place) < share
    donors = torch.randint(len(rows), shape, **place)
    return torch.where(swapped[:, owner], rows.gather(0, donors[:, owner]), rows), swapped


def compress(rows: Tensor) -> Tensor:
    """Return standardised rows with numbers beyond `LINEAR_UP_TO` deviations as logarithms."""
    size = rows.abs()
    beyond = LINEAR_UP_TO + (size - LINEAR_UP_TO).clamp(min=0).log1p()
    return torch.where(size <= LINEAR_UP_TO, rows, rows.sign() * beyond)
