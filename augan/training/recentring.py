"""Fine-tuning starts with a prior that fits the latents of the new rows."""

from __future__ import annotations

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

from augan._random import torch_stream
from augan.training.monitor import sliced_wasserstein

RIDGE = 1e-6  # added to the variances of latents
MAX_DISTANCE_RATIO = 0.9  # of the distances after and before, for a change


@torch.no_grad()
def recentre(generator: nn.Module, encoder: nn.Module, rows: Tensor, seed: int) -> bool:
    """Adapt the prior of a generator to new rows, if generated rows become more similar to them.

    With the mean m and the covariance L L' of the latents E(x) of the rows (Ledoit and Wolf 2004),
    the networks become ``G'(z) = G(m + L z)`` and ``E'(x) = L^-1 (E(x) - m)``. Only the weights of
    a linear layer of each change. Reconstructions stay the same, and latents from N(0, I) now give
    rows of the new distribution (a prior fitted after training, Ghosh et al. 2020, section 4).

    Parameters
    ----------
    generator, encoder : Module
        Trained on other rows; changed in place.
    rows : Tensor
        Encoded rows (n, ...).
    seed : int
        Seed of the random latents.

    Returns
    -------
    changed : bool
        Whether the networks were changed: only if the sliced Wasserstein distance between
        generated and new rows decreases by at least a tenth.
    """
    generator.eval()
    encoder.eval()
    latents = encoder(rows)
    mean = latents.mean(dim=0)
    covariance: Tensor = torch.from_numpy(ledoit_wolf(latents.double().cpu().numpy())[0])
    factor = torch.linalg.cholesky(covariance + RIDGE * torch.eye(len(covariance))).to(latents)
    z = torch.randn(latents.shape, generator=torch_stream(seed, "recentring")).to(latents)

    def distance(z: Tensor) -> float:
        directions = torch_stream(seed, "directions", rows.device)
        return sliced_wasserstein(rows.flatten(1), generator(z).flatten(1), directions)

    if distance(mean + z @ factor.T) > MAX_DISTANCE_RATIO * distance(z):
        return False
    first, last = _linear_layers(generator)[0], _linear_layers(encoder)[-1]
    first.bias.add_(first.weight @ mean)
    first.weight.copy_(first.weight @ factor)
    solved = torch.linalg.solve_triangular(
        factor, torch.cat([last.weight, (last.bias - mean)[:, None]], dim=1), upper=False
    )
    last.weight.copy_(solved[:, :-1])
    last.bias.copy_(solved[:, -1])
    return True


def _linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
