"""Pretrained feature extractors: the first layers of EfficientNet-Lite, or of ResNets."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._files import check_file
from augan.exceptions import DataError, shown
from augan.networks.efficientnet import LITE, EfficientNetLite, weights_file
from augan.networks.fitted import FittedModule

RESNETS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
)
BACKBONES = (*LITE, *RESNETS)
LAYERS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
READ = ("layer1", "layer2", "layer3")  # low and mid-level features, as in PaDiM (Defard 2021)
READ_STRIDES = (4, 8, 16)  # the same of an EfficientNet-Lite: the last blocks with these strides
NEIGHBOURHOOD, WIDE_NEIGHBOURHOOD = 3, 5  # sides of the windows that features are averaged over
N_COMPONENTS = 40  # principal components of the features
SMALLEST = 1e-6  # deviation of a feature, relative to the largest, below which it is left out


class Backbone(nn.Module):
    """The first layers of a pretrained network, frozen, and principal components of its features.

    Features are read at two sizes: coarse ones, at a sixteenth of an image's size, tell what is
    seen; fine ones, at an eighth, also thin lines and small spots.

    Parameters
    ----------
    name : str
        One of `BACKBONES`. The weights are random until `load`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.layers: LiteLayers | ResNetLayers
        self.layers = LiteLayers(name) if name in LITE else ResNetLayers(name)
        self.components, self.fine_components = Components(), Components()
        self.requires_grad_(False).eval()

    @property
    def reads_pixels(self) -> bool:
        """Whether it reads pixels from -1 to 1, not standardised ones."""
        return isinstance(self.layers, LiteLayers)

    def load(self, weights: str | os.PathLike[str] | None = None) -> Backbone:
        """Load weights from a file, or the usual ones.

        Parameters
        ----------
        weights : path-like, optional
            File with a ``state_dict`` (.safetensors, or written by ``torch.save``). ``None`` reads
            the weights of an EfficientNet-Lite from the package with them, and downloads those of
            torchvision's networks, unless they are in its cache.

        Returns
        -------
        self : Backbone
            The network.

        Raises
        ------
        DataError
            If the file cannot be read or has other weights, or the download fails.
        ParameterError
            If the package with the weights is not installed.
        """
        if weights is not None:
            state = read_weights(Path(weights))
        elif isinstance(self.layers, LiteLayers):
            state = read_weights(weights_file(self.name))
        else:
            state = _downloaded(self.name)
        self.layers.load(state, self.name if weights is None else str(weights), self.name)
        return self

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: batch normalisation uses its stored statistics."""
        return super().train(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return coarse and fine features of images (n, C, H, W).

        Coarse ones (n, F, h, w) are those of the layers with strides of 8 and 16, averaged over
        windows; fine ones (n, F', 2 * h, 2 * w) are those with strides of 4 and 8, of the former
        the largest absolute ones, since thin lines vanish in means. Grey images are repeated as
        three channels; an alpha channel is dropped.
        """
        colour = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
        fourth, eighth, sixteenth = self.layers(colour)
        largest = F.max_pool2d(fourth.abs(), 2, ceil_mode=True)
        fine = torch.cat([largest, _averaged(eighth, NEIGHBOURHOOD)], dim=1)
        wide = F.avg_pool2d(_averaged(eighth, WIDE_NEIGHBOURHOOD), 2, ceil_mode=True)
        return torch.cat([wide, _averaged(sixteenth, NEIGHBOURHOOD)], dim=1), fine

    def patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the principal components (n, K, h, w) of coarse and of fine features."""
        coarse, fine = self(images)
        return self.components(coarse), self.fine_components(fine)


def _averaged(maps: Tensor, side: int) -> Tensor:
    """Return maps (n, F, h, w), averaged over square windows inside the map."""
    return F.avg_pool2d(maps, side, 1, side // 2, count_include_pad=False)


class LiteLayers(nn.Module):
    """The first blocks of an EfficientNet-Lite, up to those with a stride of 16."""

    def __init__(self, name: str) -> None:
        super().__init__()
        last = EfficientNetLite.last_blocks(name)
        self.read = tuple(last[stride] for stride in READ_STRIDES)
        self.network = EfficientNetLite(name, self.read[-1] + 1)

    def load(self, state: dict[str, Tensor], source: str, name: str) -> None:
        """Load weights; `source` is where they are from."""
        try:
            self.network.load_weights(state)
        except (KeyError, RuntimeError) as error:
            raise DataError(
                f"{source}: not the weights of {name} ({_first_line(error)})"
            ) from error

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (n, F, h, w), the finest first, of images (n, 3, H, W)."""
        return self.network.after(images, self.read)


class ResNetLayers(nn.ModuleDict):
    """The first layers of a ResNet."""

    def __init__(self, name: str) -> None:
        from torchvision import models  # slow to import, and few models need it

        whole = models.get_model(name, weights=None)
        super().__init__({layer: getattr(whole, layer) for layer in LAYERS})

    def load(self, state: dict[str, Tensor], source: str, name: str) -> None:
        """Load weights; `source` is where they are from."""
        own = self.state_dict()
        for key, value in own.items():
            if key not in state:
                raise DataError(f"{source}: no weights {shown(key)} of a {name}")
            if state[key].shape != value.shape:
                shapes = f"{tuple(state[key].shape)}, in a {name} {tuple(value.shape)}"
                raise DataError(f"{source}: weights {shown(key)} have the shape {shapes}")
        self.load_state_dict({key: state[key] for key in own})

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (n, F, h, w), the finest first, of images (n, 3, H, W)."""
        maps, x = [], images
        for name, layer in self.items():
            x = layer(x)
            if name in READ:
                maps.append(x)
        return maps


class Components(FittedModule):
    """The first principal components of standardised features."""

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("weight", "bias")

    def fit(self, features: Iterable[Tensor]) -> None:
        """Fit the components to batches of features (n, F, h, w)."""
        n, total, products = 0, torch.zeros(()), torch.zeros(())
        for part in features:
            rows = part.movedim(1, -1).flatten(0, 2).double()
            n, total = n + len(rows), total + rows.sum(dim=0)
            products = products + rows.T @ rows
        mean = total / n
        covariance = products / n - mean[:, None] * mean
        deviation = covariance.diagonal().clamp(min=0).sqrt()
        unit = torch.where(deviation > SMALLEST * deviation.max(), deviation, torch.inf)
        basis = torch.linalg.eigh(covariance / unit[:, None] / unit)[1]
        weight = (basis[:, -N_COMPONENTS:] / unit[:, None]).T
        self.weight = weight.float()[:, :, None, None].contiguous()
        self.bias = -(weight @ mean).float()

    def forward(self, features: Tensor) -> Tensor:
        """Return components (n, K, h, w) of features (n, F, h, w)."""
        return F.conv2d(features, self.weight, self.bias)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _downloaded(name: str) -> dict[str, Any]:
    """Return torchvision's weights, from its cache or downloaded."""
    from torchvision import models

    try:
        state: dict[str, Any] = models.get_model_weights(name)["DEFAULT"].get_state_dict()
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"backbone={shown(name)}: its weights cannot be downloaded ({error}); "
            "backbone_weights names a file with them"
        ) from error
    return state


def read_weights(file: Path) -> dict[str, Any]:
    """Return the weights in a file: .safetensors, or written by ``torch.save``.

    No pickled code is run.

    Raises
    ------
    DataError
        If the file cannot be read or does not hold a ``state_dict``.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_file(file)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file with weights") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise DataError(f"{file}: no weights that can be read") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DataError(f"{file}: not the weights of a network (a state_dict)")
    return state
