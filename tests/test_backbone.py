"""Heads of a network that was trained on other images; here one with weights made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits, load_sample_image
from sklearn.metrics import roc_auc_score
from torchvision import models

import augan
from augan import FAnoGAN
from augan.exceptions import DataError, ParameterError
from augan.networks.backbone import Backbone

QUICK: dict[str, Any] = {
    **{"max_steps": 2, "encoder_steps": 2, "pretext_steps": 2, "restoration_steps": 5},
    **{"width": 8, "n_folds": 2, "n_critic": 1, "random_state": 0, "memory_size": 500},
}


def crops(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    roof = load_sample_image("china.jpg")
    places = random.integers((180, 100), (188, 108), (n, 2))
    return np.stack([roof[a : a + 72, b : b + 80] for a, b in places])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a whole ResNet-18, as torchvision would save them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.resnet18(weights=None)
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def detector(weights: Path) -> FAnoGAN:
    return FAnoGAN(backbone="resnet18", backbone_weights=str(weights), **QUICK).fit(crops(24, 0))


def test_features_are_those_of_torchvisions_layers(weights: Path) -> None:
    whole = models.resnet18(weights=None)
    whole.load_state_dict(torch.load(weights, weights_only=True))
    whole.eval()
    images = torch.randn(2, 3, 64, 96)
    x = whole.maxpool(whole.relu(whole.bn1(whole.conv1(images))))
    fourth = whole.layer1(x)
    eighth = whole.layer2(fourth)
    sixteenth = whole.layer3(eighth)
    backbone = Backbone("resnet18").load(weights).train()
    coarse, fine = found = backbone(images)
    assert coarse.shape == (2, 128 + 256, 4, 6) and fine.shape == (2, 64 + 128, 8, 12)
    pooled = torch.nn.functional.max_pool2d(fourth.abs(), 2)
    torch.testing.assert_close(fine[:, :64], pooled)
    average = torch.nn.functional.avg_pool2d
    torch.testing.assert_close(fine[:, 64:, 1:-1, 1:-1], average(eighth, 3, 1))
    wide = average(eighth, 5, 1)[:, :, :4, :8]  # of the places 2 to 5 and 2 to 9
    torch.testing.assert_close(coarse[:, :128, 1:3, 1:5], average(wide, 2))
    torch.testing.assert_close(coarse[:, 128:, 1:-1, 1:-1], average(sixteenth, 3, 1))
    grey = images[:, :1]
    torch.testing.assert_close(backbone(grey), backbone(grey.expand(-1, 3, -1, -1)))
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    torch.testing.assert_close(found, backbone(images))  # train() did not move the moments


def test_its_heads_join_the_others_and_find_a_defect(detector: FAnoGAN) -> None:
    good, bad = crops(8, 1), crops(8, 2)
    bad[:, 20:50, 30:44] = (255, 0, 0)
    parts = detector.score_parts(np.concatenate([good, bad]))
    names = ["backbone_memory", "backbone_gaussian", "backbone_fine", "image_neighbors"]
    assert list(parts) == [*names, "detail_restoration"]
    memory = parts["backbone_memory"].to_numpy()
    assert roc_auc_score(np.repeat([0, 1], 8), memory) > 0.9  # it remembers half of the images
    parts = detector.score_parts(bad)
    assert np.isfinite(parts).all().all() and parts.std().min() > 0
    heat = detector.explain(bad)
    assert heat[:, 20:50, 30:44].mean() > heat.mean()


def test_a_model_file_holds_the_network_and_not_where_it_came_from(
    detector: FAnoGAN, tmp_path: Path
) -> None:
    detector.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    images = crops(5, 3)
    assert np.array_equal(loaded.anomaly_score(images), detector.anomaly_score(images))
    assert np.array_equal(loaded.explain(images), detector.explain(images))
    assert loaded.backbone == "resnet18" and loaded.backbone_weights is None


def test_small_images_are_compared_too_if_asked(weights: Path) -> None:
    images = load_digits().images[:40].repeat(4, axis=1).repeat(4, axis=2)
    given = {**QUICK, "backbone": "resnet18", "backbone_weights": weights}
    detector = FAnoGAN(**given).fit(images)
    names = ["transforms", "pretext_neighbors", "data_neighbors"]
    found = list(detector.score_parts(images[:3]))
    assert found == [*names, "backbone_memory", "backbone_gaussian", "backbone_fine"]
    assert detector.networks_.restoration is None


@pytest.mark.slow
def test_weights_are_safetensors_too_and_change_the_score(
    weights: Path, detector: FAnoGAN, tmp_path: Path
) -> None:
    state = torch.load(weights, weights_only=True)
    save_file(state, tmp_path / "same.safetensors")
    given = {**QUICK, "backbone": "resnet18"}
    same = FAnoGAN(**given, backbone_weights=tmp_path / "same.safetensors").fit(crops(24, 0))
    images = crops(5, 4)
    assert np.array_equal(same.anomaly_score(images), detector.anomaly_score(images))
    other = {name: part.flip(0) for name, part in state.items() if part.ndim}
    save_file(
        {name: part.contiguous() for name, part in other.items()}
        | {name: part for name, part in state.items() if not part.ndim},
        tmp_path / "other.safetensors",
    )
    changed = FAnoGAN(**given, backbone_weights=tmp_path / "other.safetensors").fit(crops(24, 0))
    assert not np.allclose(changed.anomaly_score(images), same.anomaly_score(images))


def test_wrong_weights_are_named(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    torch.save({"model": state}, tmp_path / "nested.pth")
    torch.save({"conv1.weight": state["conv1.weight"]}, tmp_path / "few.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name, says in (
        ("none.pth", "none.pth: no such file with weights"),
        ("text.pth", "text.pth: no weights that can be read"),
        ("nested.pth", "nested.pth: not the weights of a network"),
        ("few.pth", "few.pth: no weights 'bn1.weight' of a resnet18"),
    ):
        with pytest.raises(DataError) as error:
            Backbone("resnet18").load(tmp_path / name)
        assert says in str(error.value)
    with pytest.raises(DataError, match=r"resnet18\.pth: weights 'layer1\.0\.conv1\.weight' have"):
        Backbone("resnet50").load(weights)


def test_without_a_network_it_says_how_to_give_the_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    with pytest.raises(DataError, match=r"no route to host.*backbone_weights names a file"):
        FAnoGAN(backbone="resnet18", **QUICK).fit(crops(10, 0))


def test_what_cannot_be_is_refused(weights: Path) -> None:
    with pytest.raises(ParameterError, match="'backbone_memory' needs backbone"):
        FAnoGAN(heads=("backbone_memory",), backbone=None, **QUICK).fit(crops(10, 0))
    with pytest.raises(ParameterError, match="backbone='resnet18': is for images only"):
        FAnoGAN(backbone="resnet18", **QUICK).fit(np.eye(20))
    with pytest.raises(ParameterError, match="needs backbone, the network"):
        FAnoGAN(backbone=None, backbone_weights=str(weights), **QUICK).fit(crops(10, 0))
    with pytest.raises(ParameterError, match="no head reads a backbone here"):
        FAnoGAN(backbone_weights=str(weights), **QUICK).fit(np.eye(20))
    with pytest.raises(DataError, match=r"resnet18\.pth: not the weights of efficientnet_lite0"):
        FAnoGAN(backbone_weights=str(weights), **QUICK).fit(crops(10, 0))
