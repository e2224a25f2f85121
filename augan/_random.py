"""Independent random streams, derived by name from one seed."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.utils import check_random_state


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return an integer seed for scikit-learn's `random_state`; a random one for ``None``."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, (int, np.integer)):
        check_random_state(random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def derive_seed(seed: int, name: str) -> int:
    """Return the seed of the stream called `name`."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """Return the numpy generator of the stream called `name`."""
    return np.random.default_rng(derive_seed(seed, name))


def torch_stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the torch generator of the stream called `name`, on `device`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, name))


@contextlib.contextmanager
def seeded_layers(seed: int, name: str) -> Iterator[None]:
    """Make the initialisation of layers reproducible, which uses torch's global CPU stream."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, name))
        yield
