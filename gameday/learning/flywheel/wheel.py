"""The flywheel: what a chronicle says of the loop, month by month, against the targets."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from gameday.learning.flywheel.durations import (
    change_between,
    log_of,
    paired_change,
    spread_of,
)
from gameday.learning.flywheel.patterns import patterns_in, unjudged_in
from gameday.learning.flywheel.returns import repeats_in, returns_in
from gameday.learning.flywheel.shares import SEVERE, actions_in_time, postmortems_in_time
from gameday.learning.flywheel.targets import targets_of
from gameday.model.duration_trend import SpanChange
from gameday.model.flywheel import (
    Flywheel,
    LoopTime,
    Month,
    PlayedDrill,
    TimeTrend,
)
from gameday.model.past_incident import Chronicle, PastIncident

__all__ = ["of_team", "turned"]

YEAR = timedelta(days=365)
A_DOZEN = 12

_SPOILED_BY = {LoopTime.DETECT: "detect", LoopTime.ACK: "ack", LoopTime.RECOVER: "recover"}


def turned(
    chronicle: Chronicle,
    *,
    drills: Sequence[PlayedDrill] = (),
    team: str = "",
    split: datetime | None = None,
    months: int = 12,
) -> Flywheel | None:
    """Return what a chronicle says; None where it holds no incident.

    Args:
        team: whose incidents, and what they have in common; empty: everybody's.
        split: where before ends; else a year ago; where there were fewer than a dozen since, or
            there are less than two years, in the middle.
        months: so many of the last ones are shown, from the first in which anything was.
    """
    whole = of_team(chronicle, team) if team else chronicle
    incidents = whole.incidents
    if not incidents:
        return None
    since = incidents[0].began_at
    split = split or _split(incidents, whole.as_of)
    took = {time: _logs(incidents, time) for time in LoopTime}
    times = [_trend(incidents, time, logs, split) for time, logs in took.items()]
    first_at = min([since, *(drill.at for drill in drills)])
    firsts = [f for f in _last_months(whole.as_of, months) if f >= _month_of(first_at)]
    recent = [*_recent(incidents, took[LoopTime.RECOVER], firsts[0])]
    by_team: dict[str, list[_Counted]] = {one.team: [] for one in incidents if one.team}
    for one in recent:
        if one[0].team:
            by_team[one[0].team].append(one)
    return Flywheel(
        team=team,
        incidents=len(incidents),
        since=since,
        split=split,
        as_of=whole.as_of,
        targets=targets_of(whole, times, drills, split=split),
        times=times,
        months=_months(recent, firsts, drills, whole.as_of),
        teams={
            name: _months(own, firsts, (), whole.as_of) for name, own in sorted(by_team.items())
        },
        drills=_paired(drills),
        patterns=patterns_in(whole),
        unjudged=() if team else unjudged_in(whole),
        repeats=repeats_in(incidents),
        returns=returns_in(incidents),
        recurring=whole.themes,
        contradictions=whole.contradictions,
    )


def _split(incidents: Sequence[PastIncident], as_of: datetime) -> datetime:
    since = incidents[0].began_at
    if as_of - since < 2 * YEAR:
        return since + (as_of - since) / 2
    year_ago = as_of - YEAR
    if sum(one.began_at >= year_ago for one in incidents) < A_DOZEN:
        return incidents[len(incidents) // 2].began_at
    return year_ago


def of_team(chronicle: Chronicle, team: str) -> Chronicle:
    """Return what of a chronicle is one team's; how all teams share exposure says nothing of it."""
    own = [one for one in chronicle.incidents if one.team == team]
    ids = {one.id for one in own}
    return replace(
        chronicle,
        incidents=own,
        exposures={},
        themes=[theme for theme in chronicle.themes if not ids.isdisjoint(theme.incidents)],
        contradictions=[one for one in chronicle.contradictions if one.incident in ids],
    )


def span_of(incident: PastIncident, time: LoopTime) -> timedelta | None:
    """Return how long one part of the loop took."""
    match time:
        case LoopTime.DETECT:
            return incident.to_detect
        case LoopTime.ACK:
            return incident.to_ack
        case LoopTime.RECOVER:
            return incident.to_recover


_Counted = tuple[PastIncident, float | None]
"""An incident with the logarithm of how long it took to recover; None: that is not known."""


def _logs(incidents: Sequence[PastIncident], time: LoopTime) -> Sequence[float | None]:
    """Return the logarithm of how long one part of the loop took in each incident."""
    spans = (span_of(one, time) for one in incidents)
    return [None if span is None else log_of(span) for span in spans]


def _trend(
    incidents: Sequence[PastIncident],
    time: LoopTime,
    logs: Sequence[float | None],
    split: datetime,
) -> TimeTrend:
    parts = bisect_left(incidents, split, key=lambda one: one.began_at)
    before = [log for log in logs[:parts] if log is not None]
    after = [log for log in logs[parts:] if log is not None]
    spoiled = _SPOILED_BY[time]
    return TimeTrend(
        time,
        spread_of([*before, *after]),
        change_between(before, after),
        left_out=sum(spoiled in one.spoiled for one in incidents if one.spoiled),
    )


def _recent(
    incidents: Sequence[PastIncident], recover: Sequence[float | None], first: date
) -> Iterator[_Counted]:
    """Yield the incidents of a month and later, in their order."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    begin = bisect_left(incidents, start, key=lambda one: one.began_at)
    yield from zip(incidents[begin:], recover[begin:], strict=True)


def _month_of(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


def _last_months(as_of: datetime, count: int) -> Sequence[date]:
    number = as_of.year * 12 + as_of.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(number - count + 1, number + 1)]


def _months(
    incidents: Sequence[_Counted],
    firsts: Sequence[date],
    drills: Sequence[PlayedDrill],
    as_of: datetime,
) -> Sequence[Month]:
    of: dict[tuple[int, int], list[_Counted]] = {(f.year, f.month): [] for f in firsts}
    for one in incidents:
        began = one[0].began_at
        if (month := (began.year, began.month)) in of:
            of[month].append(one)
    played = [_month_of(drill.at) for drill in drills]
    return [
        Month(
            first=first,
            incidents=len(counted),
            severe=sum(one.severity in SEVERE for one, _ in counted),
            recover=spread_of([log for _, log in counted if log is not None]),
            postmortems=postmortems_in_time([one for one, _ in counted], as_of),
            actions=actions_in_time([one for one, _ in counted]),
            drills=played.count(first),
        )
        for first, counted in zip(firsts, of.values(), strict=True)
    ]


def _paired(drills: Sequence[PlayedDrill]) -> SpanChange | None:
    """Return how the last drill of each scenario and place compares with the first."""
    of: dict[tuple[str, str], list[timedelta]] = defaultdict(list)
    for drill in sorted(drills, key=lambda d: d.at):
        if drill.recovered_seconds is not None:
            of[drill.scenario, drill.place].append(timedelta(seconds=drill.recovered_seconds))
    return paired_change([(own[0], own[-1]) for own in of.values() if len(own) > 1])
