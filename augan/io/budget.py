"""A limit on the memory that several threads use together."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Budget:
    """Limits the total amount in use; a thread that needs more than the total runs alone."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._taken = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Wait until `amount` is available, and use it within the context."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + amount <= self.total)
            self._taken += amount
        try:
            yield
        finally:
            with self._changed:
                self._taken -= amount
                self._changed.notify_all()
