"""Marks: what a run changed bears its name, on the object itself, since the very same request.

Labels, not annotations, because the API server can be asked for them, and because a Deployment
hands its annotations down to its ReplicaSets, where they would outlive the fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gameday.errors import PermanentDriverError, UsageError

MARK = "gameday.dev/mark"
"""Label whose value names the fault: its undo's id."""

FAULT = "gameday.dev/fault"
"""Label whose value says what kind of fault it is."""


def checked(mark: str) -> str:
    """Return a mark that may be a label's value and an object's name.

    Raises:
        UsageError: it may not.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?", mark):
        raise UsageError(
            f"{mark!r} is no mark: it names Kubernetes objects, so write up to 50 lower-case"
            " letters, digits and dashes"
        )
    return mark


def labels(mark: str, fault: str, **more: str) -> dict[str, str]:
    """Return the labels of what a fault adds or changes."""
    return {MARK: mark, FAULT: fault, **{f"gameday.dev/{k}": v for k, v in more.items()}}


def unlabelled(thing: Mapping[str, Any]) -> dict[str, None]:
    """Return the merge patch of labels that removes every one of ours from an object."""
    return {key: None for key in _labels(thing) if key.startswith("gameday.dev/")}


def mark_of(thing: Mapping[str, Any]) -> str:
    """Return the mark an object bears; empty where it bears none."""
    return str(_labels(thing).get(MARK, ""))


def label_of(thing: Mapping[str, Any], name: str) -> str:
    """Return one of our labels; empty where the object has none of this name."""
    return str(_labels(thing).get(f"gameday.dev/{name}", ""))


def check_free(thing: Mapping[str, Any], mark: str, what: str) -> None:
    """Return where an object bears no other fault's mark.

    Raises:
        PermanentDriverError: it bears one; two faults on one object could not be told apart.
    """
    other = mark_of(thing)
    if other and other != mark:
        raise PermanentDriverError(
            f"{what} bears the mark {other!r} of another fault: recover that one first"
            f" (`gameday recover --strays`, or remove the label {MARK} by hand)"
        )


def _labels(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (thing.get("metadata") or {}).get("labels") or {}
    return found
