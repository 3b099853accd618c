"""A team's month, on one page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo

from gameday.learning.flywheel.durations import log_of, spread_of
from gameday.learning.flywheel.returns import repeats_in, returns_in
from gameday.learning.flywheel.shares import actions_in_time, postmortems_in_time
from gameday.learning.flywheel.wheel import of_team
from gameday.model.monthly_review import MonthlyReview, PagesOfRole
from gameday.model.past_incident import Chronicle, PastIncident
from gameday.model.pattern import Return

__all__ = ["review_of", "teams_in"]

YEAR = timedelta(days=365)
MONTHS_OF_A_YEAR = 12

HOURS = range(9, 18)
"""In which a page finds people at work, from Monday to Friday."""

ON_CALL = "on-call"
"""Whom the first page goes to."""


def teams_in(chronicle: Chronicle) -> Sequence[str]:
    """Return the teams that have incidents."""
    return sorted({one.team for one in chronicle.incidents if one.team})


def review_of(chronicle: Chronicle, *, team: str, month: date, zone: tzinfo) -> MonthlyReview:
    """Return a team's month.

    Args:
        month: any day of it; it begins and ends in the zone.
        zone: where the team lives: in its hours people are at work.
    """
    own = of_team(chronicle, team)
    begin = datetime(month.year, month.month, 1, tzinfo=zone)
    end = _next(begin)
    now = [one for one in own.incidents if begin <= one.began_at < end]
    year = [one for one in own.incidents if begin - YEAR <= one.began_at < begin]
    last = [one for one in own.incidents if _before(begin) <= one.began_at < begin]
    until = [one for one in own.incidents if one.began_at < end]
    ids = {one.id for one in now}
    has_year = bool(own.incidents) and own.incidents[0].began_at <= begin - YEAR
    returns = [_within(one, ids) for one in returns_in(until)]
    return MonthlyReview(
        team=team,
        first=begin.date(),
        incidents=len(now),
        severe=sum(_wakes(one) for one in now),
        usual=len(year) / MONTHS_OF_A_YEAR if has_year else None,
        recover=spread_of(_logs(now)),
        recover_before=spread_of(_logs(year)),
        postmortems=postmortems_in_time(now, min(own.as_of, end)),
        actions=actions_in_time(last),
        open=sum(one.tally.open for one in until),
        pages=_pages(now, zone),
        returns=[one for one in returns if one.again],
        repeats=[one for one in repeats_in(until) if not ids.isdisjoint(one.incidents)],
        recurring=[theme for theme in own.themes if not ids.isdisjoint(theme.incidents)],
    )


def _within(one: Return, ids: Collection[str]) -> Return:
    """Return what of a class's returns fell into a month."""
    again = [id for id in one.again if id in ids]
    return replace(one, again=again, times=len(again))


def _pages(incidents: Sequence[PastIncident], zone: tzinfo) -> Sequence[PagesOfRole]:
    """Return the pages of each role: what wakes somebody pages whoever is on call."""
    paged = [
        (one.detected_at or one.began_at).astimezone(zone)
        for one in incidents
        if _wakes(one) and not (one.is_by_day and one.detected_at is None)
    ]
    out = sum(at.weekday() >= 5 or at.hour not in HOURS for at in paged)
    return [PagesOfRole(ON_CALL, len(paged), out)]


def _wakes(one: PastIncident) -> bool:
    return one.severity is not None and one.severity.wakes


def _logs(incidents: Sequence[PastIncident]) -> Sequence[float]:
    return [log_of(span) for one in incidents if (span := one.to_recover) is not None]


def _next(begin: datetime) -> datetime:
    return begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)


def _before(begin: datetime) -> datetime:
    return begin.replace(year=begin.year - (begin.month == 1), month=(begin.month - 2) % 12 + 1)
