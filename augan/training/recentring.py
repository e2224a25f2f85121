"""Fine-tuning begins where a former model sees the new rows, not where its own rows were."""

from __future__ import annotations

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

from augan._random import torch_stream
from augan.training.monitor import sliced_wasserstein

SMALLEST = 1e-6  # variance of a latent
NEARER = 0.9  # of the former distance, at most, for a change


@torch.no_grad()
def recentre(generator: nn.Module, encoder: nn.Module, rows: Tensor, seed: int) -> bool:
    """Give a generator the latents of new rows for its prior, where its rows come clearly nearer.

    With the mean m and the covariance L L' of the latents E(x) of the rows (Ledoit and Wolf 2004),
    ``G'(z) = G(m + L z)`` and ``E'(x) = L^-1 (E(x) - m)``, both by the weights of a linear layer:
    every reconstruction stays as it is, and z from N(0, I) gives what the rows look like to the
    former model (Ghosh et al. 2020, section 4, draw from an autoencoder that way).

    Parameters
    ----------
    generator, encoder : Module
        Trained on other rows; changed in place.
    rows : Tensor
        Encoded rows (n, ...).
    seed : int
        Of the latents that are drawn.

    Returns
    -------
    changed : bool
        Whether generated rows come nearer, by a tenth of the sliced Wasserstein distance.
    """
    generator.eval()
    encoder.eval()
    latents = encoder(rows)
    mean = latents.mean(dim=0)
    covariance: Tensor = torch.from_numpy(ledoit_wolf(latents.double().cpu().numpy())[0])
    factor = torch.linalg.cholesky(covariance + SMALLEST * torch.eye(len(covariance))).to(latents)
    z = torch.randn(latents.shape, generator=torch_stream(seed, "recentring")).to(latents)

    def distance(z: Tensor) -> float:
        directions = torch_stream(seed, "directions", rows.device)
        return sliced_wasserstein(rows.flatten(1), generator(z).flatten(1), directions)

    if distance(mean + z @ factor.T) > NEARER * distance(z):
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
