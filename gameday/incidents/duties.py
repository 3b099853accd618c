"""What the engine owes an incident now: pages, escalation, reminders. Pure.

Who must be awake, by how the incident stands, is held against what the pagers believe, by what is
on record; what differs is due. So after a restart the same duties are due, and one that was done is
not done again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gameday.incidents.belief import HeldPage, Stands, held_pages, page_duty
from gameday.incidents.state import IncidentState, State
from gameday.model.severity import IncidentSeverity
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
        keys: by which the pager knows the page, or the pages that an answer is about.
    """

    key: str
    act: Act
    to: str
    why: str
    level: int = 0
    keys: tuple[str, ...] = ()


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


def urgency(incident: IncidentState, duty: Duty) -> int:
    """Return what goes first where not all can at once, the smallest: by severity, pages first.

    Of one severity, whoever sleeps through the first page is asked after those who had none.
    """
    worst_first = list(IncidentSeverity).index(incident.severity)
    if duty.act is Act.PAGE:
        return 2 * worst_first + (duty.level > 1)
    return 2 * len(IncidentSeverity) + worst_first


def duties(incident: IncidentState, *, now: datetime, share: Share = Share()) -> Sequence[Duty]:
    """Return what is due here and not on record, most urgent first; may be empty."""
    held = held_pages(incident.events)
    awake = {
        (p.to, p.level)
        for p in held
        if p.since >= incident.unanswered_since and p.stands in (Stands.OPEN, Stands.ACKNOWLEDGED)
    }
    reminded = {str(w.data.get("duty")) for w in incident.events if w.kind == Kind.REMINDED}
    found = _fallen_to(share, incident, held, now)
    return tuple(d for d in found if not _is_done(d, awake, reminded))


def _is_done(duty: Duty, awake: Collection[tuple[str, int]], reminded: Collection[str]) -> bool:
    match duty.act:
        case Act.PAGE:
            return (duty.to, duty.level) in awake
        case Act.REMIND:
            return duty.key in reminded
        case _:
            return False  # what the pagers believe already is not due in the first place


def _fallen_to(
    share: Share, incident: IncidentState, held: Sequence[HeldPage], now: datetime
) -> Sequence[Duty]:
    """Return what is due of an incident, done or not, to an engine with this share of them."""
    if incident.drill is None:
        if share.run is not None:
            return ()
        return (*_pages(incident, now), *_answers(incident, held), *_reminders(incident, now))
    if incident.drill == share.run:
        return (*_drill_pages(incident, now, share), *_answers(incident, held))
    if share.run is not None:
        return ()
    if incident.drill in share.going_on:
        return _outlived(incident, now)
    return (*_outlived(incident, now), *_answers(incident, held), *_reminders(incident, now))


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
    return [_page(incident, 2, "rota", why=f"it outlives the drill {incident.drill}")]


def _is_burning(incident: IncidentState) -> bool:
    return incident.is_open and incident.wakes and incident.state is not State.RECOVERED


def _is_unanswered(incident: IncidentState) -> bool:
    return _is_burning(incident) and incident.acked_at is None


def _level(incident: IncidentState, now: datetime) -> int:
    waited = now - incident.unanswered_since
    if waited <= ACK_WITHIN:
        return 1
    return min(LEVELS, 2 + int((waited - ACK_WITHIN) / ESCALATE_EVERY))


def _page(incident: IncidentState, level: int, to: str, *, why: str = "") -> Duty:
    late = f"nobody acknowledged it within {ACK_WITHIN.total_seconds():.0f} s"
    anew = "it fired" if incident.again_at is None else "it fired again"
    return Duty(
        page_duty(incident.unanswered_since, str(level)),
        Act.PAGE,
        to,
        why or (anew if level == 1 else late),
        level=level,
        keys=(_pager_key(incident, level),),
    )


def _pager_key(incident: IncidentState, level: int) -> str:
    """Return the key of a page, another one for each level and each time that it begins anew.

    A tool that has an incident open, or has not heard yet that it was over, takes the same key for
    nothing new, and would wake nobody a second time.
    """
    again = f"/again-{incident.again_at:%Y%m%d%H%M%S%f}" if incident.again_at else ""
    return f"{incident.id}{again}" if level <= 1 else f"{incident.id}{again}/{level}"


def _answers(incident: IncidentState, held: Sequence[HeldPage]) -> Sequence[Duty]:
    """The pager is told what became of its pages."""
    is_over = not incident.is_open or incident.state is State.RECOVERED
    again_at = incident.again_at
    past, present = [], []
    for page in held:
        if page.stands is Stands.RESOLVED:
            continue
        if is_over or (again_at is not None and page.since < again_at):
            past.append(page.key)
        elif page.stands is not Stands.ACKNOWLEDGED and _is_answered(incident, page):
            present.append(page.key)
    since = incident.unanswered_since.isoformat()
    found = []
    if past:
        why = str(incident.state) if is_over else "that was over; it fired again"
        key = f"{Stands.RESOLVED}/{since}/{len(held)}"
        found.append(Duty(key, Act.TELL_RESOLVED, "pager", why, keys=tuple(sorted(past))))
    if present:
        key = f"{Stands.ACKNOWLEDGED}/{since}/{len(held)}"
        found.append(
            Duty(key, Act.TELL_ACKED, "pager", "somebody has it", keys=tuple(sorted(present)))
        )
    return found


def _is_answered(incident: IncidentState, page: HeldPage) -> bool:
    """Return whether the acknowledgement is one of this page."""
    if incident.acked_at is None:
        return False
    # Whoever had the drill has not got what outlives it; the rota is asked in spite of them.
    return incident.drill is None or page.to != "rota" or incident.acked_at >= page.accepted_at


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
