"""Several pretext networks of tables as one: their weights are stacked, and trained together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._device import precision_of_products
from augan.networks.pretext import MAX_SWAPPED, SwapPretext


class SwapStack:
    """Pretext networks of equal size, whose weights lie in one tensor.

    One batched matrix product takes the place of one product for each network, one step of the
    optimiser changes all weights, and the gradient is computed without autograd. Products are in
    bfloat16 where the processor has instructions for it; weights and their updates are in float32.
    The weights of the networks are views of the stack's, so the networks are always up to date.

    Parameters
    ----------
    networks : sequence of SwapPretext
        The K networks, on one device.

    Attributes
    ----------
    weights : Parameter
        All weights, flat.
    gradient : Tensor
        Their gradient, which `loss_and_gradient` sets.
    """

    def __init__(self, networks: Sequence[SwapPretext]) -> None:
        first = networks[0]
        self.owner, self.n_columns = first.owner, first.n_columns
        self.reconstruction_weight = first.reconstruction_weight
        self.precision = precision_of_products(first.owner.device)
        size, width = len(first.owner), first.n_features // 2
        n_outputs = self.n_columns + size
        layers = ((width, size), (width, width), (width, width), (n_outputs, width))
        shapes: list[tuple[int, ...]] = [shape for a, b in layers for shape in ((a, b), (a,))]
        total = len(networks) * sum(map(math.prod, shapes))
        self.weights = nn.Parameter(torch.empty(total, device=first.owner.device))
        self.gradient = torch.zeros_like(self.weights.data)
        self.weights.grad = self.gradient
        self._own = _views(self.weights.data, len(networks), shapes)
        self._gradients = _views(self.gradient, len(networks), shapes)
        for k, network in enumerate(networks):
            self._adopt(network, [part[k] for part in self._own])

    def corrupted(self, rows: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return rows (K, B, V) with swapped columns, and the mask (K, B, columns).

        As `swap_columns` in each batch.
        """
        shape = (*rows.shape[:2], self.n_columns)
        share = MAX_SWAPPED * torch.rand(*shape[:2], 1, generator=random, device=rows.device)
        swapped = torch.rand(shape, generator=random, device=rows.device) < share
        donors = torch.randint(rows.shape[1], shape, generator=random, device=rows.device)
        if rows.shape[2] == self.n_columns:  # a channel for each column
            return torch.where(swapped, rows.gather(1, donors), rows), swapped
        values = rows.gather(1, donors[..., self.owner])
        return torch.where(swapped[..., self.owner], values, rows), swapped

    def loss_and_gradient(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Set the gradient of the sum of the losses on batches (K, B, V); return their mean ().

        The rows are what `SwapPretext.read` returns; `SwapPretext.loss` says what the loss is.
        """
        corrupted, swapped = self.corrupted(rows, random)
        own = [part.to(self.precision) for part in self._own]
        inputs, sums = [corrupted.to(self.precision)], []
        for weight, bias in zip(own[0:6:2], own[1:6:2], strict=True):
            sums.append(torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.transpose(1, 2)))
            inputs.append(F.silu(sums[-1]))
        weight, bias = own[6:]
        outputs = torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.transpose(1, 2)).float()
        loss, gradient = self._loss(outputs, rows, swapped.to(rows.dtype))
        backward = gradient.to(self.precision)
        for i in (3, 2, 1, 0):
            self._gradients[2 * i].copy_(torch.bmm(backward.transpose(1, 2), inputs[i]))
            self._gradients[2 * i + 1].copy_(backward.sum(dim=1, dtype=torch.float32))
            if i:
                above = torch.bmm(backward, own[2 * i])
                backward = torch.ops.aten.silu_backward(above, sums[i - 1])
        return loss

    def _loss(self, outputs: Tensor, rows: Tensor, swapped: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss (), and the gradient (K, B, columns + V) of the sum of losses."""
        logits, repaired = outputs.split([self.n_columns, rows.shape[2]], dim=2)
        difference = repaired - rows
        found = F.binary_cross_entropy_with_logits(logits, swapped)
        error = F.smooth_l1_loss(repaired, rows)
        loss = found + self.reconstruction_weight * error
        unit = self.reconstruction_weight / rows[0].numel()
        wrong = (logits.sigmoid() - swapped) / swapped[0].numel()
        return loss, torch.cat([wrong, difference.clamp(-1, 1) * unit], dim=2)

    def _adopt(self, network: SwapPretext, parts: list[Tensor]) -> None:
        """Copy the weights of a network, which then become views of the stack's."""
        layers = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
        own = [(layer.weight, layer.bias) for layer in layers]
        pairs = list(zip(own, zip(parts[0:6:2], parts[1:6:2], strict=True), strict=True))
        n = self.n_columns
        heads = network.detect, network.repair
        for head, place in zip(heads, (slice(0, n), slice(n, None)), strict=True):
            pairs.append(((head.weight, head.bias), (parts[6][place], parts[7][place])))
        for given, stacked in pairs:
            for weights, view in zip(given, stacked, strict=True):
                view.copy_(weights.detach())
                weights.data = view


def _views(flat: Tensor, n: int, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Return views (n, ...) of a flat tensor, one for each shape."""
    parts = flat.split([n * math.prod(shape) for shape in shapes])
    return [part.view(n, *shape) for part, shape in zip(parts, shapes, strict=True)]
