"""What the engine owes an incident now: pages, escalation, reminders. Pure.

Who must be awake, by how the incident stands, is held against what the pagers believe, by what is
on record; what differs is due. So after a restart the same duties are due, and one that was done is
not done again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gameday.incidents.belief import HeldPage, Stands, page_duty
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

AFTER = datetime.resolution
"""From a limit to the first instant beyond it."""

TAKEN = "somebody has it"


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
        since: of a page, since when it is due.
        was_tried: of a page, whether the pager may know of it by that key already.
        is_shared: whether the page told of other incidents, too; of it the pager is only told what
            holds for all of them.
    """

    key: str
    act: Act
    to: str
    why: str
    level: int = 0
    keys: tuple[str, ...] = ()
    since: datetime | None = None
    was_tried: bool = False
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Owed:
    """What an incident asks for.

    Attributes:
        duties: what is due and not on record, most urgent first; may be empty.
        called: the roles that are being called about it: paged, as far as is known, and silent.
    """

    duties: Sequence[Duty]
    called: frozenset[str]


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


_TELL = {Stands.ACKNOWLEDGED: Act.TELL_ACKED, Stands.RESOLVED: Act.TELL_RESOLVED}


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
    return owed(incident, now=now, share=share).duties


def owed(incident: IncidentState, *, now: datetime, share: Share = Share()) -> Owed:
    """Return what an incident asks for now of an engine with this share."""
    held = incident.held
    awake = {
        (p.to, p.level)
        for p in held
        if p.since >= incident.unanswered_since and p.stands in (Stands.OPEN, Stands.ACKNOWLEDGED)
    }
    reminded = {str(w.data.get("duty")) for w in incident.events if w.kind == Kind.REMINDED}
    found = _fallen_to(share, incident, held, now)
    due = tuple(d for d in found if not _is_done(d, awake, reminded))
    called = frozenset(to for to, _ in awake) if _is_unanswered(incident) else frozenset()
    return Owed(due, called)


def stance(incident: IncidentState, page: HeldPage) -> Stands:
    """Return how a page of this incident has to stand with its pager."""
    if _is_over(incident, page):
        return Stands.RESOLVED
    return Stands.ACKNOWLEDGED if _is_answered(incident, page) else Stands.OPEN


def next_due(incident: IncidentState, *, now: datetime) -> datetime | None:
    """Return the first instant after now at which an incident may ask for something else.

    That is as long as nothing is heard of it and it stands as it does; whatever the share of who
    asks is, for as long as that stays the same. None: it will not.
    """
    found: list[datetime] = []
    if _is_unanswered(incident):
        late = incident.unanswered_since + ACK_WITHIN
        found += [late + AFTER, *(late + n * ESCALATE_EVERY for n in range(1, LEVELS - 1))]
    if incident.drill_until is not None:
        found.append(incident.drill_until + AFTER)
    owed = incident.severity.postmortem_within
    for phase in incident.phases:
        if phase.name == "postmortem" and phase.due_at and owed:
            found += [phase.due_at - owed / 2 + AFTER, phase.due_at + AFTER]
    return min((at for at in found if at > now), default=None)


def is_wanted(incident: IncidentState, duty: Duty) -> bool:
    """Return whether anybody still has to be woken by a page that was due."""
    if incident.drill is not None and duty.to == "rota":
        return _is_burning(incident) and incident.cleared_at is None
    asked = page_duty(incident.unanswered_since, str(duty.level))
    return _is_unanswered(incident) and duty.key == asked


def answer_of_all(act: Act, key: str, why: str) -> Duty:
    """Return the duty to tell a pager what became of a page that told of several incidents."""
    return Duty(f"{act}/{key}", act, "pager", why, keys=(key,), is_shared=True)


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
        pages = _pages(incident, held, now)
        return (*pages, *_answers(incident, held), *_reminders(incident, now))
    if incident.drill == share.run:
        return (*_drill_pages(incident, held, now, share), *_answers(incident, held))
    if share.run is not None:
        return ()
    if incident.drill in share.going_on:
        return _outlived(incident, held, now)
    pages = _outlived(incident, held, now)
    return (*pages, *_answers(incident, held), *_reminders(incident, now))


