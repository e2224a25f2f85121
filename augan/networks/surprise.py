"""Surprise of the cells of rows: negative log-probabilities given the other columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from augan.codecs.bins import ColumnBins
from augan.networks.cell_codes import CellCodes
from augan.networks.columns import ColumnNetwork, ColumnWeights
from augan.networks.fitted import FittedModule
from augan.networks.layers import ENOUGH_OUTPUTS

NEVER = -1e9  # logit of a code that a column does not have; infinity cannot be stored
MAX_NUMBERS = 2**22  # of a tensor of intermediate results
MAX_ROWS = 512  # processed at once


class ColumnSurprise(FittedModule):
    """Surprise of each cell in nats: -log p(its code | the codes of all other columns).

    The sum over the columns is a row's negative log-pseudo-likelihood (Besag 1975). The
    probabilities are those of a `ColumnNetwork` in which one column after the other is masked.
    Its first layer is linear in the embeddings: the sum of all columns is computed once, and a
    column is masked by subtracting what it adds.

    A value that no training row had is masked for the other columns. Its own surprise is that of
    half a row among the n training rows, log(2 n + number of codes + 1). Numbers beyond the
    training range are in the outermost bin: how far they lie outside does not matter, so outliers
    of a single column are better found by other heads.

    Attributes
    ----------
    codes : CellCodes
        From raw rows to codes.
    places : Tensor of shape (k,)
        The columns with at least two codes, between which the network was trained.
    inputs : Tensor of shape (k, most_codes + 1, width)
        What each code adds to the first layer's outputs; nothing after the last code.
    masked : Tensor of shape (width,)
        The first layer's outputs if all columns are masked.
    hidden_weights, hidden_biases : Tensor of shape (n_layers, width, width) and (n_layers, width)
        The residual layers.
    outputs, biases : Tensor of shape (k, most_codes, width) and (k, most_codes)
        Weights and biases of the logits.
    unseen : Tensor of shape (d,)
        Surprise of values that no training row had.
    """

    places: Tensor
    inputs: Tensor
    masked: Tensor
    hidden_weights: Tensor
    hidden_biases: Tensor
    outputs: Tensor
    biases: Tensor
    unseen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.codes = CellCodes()
        self.add_buffers("places", "inputs", "masked", "hidden_weights", "hidden_biases")
        self.add_buffers("outputs", "biases", "unseen")

    def fit_codes(self, bins: Sequence[ColumnBins], exact: Sequence[bool], n_rows: int) -> None:
        """Take the codes of all columns in `n_rows` training rows; see `CellCodes.fit`."""
        self.codes.fit(bins, exact)
        sizes = torch.tensor(self.codes.sizes(), device=self.places.device)
        several = (sizes > 1).nonzero()[:, 0]
        self.places = (several if len(several) else torch.zeros_like(sizes[:1])).float()
        self.unseen = (2 * n_rows + sizes + 1).float().log()

    def learned_codes(self, raw: Tensor) -> Tensor:
        """Return the codes (n, k) of the columns that the network is trained on."""
        codes: Tensor = self.codes(raw)
        return codes[:, self.places.long().to(codes.device)]

    def take(self, network: ColumnNetwork) -> None:
        """Take the weights of a trained network of the columns in `places`."""
        weights, most = ColumnWeights(network), max(*network.sizes, ENOUGH_OUTPUTS)
        self.masked, k = weights.masked, len(network.sizes)
        self.inputs = self.masked.new_zeros(k, most + 1, len(self.masked))
        self.outputs = self.masked.new_zeros(k, most, len(self.masked))
        self.biases = self.masked.new_full((k, most), NEVER)
        for j, size in enumerate(network.sizes):
            self.inputs[j, :size] = weights.inputs[j]
            self.outputs[j, :size] = weights.outputs[j]
            self.biases[j, :size] = weights.biases[j]
        layers = [layer for layer in network.hidden if isinstance(layer, torch.nn.Linear)]
        self.hidden_weights = torch.stack([layer.weight for layer in layers])
        self.hidden_biases = torch.stack([layer.bias for layer in layers])

    @property
    def at_once(self) -> int:
        """Number of rows that are processed at once, a power of two: all columns fill a tensor."""
        k, most, width = self.inputs.shape
        n = max(1, min(MAX_ROWS, MAX_NUMBERS // (k * max(most, width))))
        return int(2 ** (n.bit_length() - 1))

    def forward(self, raw: Tensor) -> Tensor:
        """Return the surprise (n, d) of raw rows (n, d) of float64, in nats."""
        codes = self.codes(raw).to(self.masked.device)
        k, most = self.outputs.shape[:2]
        places = self.places.long()
        own = torch.where(codes < 0, most, codes)[:, places]  # (n, k)
        index = own + (most + 1) * torch.arange(k, device=own.device)
        added = F.embedding(index, self.inputs.flatten(0, 1))  # (n, k, width)
        hidden = (self.masked + added.sum(1)).unsqueeze(1) - added  # each column masked
        log_p = self._logits(hidden).log_softmax(2)  # (k, n, most)
        nats = -log_p.gather(2, own.T.clamp(max=most - 1).unsqueeze(2)).squeeze(2).T
        surprise = torch.zeros_like(codes, dtype=nats.dtype).index_add(1, places, nats)
        return torch.where(codes < 0, self.unseen, surprise)

    def place(self, device: torch.device) -> None:
        """Move the network to `device`; the codes, which are float64, stay."""
        for name, buffer in self.named_buffers(recurse=False):
            setattr(self, name, buffer.to(device))

    def check(self, n_columns: int) -> None:
        """Check that stored tensors fit together.

        Raises
        ------
        ValueError
            If they do not.
        """
        self.codes.check(n_columns)
        (k, most, width), n = (*self.outputs.shape, 0, 0, 0)[:3], len(self.hidden_biases)
        wanted = {
            **{"places": (k,), "inputs": (k, most + 1, width), "masked": (width,)},
            **{"hidden_weights": (n, width, width), "hidden_biases": (n, width)},
            **{"outputs": (k, most, width), "biases": (k, most), "unseen": (n_columns,)},
        }
        for name, shape in wanted.items():
            tensor: Tensor = getattr(self, name)
            if tensor.shape != shape or tensor.dtype != torch.float32 or 0 in (k, width):
                raise ValueError(f"tensor {name} of the surprise is {tuple(tensor.shape)}")
        known = torch.isin(self.places, torch.arange(n_columns).float()).all()
        if not known or len(self.places.unique()) < k or max(self.codes.sizes()) > most:
            raise ValueError("columns and codes of the surprise do not fit")

    def _logits(self, hidden: Tensor) -> Tensor:
        """Return logits (k, n, most) of the first layer's outputs (n, k, width)."""
        hidden = F.silu(hidden)
        for weight, bias in zip(self.hidden_weights, self.hidden_biases, strict=True):
            hidden = hidden + F.silu(F.linear(hidden, weight, bias))
        return hidden.transpose(0, 1) @ self.outputs.transpose(1, 2) + self.biases.unsqueeze(1)
