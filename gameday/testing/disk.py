"""A way to call the store for one that does not block."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Inline"]

T = TypeVar("T")


class Inline:
    """Makes each call where it is asked for: for a store that does not block."""

    async def write(self, call: Callable[[], T]) -> T:
        """Return the outcome of a call."""
        return call()

    async def read(self, call: Callable[[], T]) -> T:
        """Return the outcome of a call."""
        return call()

    def close(self) -> None:
        """Do nothing: nothing is ever under way."""
