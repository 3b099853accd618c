"""Faults through Chaos Toolkit: any experiment of the user's, and gameday's own.

`ChaosToolkit` is the driver. Experiments run in a child process, because chaoslib wants the main
thread and its signals, and because a process can be ended for certain. The rooms: `driver` (the
port), `experiment` (what a file declares), `process` (the child, seen from the parent), `child`
(the process itself), `toxics` (the short way back for faults that are toxics).
"""

from __future__ import annotations

from gameday.drivers.chaostoolkit.driver import ChaosToolkit

__all__ = ["ChaosToolkit"]
