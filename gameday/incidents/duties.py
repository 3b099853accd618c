"""What the engine owes an incident now: pages, escalation, reminders. Pure.

Duties are worked out from what is stored, never from timers: after a restart the same ones are due,
and one that was done is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gameday.incidents.state import POSTMORTEM_WITHIN, WAKING, IncidentState, State
from scoring.funnel import TARGETS
from scoring.timeline import Kind

ACK_WITHIN = TARGETS["acked"] or timedelta(seconds=30)
"""The first page's target; the second follows when it has passed."""

ESCALATE_EVERY = timedelta(minutes=5)
"""Between the later pages: each wakes one more person, who needs the time to get up."""

LEVELS = 5
"""Pages without an answer before the engine has nobody left to wake."""


class Act(StrEnum):
    """What is to be done."""

    PAGE = "page"
    TELL_ACKED = "acknowledge"
    TELL_RESOLVED = "resolve"
    REMIND = "remind"


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing that is due.

    Attributes:
        key: unique within the incident; a duty whose key is on record was done.
        to: the role that is told.
        level: of a page, from 1.
    """

    key: str
    act: Act
    to: str
    why: str
    level: int = 0


def duties(incident: IncidentState, *, now: datetime) -> Sequence[Duty]:
    """Return what is due and not on record, most urgent first; may be empty."""
    done = {
        str(w.data.get("duty"))
        for w in incident.events
        if w.kind in (Kind.PAGE_DELIVERED, Kind.REMINDED)
    }
    found = (*_pages(incident, now), *_answers(incident), *_reminders(incident, now))
    return tuple(d for d in found if d.key not in done)


def _pages(incident: IncidentState, now: datetime) -> Sequence[Duty]:
    if not incident.is_open or incident.severity not in WAKING:
        return ()
    if incident.state is State.RECOVERED:
        return ()
    since = incident.unanswered_since
    found = []
    outlived = incident.drill_until is not None and now > incident.drill_until
    if incident.drill is not None and incident.firing and outlived:
        # Whoever answers the drill believes that it is one; this is not any more.
        found.append(
            Duty(
                _page_key(since, "outlived"),
                Act.PAGE,
                "rota",
                f"it outlives the drill {incident.drill}",
                level=2,
            )
        )
    if incident.acked_at is not None:
        return found
    waited = now - since
    level = 1
    if waited > ACK_WITHIN:
        level = min(LEVELS, 2 + int((waited - ACK_WITHIN) / ESCALATE_EVERY))
    if level == 1:
        to, why = "drill on-call" if incident.drill else "on-call", "it fired"
    else:
        # Also a drill's: nobody may think that somebody else has it.
        to, why = "rota", f"nobody acknowledged it within {ACK_WITHIN.total_seconds():.0f} s"
    found.append(Duty(_page_key(since, str(level)), Act.PAGE, to, why, level=level))
    return found


def _page_key(since: datetime, level: str) -> str:
    return f"page/{since.isoformat()}/{level}"


def pages_sent(incident: IncidentState) -> int:
    """Return how many pages about it went out since somebody is asked to acknowledge it."""
    begins = f"page/{incident.unanswered_since.isoformat()}/"
    return sum(
        w.kind == Kind.PAGE_DELIVERED and str(w.data.get("duty")).startswith(begins)
        for w in incident.events
    )


def _answers(incident: IncidentState) -> Sequence[Duty]:
    """The pager is told what became of the page, if there was one."""
    sent = pages_sent(incident)
    if not sent:
        return ()
    if incident.state in (State.RECOVERED, State.RESOLVED, State.FALSE_ALARM, State.MERGED):
        act, why = Act.TELL_RESOLVED, str(incident.state)
    elif incident.acked_at is not None:
        act, why = Act.TELL_ACKED, "somebody has it"
    else:
        return ()
    key = f"{act}/{incident.unanswered_since.isoformat()}"
    told = [w for w in incident.events if str(w.data.get("duty")).startswith(key)]
    if any(int(w.data.get("pages", sent)) < sent for w in told):
        # A page was still being tried when the pager was told; it is open there, and nobody's.
        key = f"{key}/{sent}"
    return [Duty(key, act, "pager", why)]


def _reminders(incident: IncidentState, now: datetime) -> Sequence[Duty]:
    postmortem = next((p for p in incident.phases if p.name == "postmortem"), None)
    if postmortem is None or postmortem.at or postmortem.due_at is None or incident.drill:
        return ()
    due_at = postmortem.due_at
    owed = POSTMORTEM_WITHIN[incident.severity]
    when = f"{due_at:%Y-%m-%d %H:%M} UTC"
    if now > due_at:
        return [
            Duty("postmortem/overdue", Act.REMIND, "commander", f"postmortem was due by {when}")
        ]
    if now > due_at - owed / 2:
        return [Duty("postmortem/halfway", Act.REMIND, "commander", f"postmortem is due by {when}")]
    return ()
