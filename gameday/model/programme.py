"""The programme: when and where game days may be played, and who has to agree.

A file ``programme.yaml`` beside ``scenarios/``, as frozen values; `gameday.spec` reads it. What the
values forbid at a given instant is said by `gameday.governance.permission`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from gameday.model.calendar import (
    WHOLE_DAY,
    DayHours,
    Moment,
    Period,
    Weekday,
    Zone,
    instant,
    occurrences,
)
from gameday.model.noun import Name, Noun, Text
from gameday.model.scenario import TargetKind
from gameday.quantity import Ratio, refusal, shown

KINDS = tuple(str(kind) for kind in TargetKind)
"""What a target's name may start with."""

NAMED_FURTHER = (TargetKind.KUBERNETES, TargetKind.SYSTEM)
"""Kinds of which there may be several."""


def _target_name(value: str) -> str:
    kind, slash, context = value.partition("/")
    if kind not in KINDS:
        near = difflib.get_close_matches(kind[:60].lower(), KINDS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"targets: {', '.join(KINDS)}"
        raise refusal(f"there is no target '{shown(value)}'", hint)
    if slash and (kind not in NAMED_FURTHER or not context):
        raise refusal(
            f"'{shown(value)}' is no target",
            "only a cluster (kubernetes/CONTEXT, as kubectl calls it) and a system (system/NAME) "
            "are named further",
        )
    return value


TargetName = Annotated[
    str,
    AfterValidator(_target_name),
    WithJsonSchema(
        {"type": "string", "pattern": f"^({'|'.join(KINDS)})$|^({'|'.join(NAMED_FURTHER)})/.+$"}
    ),
]
"""``sandbox``, ``kubernetes``, ``system``, ``none``, or one of them: ``kubernetes/prod-eu``."""


def covers(name: str, target: str) -> bool:
    """Return whether a target's name in a file means this target: the kind means all of them."""
    return name == target or target.startswith(f"{name}/")


class ProgrammeMetadata(Noun):
    """Name and title of a programme, and who keeps it."""

    name: Name
    title: str = ""
    owner: str = ""
    """Role or team to ask when something has to change."""


class Blackout(Noun):
    """A time in which no game day is started.

    It is in force between ``from`` and ``until``. With ``weekly`` or ``daily`` only on those days
    and in those hours of that time; without that time, whenever they come.
    """

    name: Name
    reason: str = ""
    from_: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None
    """A day is meant with all of its hours."""
    weekly: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ()
    """Days on which it is in force, or on which its hours begin."""
    daily: DayHours | None = None
    timezone: Zone | None = None
    """Where days and local times are meant; there is no default, for a guess would be wrong."""
    targets: Annotated[tuple[TargetName, ...], Field(min_length=1)] = ()
    """Where it holds; empty: everywhere."""
    regions: Annotated[tuple[Text, ...], Field(min_length=1)] = ()
    """Which regions a run must leave alone meanwhile; empty: all."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Blackout:
        if (self.from_ is None) != (self.until is None):
            lacks = "from" if self.from_ is None else "until"
            raise refusal(f"has no {lacks}", "from and until go together")
        if self.from_ is None and not self.recurs:
            raise refusal("says no time", "write from and until, weekly: [Sat, Sun], or daily")
        self._check_days()
        if self.timezone is None and (
            self.recurs or any(_is_local(m) for m in (self.from_, self.until))
        ):
            raise refusal(
                "needs a timezone: days and local times are meant somewhere",
                "add timezone: Europe/Berlin (or UTC)",
            )
        span = self.span
        if span is not None and span.begin >= span.end:
            raise refusal("ends before it begins", "until must lie after from")
        if span is not None and self.recurs and self._never_comes(span):
            raise refusal("is never in force", "no such day or hour lies between from and until")
        return self

    def _check_days(self) -> None:
        if len(set(self.weekly)) < len(self.weekly):
            raise refusal("names a day of the week twice", "write each day once")
        if len(self.weekly) == len(Weekday):
            raise refusal("names every day of the week", "leave weekly out")
        if self.daily == WHOLE_DAY:
            raise refusal("names all hours of the day", "leave daily out, or write fewer hours")

    def _never_comes(self, span: Period) -> bool:
        until = min(span.end, span.begin + timedelta(days=9))
        return next(self.spans(span.begin, until), None) is None

    @property
    def recurs(self) -> bool:
        """Return whether it comes back by weekday or hour."""
        return bool(self.weekly) or self.daily is not None

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in which its times are shown: its own, else UTC."""
        return self.timezone or ZoneInfo("UTC")

    @property
    def span(self) -> Period | None:
        """Return the span from ``from`` to ``until``; None where it has none."""
        if self.from_ is None or self.until is None:
            return None
        return Period(
            instant(self.from_, self.timezone, ends=False),
            instant(self.until, self.timezone, ends=True),
        )

    def spans(self, since: datetime, until: datetime) -> Iterator[Period]:
        """Yield when it is in force, in order, spans that touch as one.

        Args:
            since: spans that ended by then are left out.
            until: spans that begin later are left out.
        """
        span = self.span
        if self.recurs:
            yield from occurrences(
                since,
                until,
                weekdays=self.weekly,
                hours=self.daily or WHOLE_DAY,
                zone=self.timezone,
                within=span,
            )
        elif span is not None and span.end > since and span.begin < until:
            yield span

    def ends_at(self, at: datetime) -> datetime | None:
        """Return when it ends (UTC) if it is in force at this instant, else None."""
        now = at.astimezone(UTC)
        span = next(self.spans(now, now + timedelta(microseconds=1)), None)
        return span.end if span is not None else None

    def concerns(self, target: str, regions: Sequence[str]) -> bool:
        """Return whether it holds for a run on this target.

        Args:
            regions: those the run touches; empty: all there are.
        """
        here = not self.targets or any(covers(name, target) for name in self.targets)
        there = not self.regions or not regions or bool(set(self.regions) & set(regions))
        return here and there

    def repeats(self, other: Blackout) -> bool:
        """Return whether both forbid some of the same time by date, for the same runs."""
        mine, theirs = self.span, other.span
        if mine is None or theirs is None or self.recurs or other.recurs:
            return False
        return (
            set(self.targets) == set(other.targets)
            and set(self.regions) == set(other.regions)
            and mine.meets(theirs)
        )


class TargetTerms(Noun):
    """On what terms game days are played on a target."""

    disposable: StrictBool | None = None
    """Nobody outside uses it, so no promise is at stake. By default only the sandbox is."""
    production: StrictBool = False
    """Customers use it: every run needs an approval, and an unknown budget is a refusal."""
    approval: Literal["required", "none"] | None = None
    """By default required in production only."""
    approvers: Annotated[tuple[Text, ...], Field(min_length=1)] = ()
    """Who may approve: names of roles."""
    error_budget_left_above: Ratio | None = None
    """The reserve of this target, instead of the programme's."""

    @model_validator(mode="after")
    def _makes_sense(self) -> TargetTerms:
        if self.production and self.disposable:
            raise refusal(
                "is both production and disposable", "nothing that customers use is disposable"
            )
        if self.production and self.approval == "none":
            raise refusal(
                "is production without approval", "write approval: required and its approvers"
            )
        if self.needs_approval and not self.approvers:
            raise refusal(
                "needs an approval that nobody may give",
                "add approvers: [sre-lead], names of roles",
            )
        if self.approvers and not self.needs_approval:
            raise refusal(
                "names approvers but needs no approval", "write approval: required, or remove them"
            )
        return self

    @property
    def needs_approval(self) -> bool:
        """Return whether somebody has to agree to every run."""
        return self.approval == "required" or (self.approval is None and self.production)


def _nothing_said(value: Any) -> Any:
    return {} if value is None else value


class ProgrammeSpec(Noun):
    """The body of a programme."""

    error_budget_left_above: Ratio | None = None
    """The reserve: no game day while less of the period's error budget is left. It holds on
    every target but disposable ones, where nobody's budget is spent."""
    error_budget_history_above: Ratio = 0.9
    """How much of the period Prometheus must hold for the budget to count as known: what is not
    there may have spent any of it. Nine tenths lets a replaced Prometheus catch up."""
    blackouts: tuple[Blackout, ...] = ()
    targets: dict[TargetName, Annotated[TargetTerms, BeforeValidator(_nothing_said)]] = Field(
        default_factory=dict
    )
    """Targets game days are played on; with any listed, no other is."""


class Programme(Noun):
    """When and where game days may be played, and who has to agree."""

    api_version: Literal["gameday/v1"] = "gameday/v1"
    kind: Literal["Programme"] = "Programme"
    metadata: ProgrammeMetadata
    spec: ProgrammeSpec
    path: Path | None = Field(default=None, exclude=True)
    """The file it was read from; set by `gameday.spec`, never written in the file."""

    def terms(self, target: str) -> TargetTerms | None:
        """Return the terms for a target, a cluster's own before those of all clusters.

        Returns:
            None where the programme lists targets and this one is not among them.
        """
        listed = self.spec.targets
        kind = target.partition("/")[0]
        terms = listed.get(target) or listed.get(kind)
        if terms is None and listed:
            return None
        terms = terms or TargetTerms()
        if terms.disposable is not None:
            return terms
        is_ours = kind == TargetKind.SANDBOX and not terms.production
        return terms.model_copy(update={"disposable": is_ours})

    def reserve(self, target: str) -> float | None:
        """Return how much of an error budget must be left for a run, 0–1; None: any."""
        terms = self.terms(target)
        if terms is None:
            return None
        if terms.error_budget_left_above is not None:
            return terms.error_budget_left_above
        return None if terms.disposable else self.spec.error_budget_left_above

    def blackouts(
        self, target: str, regions: Sequence[str], at: datetime
    ) -> list[tuple[Blackout, datetime]]:
        """Return the blackouts in force for a run at this instant, each with its end (UTC)."""
        return [
            (blackout, end)
            for blackout in self.spec.blackouts
            if blackout.concerns(target, regions) and (end := blackout.ends_at(at)) is not None
        ]

    def free_at(self, target: str, regions: Sequence[str], at: datetime) -> datetime | None:
        """Return the first instant (UTC), from this one on, at which no blackout is in force.

        Returns:
            None where blackouts follow each other for more than a thousand changes.
        """
        free = at.astimezone(UTC)
        for _ in range(1000):
            in_force = self.blackouts(target, regions, free)
            if not in_force:
                return free
            free = max(end for _, end in in_force)
        return None


def _is_local(moment: object) -> bool:
    return moment is not None and not (isinstance(moment, datetime) and moment.tzinfo is not None)
