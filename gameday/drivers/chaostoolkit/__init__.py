"""Faults through Chaos Toolkit: any experiment of the user's, and gameday's own.

`ChaosToolkit` is the driver. Experiments run in a child process, because chaoslib wants the main
thread and its signals, and because a process can be ended for certain. The rooms: `driver` (the
port), `actions` (single ones, as mitigations), `experiment` (what a file declares), `process` (the
child, seen from the parent), `child` (the process itself), `toxics` (the short way back for faults
that are toxics).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gameday.drivers.chaostoolkit.driver import ChaosToolkit

__all__ = ["ChaosToolkit"]


def __getattr__(name: str) -> Any:
    # Late, because the child imports this package too, and every import delays its fault.
    if name == "ChaosToolkit":
        from gameday.drivers.chaostoolkit.driver import ChaosToolkit

        return ChaosToolkit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
