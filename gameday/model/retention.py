"""What the retention deletes in one transaction, and the fact that says so afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scoring.timeline import Fact, Kind


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes of one group of facts, whole or not at all.

    Attributes:
        incidents: whose lines get their date; every id, also of those that were merged.
        facts: ids of the facts that are deleted, the earlier word of a removal among them.
        began: when each of what goes began.
        said: the one word of the group that says what went so far.
        keep: how long such things are kept.
    """

    group: str
    incidents: tuple[str, ...]
    facts: tuple[str, ...]
    began: tuple[datetime, ...]
    said: Fact
    keep: timedelta


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a step of the retention deleted.

    Attributes:
        facts: how many.
        bytes: of their texts, and of what else was deleted with them.
        last: number of the store's last fact after it.
        is_done: False: somebody wrote about the group meanwhile, and nothing was deleted.
    """

    facts: int
    bytes: int
    last: int = 0
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How large the store is on disk, in bytes.

    Attributes:
        free: of these, what is empty and will be filled first.
        shrinks: whether what is empty can be given back to the disk while others use it.
    """

    whole: int
    free: int
    shrinks: bool


def told(
    group: str,
    previous: Fact | None,
    *,
    incidents: int,
    facts: int,
    since: datetime,
    until: datetime,
    keep: timedelta,
    now: datetime,
) -> Fact:
    """Return the word that says what went of a group so far.

    Args:
        previous: the one before, whose place it takes.
    """
    if previous is not None:
        incidents += int(previous.data["incidents"])
        facts += int(previous.data["facts"])
        since = min(since, datetime.fromisoformat(previous.data["since"]))
        until = max(until, datetime.fromisoformat(previous.data["until"]))
    return Fact(
        id=f"{group}/pruned-{facts}",
        kind=Kind.PRUNED,
        happened_at=now,
        recorded_at=now,
        source="retention",
        data={
            "incidents": incidents,
            "facts": facts,
            "since": since.isoformat(),
            "until": until.isoformat(),
            "after_seconds": keep.total_seconds(),
        },
    )