def _pages(incident: IncidentState, held: Sequence[HeldPage], now: datetime) -> Sequence[Duty]:
    if not _is_unanswered(incident):
        return ()
    level = _level(incident, now)
    return [_page(incident, held, level, "on-call" if level == 1 else "rota")]


def _drill_pages(
    incident: IncidentState, held: Sequence[HeldPage], now: datetime, share: Share
) -> Sequence[Duty]:
    if not _is_unanswered(incident):
        return ()
    level = _level(incident, now)
    found = [_page(incident, held, 1, "drill on-call")]
    if level > 1 and share.escalates:
        found.append(_page(incident, held, level, "rota"))
    return found


def _outlived(incident: IncidentState, held: Sequence[HeldPage], now: datetime) -> Sequence[Duty]:
    """Whoever answers the drill believes that it is one; this is not any more."""
    until = incident.drill_until
    if until is None or now <= until or not _is_burning(incident) or incident.cleared_at:
        return ()
    why = f"it outlives the drill {incident.drill}"
    return [replace(_page(incident, held, 2, "rota"), why=why, since=until)]


def _is_burning(incident: IncidentState) -> bool:
    return incident.is_open and incident.wakes and incident.state is not State.RECOVERED


def _is_unanswered(incident: IncidentState) -> bool:
    return _is_burning(incident) and incident.acked_at is None


def _level(incident: IncidentState, now: datetime) -> int:
    waited = now - incident.unanswered_since
    if waited <= ACK_WITHIN:
        return 1
    return min(LEVELS, 2 + int((waited - ACK_WITHIN) / ESCALATE_EVERY))


def _page(incident: IncidentState, held: Sequence[HeldPage], level: int, to: str) -> Duty:
    late = f"nobody acknowledged it within {ACK_WITHIN.total_seconds():.0f} s"
    anew = "it fired" if incident.again_at is None else "it fired again"
    since = incident.unanswered_since
    tried = _tried(incident, held, level, to)
    return Duty(
        page_duty(since, str(level)),
        Act.PAGE,
        to,
        anew if level == 1 else late,
        level=level,
        keys=(tried.key if tried else _pager_key(incident, level),),
        since=since if level == 1 else since + ACK_WITHIN + (level - 2) * ESCALATE_EVERY,
        was_tried=tried is not None,
        is_shared=tried is not None and tried.is_shared,
    )


def _tried(
    incident: IncidentState, held: Sequence[HeldPage], level: int, to: str
) -> HeldPage | None:
    """Return this page as the pager may know it already; None where it cannot.

    Under another key it would ring once more for nothing: the first time that it was sent it may
    have told of others, too.
    """
    begun = incident.again_at or incident.paged_at
    return next(
        (
            page
            for page in reversed(held)
            if (page.to, page.level) == (to, level)
            and page.since >= begun
            and page.stands is not Stands.RESOLVED
        ),
        None,
    )


def is_of_a_time_before(key: str, incident: IncidentState) -> bool:
    """Return whether an incident began anew since this page of its own, or led by it, was made."""
    return not f"{key}/".startswith(f"{_pager_key(incident, level=1)}/")


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
    over = str(incident.state) if is_over else "that was over; it fired again"
    found: list[Duty] = []
    past: list[str] = []
    present: list[str] = []
    for page in held:
        stands = stance(incident, page)
        if page.stands is Stands.RESOLVED or stands in (Stands.OPEN, page.stands):
            continue
        if page.is_shared:
            act, why = _TELL[stands], over if stands is Stands.RESOLVED else TAKEN
            found.append(answer_of_all(act, page.key, why))
        else:
            (past if stands is Stands.RESOLVED else present).append(page.key)
    since = incident.unanswered_since.isoformat()
    if past:
        key = f"{Stands.RESOLVED}/{since}/{len(held)}"
        found.append(Duty(key, Act.TELL_RESOLVED, "pager", over, keys=tuple(sorted(past))))
    if present:
        key = f"{Stands.ACKNOWLEDGED}/{since}/{len(held)}"
        found.append(Duty(key, Act.TELL_ACKED, "pager", TAKEN, keys=tuple(sorted(present))))
    return found


def _is_over(incident: IncidentState, page: HeldPage) -> bool:
    """Return whether what was paged is over: all of it, or the time that the page was about."""
    is_over = not incident.is_open or incident.state is State.RECOVERED
    again_at = incident.again_at
    return is_over or (again_at is not None and page.since < again_at)


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
