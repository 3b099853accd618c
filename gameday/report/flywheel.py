"""The flywheel in words: its sentences, its tables, its page, and a team's month on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gameday.legible import finalized
from gameday.model.duration_trend import Interval, SpanChange, Trend
from gameday.model.flywheel import Flywheel, InTime, Month, TimeTrend
from gameday.model.past_incident import Dimension, Theme
from gameday.model.pattern import Pattern, Repeat, Return, Unjudged, Why, Yardstick
from gameday.report.curves import bars, spans
from gameday.report.wording import NO_DATA, NOTHING, figure, seconds

__all__ = [
    "Grid",
    "WheelSection",
    "flywheel_html",
    "headline",
    "proposal_in_words",
    "repeat_in_words",
    "return_in_words",
    "sections_of",
    "share_in_words",
    "span_in_words",
]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its columns, and its rows of words."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class WheelSection:
    """What stands under one heading: sentences, or a table.

    Attributes:
        note: a sentence on how to read it; may be empty.
        empty: what is said where there is nothing.
        verdict_column: of the table, which column holds verdicts; None: none does.
    """

    title: str
    sentences: Sequence[str] = ()
    grid: Grid | None = None
    note: str = ""
    empty: str = ""
    verdict_column: int | None = None


def headline(wheel: Flywheel) -> str:
    """Return what it is about, in a sentence."""
    whose = f" of team {wheel.team}" if wheel.team else ""
    count = "1 incident" if wheel.incidents == 1 else f"{wheel.incidents:,} incidents"
    return (
        f"{count}{whose}, {wheel.since:%Y-%m-%d} to {wheel.as_of:%Y-%m-%d};"
        f" before and after part at {wheel.split:%Y-%m-%d}."
    )


def sections_of(wheel: Flywheel) -> Sequence[WheelSection]:
    """Return everything that is said, in the order it is read."""
    return [
        WheelSection(
            "Targets",
            grid=Grid(
                ("target", "wanted", "stands", "verdict"),
                [
                    (
                        t.name,
                        t.wanted,
                        t.stands,
                        f"{t.verdict}: {t.reason}" if t.reason else str(t.verdict),
                    )
                    for t in wheel.targets
                ],
            ),
            verdict_column=3,
        ),
        WheelSection(
            "How long it takes",
            grid=Grid(
                (
                    "time",
                    "incidents",
                    "median (95 %)",
                    "geometric mean (95 %)",
                    "what became of it",
                ),
                [_trend(one) for one in wheel.times],
            ),
            note=_left_out(wheel.times),
        ),
        *_drills(wheel.drills),
        WheelSection("What stands out", _standing_out(wheel), empty="Nothing beyond chance."),
        WheelSection(
            "What repeats",
            [repeat_in_words(one) for one in wheel.repeats],
            empty="No SEV-1 came four times in three months.",
        ),
        WheelSection(
            "What should be policy",
            [proposal_in_words(one) for one in wheel.recurring],
            empty="No action item was asked for by three incidents.",
        ),
        WheelSection(
            "What came back",
            _returned(wheel.returns),
            empty="No class of incidents came back, or no class is known.",
        ),
        WheelSection("Month by month", grid=_months(wheel.months)),
        *(
            [WheelSection("Teams, over these months", grid=_teams(wheel.teams))]
            if len(wheel.teams) > 1
            else []
        ),
        WheelSection(
            "Records that contradict themselves",
            [f"{one.incident}: {one.sentence}." for one in wheel.contradictions[:MOST]]
            + _more(wheel.contradictions),
            note="Spans that they contradict are not counted above."
            if wheel.contradictions
            else "",
            empty="None.",
        ),
    ]


MOST = 25
"""Lines under one heading; ``--json`` has all of them."""


def _more(all_: Sequence[object]) -> list[str]:
    left = len(all_) - MOST
    return [f"And {left:,} more: --json has all of them."] if left > 0 else []


# --- sentences ----------------------------------------------------------------------------------

_OF = {
    Dimension.TEAM: "of team {}",
    Dimension.SERVICE: "of service {}",
    Dimension.PIPELINE: "from the pipeline {}",
    Dimension.REGION: "in the region {}",
    Dimension.CAUSE: "of the class {}",
    Dimension.TRIGGER: "set off by {}",
}


def _standing_out(wheel: Flywheel) -> list[str]:
    return [pattern_in_words(one) for one in wheel.patterns] + [
        unjudged_in_words(one) for one in wheel.unjudged
    ]


def _named(dimension: Dimension, value: str) -> str:
    if dimension is Dimension.HOUR:
        return f"began between {value}:00 and {(int(value) + 1) % 24:02}:00 UTC"
    return f"are {_OF[dimension].format(value)}"


def pattern_in_words(one: Pattern) -> str:
    """Return what stands out, with what it is held against and how probable chance is."""
    share = f"{one.incidents} of {one.of} incidents ({_percent(one.ratio)})"
    named = _named(one.dimension, one.value)
    if one.yardstick is Yardstick.OTHER_TIMES and one.since and one.until:
        return (
            f"From {one.since:%Y-%m-%d} to {one.until:%Y-%m-%d}, {share} {named}; of all it is"
            f" {_percent(one.expected_ratio)}. {_chance(one.adjusted_p)}."
        )
    held = "of the hours" if one.dimension is Dimension.HOUR else "of the exposure"
    return (
        f"{share} {named}, with {_percent(one.expected_ratio)} {held}. {_chance(one.adjusted_p)}."
    )


def unjudged_in_words(one: Unjudged) -> str:
    """Return a share that cannot be judged, and what would judge it."""
    return (
        f"{one.incidents} of {one.of} incidents ({_percent(one.incidents / one.of)})"
        f" {_named(one.dimension, one.value)}; whether that is much is unknown, for nobody said how"
        f" the exposure is shared: give a file of it (dimension,value,amount)."
    )


def repeat_in_words(one: Repeat) -> str:
    """Return the same severe incident, again and again, as what it is."""
    times = {4: "four", 5: "five", 6: "six"}.get(len(one.incidents), str(len(one.incidents)))
    within = "in three months" if len(one.incidents) == 4 else "without a quiet quarter"
    odds = (
        "Chance deals out no such run"
        if one.is_beyond_chance
        else f"Chance alone deals out {figure(one.by_chance)} such runs in a history like this"
    )
    return (
        f"The same {one.severity}, {one.cause}, {times} times {within}"
        f" ({one.since:%Y-%m-%d} to {one.until:%Y-%m-%d}): {', '.join(one.incidents)}. {odds}."
    )


def return_in_words(one: Return) -> str:
    """Return a class that came back, and how that could be."""
    times = "once" if one.times == 1 else f"{one.times} times"
    left = "…" if one.times > 6 else ""
    ids = f"{', '.join(one.again[:6])}{left}"
    items = f" ({one.items} of them)" if one.items else ""
    return f"{one.cause} came back {times} {one.why}{items}: {ids}."


def _returned(returns: Sequence[Return]) -> list[str]:
    """Return those whose items say something each, and the others together."""
    telling = [one for one in returns if one.why in (Why.CLOSED, Why.OPEN)]
    told = [return_in_words(one) for one in telling[:MOST]] + _more(telling)
    for why in (Why.NONE, Why.UNKNOWN):
        causes = [one.cause for one in returns if one.why is why]
        if causes:
            named = ", ".join(causes[:6]) + (f" and {len(causes) - 6} more" if causes[6:] else "")
            count = "One class" if len(causes) == 1 else f"{len(causes)} classes"
            told.append(f"{count} came back {_WHY_TOGETHER[why]}: {named}.")
    return told


_WHY_TOGETHER = {
    Why.NONE: "without any action item against it",
    Why.UNKNOWN: "and nobody said how the items against it stood",
}


def proposal_in_words(one: Theme) -> str:
    """Return an action item that recurs, as the policy it asks for."""
    of = f" of {one.component}" if one.component else ""
    wordings = "" if len(one.wordings) == 1 else f" in {len(one.wordings)} wordings"
    still = f", {one.open} of them still open" if one.open else ""
    return (
        f"“{one.title}”{of}: asked for by {len(one.incidents)} incidents{wordings}{still}."
        " Make it a policy, with an owner, instead of one more action item."
    )


def change_in_words(change: SpanChange | None) -> str:
    """Return what became of a time, and what could have been seen."""
    if change is None:
        return "too few to compare"
    tests = f"p {_p(change.p_logs)}, by ranks {_p(change.p_ranks)}"
    if change.trend is Trend.NOT_SHOWN:
        visible = _percent(change.smallest_visible_ratio)
        return f"×{change.ratio:.2f}, not shown ({tests}); a cut of {visible} would have been"
    low, high = change.interval
    return f"{change.trend}, ×{change.ratio:.2f} ({low:.2f} to {high:.2f}; {tests})"


def _drills(change: SpanChange | None) -> list[WheelSection]:
    if change is None:
        return []
    words = f"First and last drill of {change.before} scenarios, in pairs: "
    visible = _percent(change.smallest_visible_ratio)
    if change.trend is Trend.NOT_SHOWN:
        words += f"no change shown (×{change.ratio:.2f}); a cut of {visible} would have been."
    else:
        low, high = change.interval
        words += f"recovery became {change.trend}, ×{change.ratio:.2f} ({low:.2f} to {high:.2f})."
    return [WheelSection("Drills of the same scenario", [words])]


def _left_out(times: Sequence[TimeTrend]) -> str:
    left = [f"{one.left_out} {one.time}" for one in times if one.left_out]
    return f"Left out, for their records contradict themselves: {', '.join(left)}." if left else ""


def _trend(one: TimeTrend) -> Sequence[str]:
    spread = one.spread
    if spread is None:
        return (str(one.time), "0", NO_DATA, NO_DATA, NOTHING)
    return (
        str(one.time),
        str(spread.count),
        f"{span_in_words(spread.median)}{_between(spread.median_interval)}",
        f"{span_in_words(spread.geometric_mean)}{_between(spread.mean_interval)}",
        change_in_words(one.change),
    )


# --- months -------------------------------------------------------------------------------------


def _months(months: Sequence[Month]) -> Grid:
    return Grid(
        ("month", "incidents", "SEV-1/2", "median to recover", "postmortems", "actions", "drills"),
        [
            (
                f"{one.first:%Y-%m}",
                str(one.incidents),
                str(one.severe),
                span_in_words(one.recover.median) if one.recover else NOTHING,
                share_in_words(one.postmortems),
                share_in_words(one.actions),
                str(one.drills),
            )
            for one in months
        ],
    )


def _teams(teams: Mapping[str, Sequence[Month]]) -> Grid:
    rows = []
    for team, months in teams.items():
        actions, postmortems = (
            _sum([m.actions for m in months]),
            _sum([m.postmortems for m in months]),
        )
        rows.append(
            (
                team,
                str(sum(m.incidents for m in months)),
                str(sum(m.severe for m in months)),
                " ".join(str(m.incidents) for m in months),
                share_in_words(postmortems),
                share_in_words(actions),
            )
        )
    return Grid(("team", "incidents", "SEV-1/2", "month by month", "postmortems", "actions"), rows)


def _sum(shares: Sequence[InTime]) -> InTime:
    return InTime(sum(one.met for one in shares), sum(one.of for one in shares))


def share_in_words(share: InTime) -> str:
    """Return how much of what was due was done in time; a dash where nothing was."""
    if share.ratio is None:
        return NOTHING
    return f"{_percent(share.ratio)} of {share.of}"


# --- a page -------------------------------------------------------------------------------------


def flywheel_html(wheel: Flywheel) -> str:
    """Return it as one HTML page that needs nothing else: no script, no outside asset."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("gameday.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalized,
    )
    pictures = {
        "Month by month": (
            (
                "Incidents of each month; in front, those that were SEV-1 or SEV-2",
                bars(wheel.months),
            ),
            ("Time to recover, by month: median and its interval of 95 %", spans(wheel.months)),
        )
    }
    return environment.get_template("flywheel.html.j2").render(
        headline=headline(wheel),
        title=f"The flywheel: {wheel.team}" if wheel.team else "The flywheel",
        sections=sections_of(wheel),
        # Our own markup; the words in it are escaped there.
        pictures={k: [(t, Markup(p)) for t, p in own if p] for k, own in pictures.items()},
        verdicts=("met", "missed", "unknown"),
    )


def _between(interval: Interval | None) -> str:
    return (
        ""
        if interval is None
        else f" ({span_in_words(interval[0])} to {span_in_words(interval[1])})"
    )


def span_in_words(span: timedelta) -> str:
    """Return a span with as many figures as it is known to: minutes have no seconds."""
    whole = span.total_seconds()
    return seconds(round(whole, 1) if whole < 120 else round(whole / 60) * 60)


def _percent(ratio: float) -> str:
    return f"{figure(round(ratio * 100, 1))} %" if ratio < 0.1 else f"{ratio * 100:.0f} %"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _chance(p: float) -> str:
    """Return how often chance does as much, over everything that was looked at."""
    if p < 1e-6:
        return "Chance does as much less than once in a million such histories"
    return f"Chance does as much once in {round(1 / p):,} such histories"
