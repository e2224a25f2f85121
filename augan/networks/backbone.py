"""A network that was trained on other images: its features say what patches look like."""

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
READ = ("layer2", "layer3")  # neither edges alone nor the classes of other images (Roth 2022)
AROUND = 3  # positions a side that features are averaged over


class Backbone(nn.Module):
    """The first layers of a torchvision ResNet; its weights never change.

    Parameters
    ----------
    name : str
        One of `BACKBONES`. The weights are random until `load`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        from torchvision import models  # takes a second, which most models need not wait

        whole = models.get_model(name, weights=None)
        self.layers = nn.ModuleDict({layer: getattr(whole, layer) for layer in LAYERS})
        self.requires_grad_(False).eval()

    def load(self, weights: str | os.PathLike[str] | None = None) -> Backbone:
        """Take weights over: those of a file (.safetensors, or torch's), or torchvision's own.

        Raises
        ------
        DataError
            When the file cannot be read or has other weights, or nothing can be downloaded.
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
        """Stay as it is: the moments of batch normalisation are part of the weights."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (n, F, h, w) of images (n, C, H, W) in their own deviations.

        Grey images are shown as RGB, transparency is left out.
        """
        colour = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
        maps, x = [], colour
        for name, layer in self.layers.items():
            x = layer(x)
            if name in READ:
                maps.append(F.avg_pool2d(x, AROUND, 1, AROUND // 2, count_include_pad=False))
        size = maps[0].shape[2:]
        same = [F.interpolate(part, size=size, mode="bilinear") for part in maps]
        return torch.cat(same, dim=1)


def _downloaded(name: str) -> dict[str, Any]:
    """Return torchvision's weights, from its cache or from the network."""
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
    """Return the weights in a file: .safetensors, or torch's without pickled code."""
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
