"""Faults as what is shipped states them: with the values of the shop that comes along.

A fault names nothing of any system. `experiments/`, `gameday faults` and docs/faults.md are there
to be played as they stand, and that needs names: those of the shop.
"""

from __future__ import annotations

from collections.abc import Iterable

from gameday.chaos.declaration import DeclaredFault
from gameday.shop import broken_by

__all__ = ["shipped"]


def shipped(faults: Iterable[DeclaredFault]) -> list[DeclaredFault]:
    """Return these faults, in order, with what the shop calls what they break."""
    return [fault.filled(broken_by(fault.name)) for fault in faults]
