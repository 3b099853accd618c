"""What a pager carries: the page of one incident as a notification, and what the tool said. No I/O.

A pager carries the page of one incident to a tool that wakes people or tells them: PagerDuty,
Slack, a webhook of your own. `gameday.ports.Pager` is the window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gameday.model.page import Links, Page

__all__ = [
    "LEAST_URGENT",
    "Action",
    "Notification",
    "Receipt",
    "Severity",
    "always",
    "notification",
]

LEAST_URGENT = 100
"""After all that is about an incident."""

DRILL = "[DRILL] "
"""Before the summary of every drill: nobody may take one for real, nor the other way round."""


class Severity(StrEnum):
    """How bad it is, in the words of the PagerDuty Common Event Format."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Action(StrEnum):
    """What a pager is asked to do."""

    PAGE = "page"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    MARK = "mark"  # show a deploy; about no incident


def always() -> bool:
    """Return that it is wanted, whatever happens."""
    return True


@dataclass(frozen=True, slots=True)
class Notification:
    """One incident as a pager carries it; the same value serves all three actions.

    Pagers cut what their tool does not take, and say so in the receipt's notes.

    Attributes:
        key: names the incident, the same for all that is said about it; a new incident needs a
            new one. Any text; where a tool takes less, it is shortened without collisions.
        summary: one sentence.
        service: the service whose promise is being broken.
        source: who noticed, e.g. the URL or name of the Prometheus.
        links: the four deeplinks; an empty one is left out.
        happened_at: when the alert fired; None: the tool takes the time of arrival.
        incident: URL of the incident for people; empty for none.
        drill: whether it belongs to a game day.
        details: what else is known; JSON-shaped, anything else is written as text.
        urgency: who is told first where not all can be at once: the smallest.
        page: the whole page, for a responder that is a program; tools are not sent it.
        is_wanted: asked before each try of a page: whether anybody still has to be woken by it.
    """

    key: str
    summary: str
    service: str
    source: str
    links: Links
    severity: Severity = Severity.CRITICAL
    happened_at: datetime | None = None
    incident: str = ""
    drill: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    urgency: int = 0
    page: Page | None = field(default=None, repr=False)
    is_wanted: Callable[[], bool] = field(default=always, repr=False, compare=False)

    @property
    def headline(self) -> str:
        """The summary, marked where it is a drill."""
        return f"{DRILL}{self.summary}" if self.drill else self.summary


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a tool has accepted. Accepted is not read: only an acknowledgement says that.

    Attributes:
        pager: which tool.
        key: the key by which the tool knows the incident.
        accepted_at: when its answer had come.
        said: its own words; may be empty.
        tries: how many requests it took; 0: it had the very same already, nothing was sent.
        notes: what was cut or left out on the way, a sentence each.
    """

    pager: str
    action: Action
    key: str
    accepted_at: datetime
    said: str = ""
    tries: int = 1
    notes: tuple[str, ...] = ()


def notification(
    page: Page,
    *,
    key: str,
    source: str,
    incident: str = "",
    details: Mapping[str, Any] | None = None,
) -> Notification:
    """Return a page as a pager carries it: a page is critical, a ticket a warning.

    Args:
        key: see `Notification`.
        source: who noticed.
        incident: URL of the incident for people; the page's own is for programs and stays out.
        details: added to what the page knows; wins where both know.
    """
    known: dict[str, Any] = {
        "alert": page.alert,
        "slo": page.slo,
        "burn_rate": page.burn_rate,
        "window": page.window,
        "fired_at": page.fired_at.astimezone(UTC).isoformat(),
        "drill": page.drill,
    }
    burning = f" {page.burn_rate:.1f} times too fast" if page.burn_rate is not None else " too fast"
    summary = page.summary or f"{page.service} spends the error budget of {page.slo}{burning}"
    return Notification(
        key=key,
        summary=summary,
        service=page.service,
        source=source,
        links=page.links,
        severity=Severity.CRITICAL if page.severity == "page" else Severity.WARNING,
        happened_at=page.fired_at,
        incident=incident,
        drill=page.drill,
        details={k: v for k, v in known.items() if v not in (None, "")} | dict(details or {}),
        page=page,
    )
