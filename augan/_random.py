"""One seed at the public entry, independent named streams below it, never the global ones."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.utils import check_random_state


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Turn scikit-learn's `random_state` into one integer seed; ``None`` draws fresh entropy."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, (int, np.integer)):
        check_random_state(random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def derive_seed(seed: int, name: str) -> int:
    """Return a seed of its own for the stream called `name`."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """Return a numpy generator for the stream called `name`."""
    return np.random.default_rng(derive_seed(seed, name))


def torch_stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator for the stream called `name`, on `device`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, name))


@contextlib.contextmanager
def seeded_layers(seed: int, name: str) -> Iterator[None]:
    """Initialise layers inside reproducibly (they draw from torch's global CPU stream)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, name))
        yield
