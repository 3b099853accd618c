"""The table of targets, and whether each is met.

A target that asks for a change is met where the change is shown, missed where what was asked for
can be ruled out, and unknown in between: with few incidents that is most of the time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from gameday.learning.flywheel.shares import actions_in_time, postmortems_in_time
from gameday.model.duration_trend import SpanChange, Trend
from gameday.model.flywheel import InTime, LoopTarget, LoopTime, PlayedDrill, TimeTrend
from gameday.model.past_incident import Chronicle, PastIncident
from scoring.verdict import Verdict

__all__ = ["targets_of"]

HALVED = 0.5
"""Of the time to recover: down by 50 to 80 %. Source of all of these: the design's targets."""

FEWER = 0.7
"""Of the incidents: down by 30 % in twelve months."""

DONE_RATIO = 0.8
"""Of the action items, within 30 days."""


def targets_of(
    chronicle: Chronicle,
    times: Sequence[TimeTrend],
    drills: Sequence[PlayedDrill],
    *,
    split: datetime,
) -> Sequence[LoopTarget]:
    """Return every target and how it stands."""
    recover = next(one for one in times if one.time is LoopTime.RECOVER)
    return [
        _recovering(recover.change),
        _fewer(chronicle, split),
        _share(
            "postmortems within 48 h of a SEV-1/2",
            "100 %",
            postmortems_in_time(chronicle.incidents, chronicle.as_of),
            1.0,
            "nobody said when a postmortem was there",
        ),
        _share(
            "action items done within 30 days",
            "at least 80 %",
            actions_in_time(chronicle.incidents),
            DONE_RATIO,
            "of no action item is it known when it was filed and done",
        ),
        _played(drills, chronicle.as_of),
        LoopTarget(
            "every alert has a runbook with an owner",
            "all",
            "not looked at",
            Verdict.UNKNOWN,
            "ask `gameday runbooks coverage`, which reads the rules",
        ),
    ]


def _recovering(change: SpanChange | None) -> LoopTarget:
    name, wanted = "time to recover", "down by 50 to 80 %"
    if change is None:
        reason = "on one side of the split it is known of fewer than three incidents"
        return LoopTarget(name, wanted, "no change to be told", Verdict.UNKNOWN, reason)
    low, high = change.interval
    stands = f"{change_in_words(change.ratio)} ({change_in_words(low)} to {change_in_words(high)})"
    visible = f"{change.smallest_visible_ratio * 100:.0f} %"
    if change.trend is Trend.SHORTER and change.ratio <= HALVED:
        return LoopTarget(name, wanted, stands, Verdict.MET)
    if low > HALVED:
        return LoopTarget(name, wanted, stands, Verdict.MISSED)
    reason = (
        f"{change.before} and {change.after} incidents would have shown a cut of {visible}, and"
        " hardly a smaller one"
    )
    return LoopTarget(name, wanted, stands, Verdict.UNKNOWN, reason)


def _fewer(chronicle: Chronicle, split: datetime) -> LoopTarget:
    """Judge how many incidents there are in a time, against as long a time before.

    Given their sum, those after are binomial with the share of the time; the interval of that share
    is Clopper and Pearson's, which makes one of the ratio.

    Source: Przyborowski and Wilenski, "Homogeneity of Results in Testing Samples from Poisson
    Series", 1940.
    """
    from scipy.special import betaincinv

    name, wanted = "incidents", "down by 30 % in twelve months"
    span = chronicle.as_of - split
    since = split - span
    first = chronicle.incidents[0].began_at
    begins, parts = (bisect_left(chronicle.incidents, at, key=_began_at) for at in (since, split))
    before, after = parts - begins, len(chronicle.incidents) - parts
    # The history may begin with its first incident, a moment after its beginning.
    if not before or first > since + timedelta(days=31):
        reason = "what is known does not reach back as far before the split as after it"
        return LoopTarget(name, wanted, f"{after} since {split:%Y-%m-%d}", Verdict.UNKNOWN, reason)
    both = before + after
    low = float(betaincinv(after, both - after + 1, 0.025)) if after else 0.0
    high = float(betaincinv(after + 1, both - after, 0.975))
    ratio = after / before
    lowest, highest = low / (1 - low), high / (1 - high)
    stands = f"{before} → {after}, {change_in_words(ratio)}"
    if ratio <= FEWER and highest < 1:
        return LoopTarget(name, wanted, stands, Verdict.MET)
    if lowest > FEWER:
        return LoopTarget(name, wanted, stands, Verdict.MISSED)
    reason = (
        "so few may differ as much by chance:"
        f" {change_in_words(lowest)} to {change_in_words(highest)}"
    )
    return LoopTarget(name, wanted, stands, Verdict.UNKNOWN, reason)


def _began_at(one: PastIncident) -> datetime:
    return one.began_at


def _share(name: str, wanted: str, share: InTime, least: float, unknown: str) -> LoopTarget:
    if share.ratio is None:
        return LoopTarget(name, wanted, "no data", Verdict.UNKNOWN, unknown)
    verdict = Verdict.MET if share.ratio >= least else Verdict.MISSED
    return LoopTarget(
        name, wanted, f"{share.met} of {share.of}, {share.ratio * 100:.0f} %", verdict
    )


def _played(drills: Sequence[PlayedDrill], as_of: datetime) -> LoopTarget:
    name, wanted = "game days", "every month in each region"
    recent = list(_of_last_year(drills, as_of))
    if not recent:
        reason = "no game day is on record" if not drills else "none was played for a year"
        verdict = Verdict.UNKNOWN if not drills else Verdict.MISSED
        return LoopTarget(name, wanted, "none", verdict, reason)
    months: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for drill in recent:
        months[drill.place].add((drill.at.year, drill.at.month))
    first = min(drill.at for drill in recent)
    # The month that goes on does not count against it.
    due = max((as_of.year - first.year) * 12 + as_of.month - first.month, 1)
    stands = ", ".join(f"{place} {len(own)} of {due}" for place, own in sorted(months.items()))
    this = (as_of.year, as_of.month)
    is_met = all(len(own - {this}) >= due or len(own) > due for own in months.values())
    return LoopTarget(name, wanted, stands, Verdict.MET if is_met else Verdict.MISSED)


def _of_last_year(drills: Sequence[PlayedDrill], as_of: datetime) -> Iterator[PlayedDrill]:
    yield from (d for d in drills if as_of - timedelta(days=366) <= d.at <= as_of)


def change_in_words(ratio: float) -> str:
    """Return a ratio as a change: 0.5 is ``−50 %``, 1.2 is ``+20 %``, 4 is ``×4``."""
    if ratio >= 3:
        return f"×{ratio:.0f}"
    change = round((ratio - 1) * 100)
    return f"{'+' if change > 0 else '−' if change < 0 else '±'}{abs(change)} %"
