"""Pretrained feature extractors: the first layers of torchvision's ResNets."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._files import check_file
from augan.exceptions import DataError, shown

BACKBONES = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
)
LAYERS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
READ = ("layer2", "layer3")  # mid-level features, as in PatchCore (Roth 2022)
NEIGHBOURHOOD = 3  # side of the window that features are averaged over


class Backbone(nn.Module):
    """The first layers of a torchvision ResNet, frozen.

    Parameters
    ----------
    name : str
        One of `BACKBONES`. The weights are random until `load`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        from torchvision import models  # slow to import, and few models need it

        whole = models.get_model(name, weights=None)
        self.layers = nn.ModuleDict({layer: getattr(whole, layer) for layer in LAYERS})
        self.requires_grad_(False).eval()

    def load(self, weights: str | os.PathLike[str] | None = None) -> Backbone:
        """Load weights from a file, or torchvision's own.

        Parameters
        ----------
        weights : path-like, optional
            File with a ``state_dict`` (.safetensors, or written by ``torch.save``). ``None``
            downloads torchvision's weights, unless they are in its cache.

        Returns
        -------
        self : Backbone
            The network.

        Raises
        ------
        DataError
            If the file cannot be read or has other weights, or the download fails.
        """
        state = _downloaded(self.name) if weights is None else read_weights(Path(weights))
        own = self.layers.state_dict()
        source = self.name if weights is None else str(weights)
        for name, value in own.items():
            if name not in state:
                raise DataError(f"{source}: no weights {shown(name)} of a {self.name}")
            if state[name].shape != value.shape:
                shapes = f"{tuple(state[name].shape)}, in a {self.name} {tuple(value.shape)}"
                raise DataError(f"{source}: weights {shown(name)} have the shape {shapes}")
        self.layers.load_state_dict({name: state[name] for name in own})
        return self

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: batch normalisation uses its stored statistics."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (n, F, h, w) of standardised images (n, C, H, W).

        Grey images are repeated as three channels; an alpha channel is dropped.
        """
        colour = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
        maps, x = [], colour
        for name, layer in self.layers.items():
            x = layer(x)
            if name in READ:
                maps.append(
                    F.avg_pool2d(x, NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2, count_include_pad=False)
                )
        size = maps[0].shape[2:]
        same = [F.interpolate(part, size=size, mode="bilinear") for part in maps]
        return torch.cat(same, dim=1)


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
