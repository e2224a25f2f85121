"""Other methods for images: each returns scores (n,), and heatmaps (n, h, w) if it has any."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import resnet18
from torchvision.models.feature_extraction import create_feature_extractor

Images = NDArray[np.uint8]
Found = tuple[NDArray[np.float64], NDArray[Any] | None]

SIDE, NEIGHBOURS, COMPONENTS = 32, 5, 64
MEMORY_SIDE, MEMORY, TOP = (
    128,
    10_000,
    0.01,
)  # pixels per side, patches, share of them that makes an image's score
GANOMALY_SIDE, GANOMALY_EPOCHS = 64, 15


def nearest_images(
    train: Images, test: Images, seed: int, *, side: int = SIDE, n_neighbors: int = NEIGHBOURS
) -> Found:
    """Mean distance to the nearest standardised images; heat: the difference to them."""
    known, asked = (_standardised(part, side)[:, 0].flatten(1).numpy() for part in (train, test))
    neighbours = NearestNeighbors(n_neighbors=n_neighbors).fit(known)
    distances, nearest = neighbours.kneighbors(asked)
    differences = np.abs(asked[:, None] - known[nearest]).mean(axis=1)
    return distances.mean(axis=1), _smooth(differences.reshape(-1, side, side))


def principal_residual(train: Images, test: Images, seed: int) -> Found:
    """Distance to the subspace of the principal components of standardised images."""
    known, asked = (_standardised(part, SIDE)[:, 0].flatten(1).numpy() for part in (train, test))
    pca = PCA(COMPONENTS, random_state=seed).fit(known)
    residual = np.abs(asked - pca.inverse_transform(pca.transform(asked)))
    scores = np.linalg.norm(residual, axis=1).astype(np.float64)
    return scores, _smooth(residual.reshape(-1, SIDE, SIDE))


@torch.no_grad()
def patch_memory(train: Images, test: Images, seed: int) -> Found:
    """Distance of patches of an untrained ResNet-18's features to the nearest in a memory."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = create_feature_extractor(
            resnet18(weights=None), {"layer2": "fine", "layer3": "coarse"}
        )
    network.train()  # batch statistics: those of an untrained network are no use
    known, asked = (_patches(network, _standardised(part, MEMORY_SIDE)) for part in (train, test))
    random = np.random.default_rng(seed)
    flat = known.flatten(0, 2)
    bank = flat[torch.from_numpy(random.choice(len(flat), min(MEMORY, len(flat)), replace=False))]
    heat = torch.stack([torch.cdist(image.flatten(0, 1), bank).amin(dim=1) for image in asked])
    n_top = max(1, round(TOP * heat.shape[1]))
    scores = heat.topk(n_top, dim=1).values.mean(dim=1).double().numpy()
    return scores, heat.unflatten(1, asked.shape[1:3]).numpy()


def ganomaly(folder: Path, seed: int) -> Found:
    """Ganomaly (Akcay 2018) as anomalib trains it by default, at 64 x 64 pixels, 15 epochs."""
    from anomalib.data import Folder
    from anomalib.engine import Engine
    from anomalib.models import Ganomaly
    from lightning.pytorch import seed_everything

    seed_everything(seed)
    kinds = sorted(path.name for path in (folder / "test").iterdir() if path.name != "good")
    data = Folder(
        name="images",
        root=folder,
        normal_dir="train/good",
        normal_test_dir="test/good",
        abnormal_dir=[f"test/{kind}" for kind in kinds],
        num_workers=0,
        val_split_mode="same_as_test",  # not looked at: see below,
    )
    size = (GANOMALY_SIDE, GANOMALY_SIDE)
    model = Ganomaly(
        pre_processor=Ganomaly.configure_pre_processor(image_size=size),
        evaluator=False,
        visualizer=False,
        post_processor=False,
    )
    with tempfile.TemporaryDirectory() as out:
        engine = Engine(
            max_epochs=GANOMALY_EPOCHS,
            default_root_dir=out,
            accelerator="cpu",
            limit_val_batches=0,
            num_sanity_val_steps=0,
        )
        engine.fit(model, datamodule=data)
        batches = engine.predict(model, datamodule=data)
    found = {
        str(Path(path).relative_to(folder)): float(score)
        for batch in batches or []
        for path, score in zip(batch.image_path, batch.pred_score, strict=True)
    }
    return np.array([found[name] for name in sorted(found)]), None


def _standardised(images: Images, side: int) -> Tensor:
    """Return images (n, 1, side, side), their own mean and deviation taken out."""
    parts = []
    for batch in torch.from_numpy(images).split(64):
        raw = batch[:, None].float()
        centred = raw - raw.mean(dim=(1, 2, 3), keepdim=True)
        scaled = centred / centred.std(dim=(1, 2, 3), keepdim=True)
        parts.append(F.interpolate(scaled, size=(side, side), mode="bilinear", antialias=True))
    return torch.cat(parts)


def _patches(network: Any, images: Tensor) -> Tensor:
    """Return features (n, h, w, C) of two layers, each averaged over 3 x 3 positions."""
    parts = []
    for batch in images.split(64):
        maps = network(batch.expand(-1, 3, -1, -1))
        fine, coarse = (F.avg_pool2d(maps[name], 3, 1, 1) for name in ("fine", "coarse"))
        coarse = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear")
        parts.append(torch.cat([fine, coarse], dim=1).permute(0, 2, 3, 1))
    return torch.cat(parts)


def _smooth(maps: NDArray[Any]) -> NDArray[Any]:
    padded = torch.from_numpy(maps.astype(np.float32))[:, None]
    blurred = F.avg_pool2d(padded, 5, stride=1, padding=2, count_include_pad=False)
    return np.asarray(blurred[:, 0].numpy())
