"""What the engine owes an incident now: pages, escalation, reminders. Pure.

Duties are worked out from what is stored, never from timers: after a restart the same ones are due,
and one that was done is not done again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gameday.incidents.state import IncidentState, State
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


@dataclass(frozen=True, slots=True)
class Share:
    """Which incidents' duties fall to one engine.

    Attributes:
        run: it is a run's own engine, and does those of its drill; None: it is the service's.
        going_on: the runs that go on: each does those of its drill itself.
        escalates: whether a drill that nobody answers wakes the real rota.
    """

    run: str | None = None
    going_on: Collection[str] = ()
    escalates: bool = False


def duties(incident: IncidentState, *, now: datetime, share: Share = Share()) -> Sequence[Duty]:
    """Return what is due here and not on record, most urgent first; may be empty."""
    done = {
        str(w.data.get("duty"))
        for w in incident.events
        if w.kind in (Kind.PAGE_DELIVERED, Kind.REMINDED)
    }
    found = _fallen_to(share, incident, now)
    return tuple(d for d in found if d.key not in done)


def _fallen_to(share: Share, incident: IncidentState, now: datetime) -> Sequence[Duty]:
    """Return what is due of an incident, done or not, to an engine with this share of them."""
    if incident.drill is None:
        if share.run is not None:
            return ()
        return (*_pages(incident, now), *_answers(incident), *_reminders(incident, now))
    if incident.drill == share.run:
        return (*_drill_pages(incident, now, share), *_answers(incident))
    if share.run is not None:
        return ()
    if incident.drill in share.going_on:
        return _outlived(incident, now)
    return (*_outlived(incident, now), *_answers(incident), *_reminders(incident, now))


def _pages(incident: IncidentState, now: datetime) -> Sequence[Duty]:
    if not _is_unanswered(incident):
        return ()
    level = _level(incident, now)
    return [_page(incident, level, "on-call" if level == 1 else "rota")]


def _drill_pages(incident: IncidentState, now: datetime, share: Share) -> Sequence[Duty]:
    if not _is_unanswered(incident):
        return ()
    level = _level(incident, now)
    found = [_page(incident, 1, "drill on-call")]
    if level > 1 and share.escalates:
        found.append(_page(incident, level, "rota"))
    return found


def _outlived(incident: IncidentState, now: datetime) -> Sequence[Duty]:
    """Whoever answers the drill believes that it is one; this is not any more."""
    until = incident.drill_until
    if until is None or now <= until or not _is_burning(incident) or incident.cleared_at:
        return ()
    key = _page_key(incident.unanswered_since, "outlived")
    return [Duty(key, Act.PAGE, "rota", f"it outlives the drill {incident.drill}", level=2)]


def _is_burning(incident: IncidentState) -> bool:
    return incident.is_open and incident.wakes and incident.state is not State.RECOVERED


def _is_unanswered(incident: IncidentState) -> bool:
    return _is_burning(incident) and incident.acked_at is None


def _level(incident: IncidentState, now: datetime) -> int:
    waited = now - incident.unanswered_since
    if waited <= ACK_WITHIN:
        return 1
    return min(LEVELS, 2 + int((waited - ACK_WITHIN) / ESCALATE_EVERY))


def _page(incident: IncidentState, level: int, to: str) -> Duty:
    late = f"nobody acknowledged it within {ACK_WITHIN.total_seconds():.0f} s"
    key = _page_key(incident.unanswered_since, str(level))
    return Duty(key, Act.PAGE, to, "it fired" if level == 1 else late, level=level)


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
    owed = incident.severity.postmortem_within
    if postmortem is None or postmortem.at or postmortem.due_at is None or owed is None:
        return ()
    due_at = postmortem.due_at
    when = f"{due_at:%Y-%m-%d %H:%M} UTC"
    if now > due_at:
        return [
            Duty("postmortem/overdue", Act.REMIND, "commander", f"postmortem was due by {when}")
        ]
    if now > due_at - owed / 2:
        return [Duty("postmortem/halfway", Act.REMIND, "commander", f"postmortem is due by {when}")]
    return ()
