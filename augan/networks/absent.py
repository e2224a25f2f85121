"""What takes the place of networks that a detector was fitted without."""

from __future__ import annotations

from typing import Any, NoReturn

from torch import nn

from augan.exceptions import ParameterError
from augan.networks.layers import Critic

HOW = "fit with generator=True (augan fit --set generator=True)"


def refuse(what: str) -> NoReturn:
    """Raise a ParameterError that says how to fit a detector with a generator."""
    raise ParameterError(f"{what}: the detector was fitted without a generator; {HOW}")


class AbsentNetwork(nn.Module):
    """In place of a generator or of an inversion; it has no weights and cannot be evaluated."""

    def forward(self, *_: Any) -> NoReturn:
        """Raise a ParameterError."""
        refuse("generator")


class AbsentCritic(Critic):
    """In place of a critic; it has no weights and cannot be evaluated."""

    def __init__(self) -> None:
        super().__init__(AbsentNetwork(), AbsentNetwork(), 0)
