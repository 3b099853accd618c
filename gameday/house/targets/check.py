"""One line of a system's document, held against the system."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.errors import DriverError

__all__ = ["Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a document, held against the system.

    Attributes:
        what: what was looked at.
        found: what was found; empty where nothing was.
        ok: whether a drill can rest on it.
        how: what to do where it cannot; empty where another check has to be mended first.
        bars: whether no drill may begin until that is done; else it can be played, and what it
            cannot know then is unknown.
        error: why it could not be looked at.
    """

    what: str
    found: str
    ok: bool
    how: str = ""
    bars: bool = False
    error: DriverError | None = None
