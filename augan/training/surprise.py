"""The training phase of a detector's column network."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from augan.networks import Networks
from augan.networks.columns import ColumnNetwork
from augan.training.columns import ColumnPhase


class SurprisePhase(ColumnPhase):
    """Trains a column network for the surprise of cells; the state includes earlier networks.

    Parameters
    ----------
    networks : Networks
        With `columns`, which takes the trained weights.
    network : ColumnNetwork
        The network that is trained.
    train, held_out : Tensor
        Codes (n, k) of the rows to train on, and of those that the loss is measured on.
    batch_size : int
        Rows of a step.
    seed : int
        Seed of the phase's random stream.
    """

    def __init__(
        self,
        networks: Networks,
        network: ColumnNetwork,
        train: Tensor,
        held_out: Tensor,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(network, train, held_out, batch_size, seed)
        self.networks = networks

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all networks (also frozen ones), optimiser and random stream."""
        earlier = {name: module.state_dict() for name, module in self.networks.modules().items()}
        return {**earlier, **super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        for name, module in self.networks.modules().items():
            module.load_state_dict(state[name])
        super().load_state_dict(state)

    def finish(self) -> None:
        """Freeze the network, and hand its weights over."""
        super().finish()
        assert self.networks.columns is not None
        self.networks.columns.take(self.network)
