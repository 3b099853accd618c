"""Which region serves the next visitor."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence


class Rotation:
    """Regions in strict alternation, without those that take no visitors."""

    def __init__(self, regions: Sequence[str], drained: Collection[str] = ()) -> None:
        self._regions = tuple(regions)
        self._drained = frozenset(drained)
        self._turn = 0
        self._lock = threading.Lock()

    def take(self) -> str:
        """Return the region whose turn it is."""
        with self._lock:
            for _ in self._regions:
                region = self._regions[self._turn % len(self._regions)]
                self._turn += 1
                if region not in self._drained:
                    return region
        raise LookupError("no region takes visitors")

    def drain(self, regions: Collection[str]) -> None:
        """Send these regions no more visitors; all others take theirs."""
        unknown = set(regions) - set(self._regions)
        if unknown:
            raise ValueError(f"unknown region {sorted(unknown)[0]!r}")
        if set(regions) == set(self._regions):
            raise ValueError("at least one region must take visitors")
        with self._lock:
            self._drained = frozenset(regions)
