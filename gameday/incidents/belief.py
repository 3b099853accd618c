"""What the pagers believe of an incident: the pages they hold, and how each stands there. Pure.

It is derived from what is on record of the calls that they accepted, so that a restart, or another
process, believes the same. What they are to believe, the duties say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from scoring.timeline import Fact, Kind

__all__ = ["HeldPage", "Stands", "held_pages", "page_duty"]


class Stands(StrEnum):
    """How a page stands with its pager."""

    OPEN = "open"
    UNSURE = "unsure"
    """It was tried and not answered: nobody is known to be awake, and it may be open."""
    ACKNOWLEDGED = "acknowledge"
    RESOLVED = "resolve"


@dataclass(frozen=True, slots=True)
class HeldPage:
    """One page that a pager accepted, or may have.

    Attributes:
        key: by which the pager knows it.
        to: the role that it woke.
        level: from 1.
        since: since when somebody was asked to acknowledge the incident when it was sent.
        accepted_at: when it was.
        is_shared: it told of other incidents, too, see `gameday.incidents.calls`.
    """

    key: str
    to: str
    level: int
    since: datetime
    accepted_at: datetime
    is_shared: bool = False
    stands: Stands = Stands.OPEN


def page_duty(since: datetime, level: str) -> str:
    """Return the key of the duty to page, which its fact holds."""
    return f"page/{since.isoformat()}/{level}"


def held_pages(events: Iterable[Fact]) -> tuple[HeldPage, ...]:
    """Return every page that was accepted, or may have been, by an incident's facts in order."""
    held: dict[tuple[str, str], HeldPage] = {}
    for fact in events:
        duty = str(fact.data.get("duty"))
        if fact.kind == Kind.PAGE_DELIVERED:
            page = _page(fact, duty)
            if page is not None:
                held[page.to, page.key] = page
        elif fact.kind == Kind.PAGE_FAILED and fact.data.get("key"):
            page = _page(fact, duty)
            known = None if page is None else held.get((page.to, page.key))
            if page is not None and (known is None or known.stands is Stands.RESOLVED):
                held[page.to, page.key] = replace(page, stands=Stands.UNSURE)
        elif fact.kind == Kind.REMINDED:
            stands = _stands(duty)
            if stands is None:
                continue
            # Older facts name no keys: every page before them was meant.
            told = fact.data.get("keys")
            for at, page in held.items():
                is_told = told is None or page.key in told
                if is_told and page.stands is not Stands.RESOLVED:
                    held[at] = replace(page, stands=stands)
    return tuple(held.values())


def _stands(duty: str) -> Stands | None:
    word = duty.partition("/")[0]
    return Stands(word) if word in (Stands.ACKNOWLEDGED, Stands.RESOLVED) else None


def _page(fact: Fact, duty: str) -> HeldPage | None:
    try:
        since = datetime.fromisoformat(duty.split("/")[1])
    except (IndexError, ValueError):
        return None
    level = int(fact.data.get("level", 1))
    incident = str(fact.data.get("incident"))
    # As older facts, which do not say, were sent.
    key = incident if level <= 1 else f"{incident}/{level}"
    to = str(fact.data.get("to"))
    is_shared = bool(fact.data.get("shared"))
    return HeldPage(str(fact.data.get("key") or key), to, level, since, fact.happened_at, is_shared)
