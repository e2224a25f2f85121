"""anomalib's PatchCore and PaDiM with the weights that augan reads: scores (n,) and heatmaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from augan.networks.backbone import read_weights
from augan.networks.efficientnet import EfficientNetLite, weights_file

Images = NDArray[np.uint8]

WEIGHTS = "efficientnet_lite0"
SIDE = 224  # pixels, as these weights were trained
AT_ONCE = 16
LAYERS = ("layer2", "layer3")  # anomalib's names of the maps with strides of 8 and 16
PATCHCORE_SHARE = 0.01  # of the patches, in the coreset: the smallest of Roth 2022, table 1
PADIM_FEATURES = 100  # drawn at random, as anomalib does with a ResNet-18


class Extractor(nn.Module):
    """The maps of an EfficientNet-Lite, by the names that anomalib's models ask for."""

    def __init__(self) -> None:
        super().__init__()
        last = EfficientNetLite.last_blocks(WEIGHTS)
        self.read = last[8], last[16]
        self.network = EfficientNetLite(WEIGHTS, self.read[-1] + 1)
        self.network.load_weights(read_weights(weights_file(WEIGHTS)))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps of images (n, 3, H, W)."""
        return dict(zip(LAYERS, self.network.after(images, self.read), strict=True))


def fit_patchcore(train: Images, seed: int) -> Any:
    """Return anomalib's PatchCore with a coreset of 1 % of the patches."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    torch.manual_seed(seed)
    model = PatchcoreModel(layers=list(LAYERS), backbone="resnet18", pre_trained=False)
    model.feature_extractor = Extractor().eval()
    _read(model.train(), train)
    model.subsample_embedding(PATCHCORE_SHARE)
    return model.eval()


def fit_padim(train: Images, seed: int) -> Any:
    """Return anomalib's PaDiM."""
    from anomalib.models.image.padim.torch_model import PadimModel

    torch.manual_seed(seed)
    model = PadimModel("resnet18", list(LAYERS), pre_trained=False, n_features=PADIM_FEATURES)
    model.feature_extractor = Extractor().eval()
    n_features = sum(
        block.project.out_channels
        for i, block in enumerate(model.feature_extractor.network.blocks)
        if i in model.feature_extractor.read
    )
    model.idx = torch.randperm(n_features)[:PADIM_FEATURES]
    _read(model.train(), train)
    model.fit()
    return model.eval()


def score_anomalib(model: Any, images: Images) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return scores (n,) and heat (n, SIDE, SIDE)."""
    found = _read(model, images)
    scores = torch.cat([part.pred_score.flatten() for part in found])
    heat = torch.cat([part.anomaly_map.flatten(0, 1) for part in found])
    return scores.double().numpy(), heat.numpy()


@torch.no_grad()
def _read(model: Any, images: Images) -> list[Any]:
    parts = []
    for batch in torch.from_numpy(images).split(AT_ONCE):
        pixels = F.interpolate(
            batch[:, None].float() / 127.5 - 1, size=(SIDE, SIDE), mode="bilinear", antialias=True
        )
        parts.append(model(pixels.expand(-1, 3, -1, -1)))
    return parts
