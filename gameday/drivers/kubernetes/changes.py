"""Objects of a cluster: listed, and watched from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["Listing", "WatchEvent", "WatchEventType"]


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects, and the version of the whole from which a watch may go on."""

    items: Sequence[dict[str, Any]]
    version: str


class WatchEventType(Enum):
    """What happened to an object while it was watched."""

    LISTED = "LISTED"  # everything there is, told anew: whatever is not among it is gone
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """What a watch saw: of one object, or with `WatchEventType.LISTED` of all there are."""

    kind: WatchEventType
    objects: Sequence[dict[str, Any]]
