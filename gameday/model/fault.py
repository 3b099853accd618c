"""A fault as it is planned and put in, and its undo as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Undo:
    """What takes one fault back, as plain data, written before the fault is injected.

    Attributes:
        id: unique; also marks what was changed (the toxic's name contains it).
        kind: which driver understands it, e.g. ``experiment``.
        run: the run that changed things.
        description: one line for people.
        command: what a person can type to do the same.
        data: whatever the driver needs; JSON-shaped.
    """

    id: str
    kind: str
    run: str
    description: str
    command: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault ready to be injected: every name chosen, every value resolved.

    Attributes:
        takes: how long it may take to be in place, where it says so itself (a drain does).
        recovers: what its recovery does, for people, as the end of a sentence; may be empty.
    """

    experiment: str
    path: str
    configuration: Mapping[str, Any]
    at: timedelta
    duration: timedelta
    undo: Undo
    takes: timedelta = timedelta(0)
    recovers: str = ""


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that is in place."""

    injected_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


MITIGATIONS = "mitigations"
"""Kind of the undo that takes back what a responder did to the target; recovered after faults."""
