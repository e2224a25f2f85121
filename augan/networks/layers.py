"""What dense and convolutional networks share."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

SLOPE = 0.2  # of LeakyReLU, as in DCGAN (Radford 2016)

ENOUGH_OUTPUTS = 16  # from which on matrix products treat all rows alike

Layer = TypeVar("Layer", bound=nn.Module)


def steady_product(rows: Tensor, matrix: Tensor) -> Tensor:
    """Return rows (n, F) times a matrix (F, K), the same for a row wherever it stands.

    Of few training rows there are few principal components: see `SteadyLinear`.
    """
    if matrix.shape[1] >= ENOUGH_OUTPUTS:
        return rows @ matrix
    return (matrix.T @ rows.T).T.contiguous()


class SteadyLinear(nn.Linear):
    """A linear layer that gives a row the same output wherever it stands in a batch.

    With few outputs, and inputs of any number, the rows' product with the weights may depend in
    the last digit on where a row lies in memory; that of the weights with the rows does not.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (n, out_features)."""
        if self.out_features >= ENOUGH_OUTPUTS:
            return super().forward(x)
        return (self.weight @ x.T + self.bias[:, None]).T.contiguous()


class ClassNorm(nn.Module):
    """Batch norm whose scale and shift go by the class (de Vries 2017); at first by none."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, n_classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.of_class = nn.Parameter(torch.zeros(n_classes, 2 * norm.num_features))

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        """Return x (n, F, ...) normalised; `conditions` (n, n_classes) as in `ClassGenerator`."""
        changes = conditions @ self.of_class  # sizes by shape, which an export leaves open
        changes = changes.reshape(x.shape[0], changes.shape[1], *[1] * (x.ndim - 2))
        scale, shift = changes.chunk(2, dim=1)
        normed: Tensor = self.norm(x)
        return normed * (1 + scale) + shift


Norm = nn.BatchNorm1d | nn.BatchNorm2d | ClassNorm


def class_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, n_classes: int) -> Norm:
    """Return a norm that is told the class, where there are classes."""
    return ClassNorm(norm, n_classes) if n_classes else norm


def through(layer: nn.Module, x: Tensor, conditions: Tensor | None) -> Tensor:
    """Return x through a layer, which is told the class if it is a `ClassNorm`."""
    changed: Tensor = layer(x, conditions) if isinstance(layer, ClassNorm) else layer(x)
    return changed


class Layers(nn.Sequential):
    """Layers one after the other; norms among them are told the class."""

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return what the last layer gives."""
        for layer in self:
            x = through(layer, x, conditions)
        return x


class Critic(nn.Module):
    """A feature extractor and a linear head: `features(x)` (n, F), `forward(x)` (n,).

    It has no batch norm and no dropout: a gradient penalty is a statement about single rows.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, n_features: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.n_features = n_features

    def layers_with_weights(self) -> list[nn.Module]:
        """Return the layers below the head that have weights, the lowest first."""
        kinds = (nn.Linear, nn.Conv2d)
        return [layer for layer in self.backbone.modules() if isinstance(layer, kinds)]

    def features(self, x: Tensor) -> Tensor:
        """Return the input (n, F) of the head."""
        activations: Tensor = self.backbone(x)
        return activations

    def output(self, features: Tensor) -> Tensor:
        """Return the output (n,) of the head for features (n, F): unbounded, or a logit."""
        output: Tensor = self.head(features).squeeze(1)
        return output

    def forward(self, x: Tensor) -> Tensor:
        """Return the critic's output (n,)."""
        return self.output(self.features(x))


def normalised(layer: Layer, spectral_norm: bool) -> Layer:
    """Put spectral normalisation (Miyato 2018) on a layer where it is asked for."""
    if spectral_norm:
        parametrizations.spectral_norm(layer)
        _allow_pickling(layer)
    return layer


def _allow_pickling(layer: Any) -> None:
    """Let a layer be pickled whose class torch made for it alone, and forbids it."""
    own: Any = type(layer)
    own.__reduce_ex__ = _reduced


def _reduced(layer: Any, protocol: int) -> tuple[Any, ...]:
    """Return what a layer under spectral norm is pickled as: itself without, and the norm."""
    (norms,) = layer.parametrizations.values()
    state = {**layer.__dict__, "_modules": dict(layer._modules), "_parameters": {}}
    del state["_modules"]["parametrizations"]
    state["_parameters"] = {"weight": norms.original, **layer._parameters}
    flags = (layer.parametrizations.training, norms.training, norms.unsafe)
    plain = parametrize.type_before_parametrizations(layer)
    return _normalised_again, (plain, state, norms[0], flags)


def _normalised_again(
    plain: type[nn.Module], state: dict[str, Any], norm: nn.Module, flags: tuple[bool, bool, bool]
) -> nn.Module:
    """Return the layer that `_reduced` took apart."""
    layer: Any = plain.__new__(plain)
    layer.__dict__.update(state)
    parametrize.register_parametrization(layer, "weight", norm, unsafe=True)  # as it was
    _allow_pickling(layer)
    norms = layer.parametrizations["weight"]
    layer.parametrizations.training, norms.training, norms.unsafe = flags
    return layer


def weights_of_free_length(network: nn.Module) -> list[Tensor]:
    """Return the weights, without gradients, whose length spectral norm takes out again."""
    ending = "parametrizations.weight.original"
    return [w.detach() for name, w in network.named_parameters() if name.endswith(ending)]
