"""Layers and the base class of critics, for tables and images."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

SLOPE = 0.2  # negative slope of LeakyReLU, as in DCGAN (Radford 2016)

ENOUGH_OUTPUTS = 16  # with fewer, a row's product can depend on its place in the batch

Layer = TypeVar("Layer", bound=nn.Module)


def steady_product(rows: Tensor, matrix: Tensor) -> Tensor:
    """Return rows (n, F) times a matrix (F, K), independent of a row's place in the batch.

    See `SteadyLinear`.
    """
    if matrix.shape[1] >= ENOUGH_OUTPUTS:
        return rows @ matrix
    return (matrix.T @ rows.T).T.contiguous()


class SteadyLinear(nn.Linear):
    """A linear layer whose output for a row does not depend on its place in the batch.

    With few outputs, rounding in the product of rows and weights may depend on the alignment of a
    row in memory; in the transposed product it does not.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (n, out_features)."""
        if self.out_features >= ENOUGH_OUTPUTS:
            return super().forward(x)
        return (self.weight @ x.T + self.bias[:, None]).T.contiguous()


class ClassNorm(nn.Module):
    """Batch norm with a scale and a shift for each class (de Vries 2017), initially identity."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, n_classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.of_class = nn.Parameter(torch.zeros(n_classes, 2 * norm.num_features))

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        """Return x (n, F, ...), normalised; `conditions` (n, n_classes) as in `ClassGenerator`."""
        changes = (
            conditions @ self.of_class
        )  # sizes are read from shapes, which an export keeps dynamic
        changes = changes.reshape(x.shape[0], changes.shape[1], *[1] * (x.ndim - 2))
        scale, shift = changes.chunk(2, dim=1)
        normed: Tensor = self.norm(x)
        return normed * (1 + scale) + shift


Norm = nn.BatchNorm1d | nn.BatchNorm2d | ClassNorm


def class_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, n_classes: int) -> Norm:
    """Return a conditional norm, or `norm` itself if there are no classes."""
    return ClassNorm(norm, n_classes) if n_classes else norm


def through(layer: nn.Module, x: Tensor, conditions: Tensor | None) -> Tensor:
    """Apply a layer to x; a `ClassNorm` gets the conditions too."""
    changed: Tensor = layer(x, conditions) if isinstance(layer, ClassNorm) else layer(x)
    return changed


class Layers(nn.Sequential):
    """A sequence of layers, some of which may be a `ClassNorm`."""

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return the output of the last layer."""
        for layer in self:
            x = through(layer, x, conditions)
        return x


class Critic(nn.Module):
    """A feature extractor (`backbone`) and a linear head.

    It has no batch norm and no dropout, because a gradient penalty is defined for single rows
    (Gulrajani 2017, section 4).
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, n_features: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.n_features = n_features

    def layers_with_weights(self) -> list[nn.Module]:
        """Return the layers with weights below the head, from input to output."""
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
    """Return the layer, with spectral normalisation (Miyato 2018) if `spectral_norm`."""
    if spectral_norm:
        parametrizations.spectral_norm(layer)
        _allow_pickling(layer)
    return layer


def _allow_pickling(layer: Any) -> None:
    """Allow pickling of a parametrised layer, which torch forbids."""
    own: Any = type(layer)
    own.__reduce_ex__ = _reduced


def _reduced(layer: Any, protocol: int) -> tuple[Any, ...]:
    """Return how a layer is pickled: the layer without spectral norm, and the norm."""
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
    """Return the layer from what `_reduced` returned."""
    layer: Any = plain.__new__(plain)
    layer.__dict__.update(state)
    parametrize.register_parametrization(layer, "weight", norm, unsafe=True)  # values stay equal
    _allow_pickling(layer)
    norms = layer.parametrizations["weight"]
    layer.parametrizations.training, norms.training, norms.unsafe = flags
    return layer


def scale_invariant_weights(network: nn.Module) -> list[Tensor]:
    """Return the weights, detached, whose scale has no effect under spectral normalisation."""
    ending = "parametrizations.weight.original"
    return [w.detach() for name, w in network.named_parameters() if name.endswith(ending)]
