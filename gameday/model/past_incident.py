"""An incident as the flywheel counts it: its instants, what it was of, and what was to be done.

Ours, and those that others wrote down, have this one form; nothing behind it decodes facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gameday.model.severity import IncidentSeverity

__all__ = [
    "IN_TIME",
    "OURS",
    "Chronicle",
    "Contradiction",
    "Dimension",
    "FiledItem",
    "ItemState",
    "PastIncident",
    "PastItem",
    "ItemTally",
    "Theme",
]

IN_TIME = timedelta(days=30)
"""How long after it was filed an action item is done in time. Source: mechanism 2 of the design."""


OURS = "gameday"
"""The source of an incident of our own."""


class Dimension(StrEnum):
    """What incidents may have in common, by the column that holds it."""

    TEAM = "team"
    SERVICE = "service"
    CAUSE = "cause"
    TRIGGER = "trigger"
    PIPELINE = "pipeline"
    REGION = "region"
    HOUR = "hour"  # of the day in UTC, in which it began


class ItemState(StrEnum):
    """How far an action item is."""

    OPEN = "open"
    DONE = "done"
    UNKNOWN = "unknown"  # its source does not say


@dataclass(frozen=True, slots=True)
class PastItem:
    """An action item of an incident.

    Attributes:
        wording: what is to be done, as it was written, on one line.
        component: what it is to be done to; empty where nobody said.
        filed_at: None: its source does not say, and it is never due.
        closed_at: None: it is not done, or nobody said when.
    """

    wording: str
    component: str = ""
    state: ItemState = ItemState.UNKNOWN
    filed_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def in_time(self) -> bool | None:
        """Whether it was done within `IN_TIME` of being filed; None: that cannot be told.

        Of an open box in a report nobody says when it was filed: it was open on the day the report
        was written, and no later.
        """
        if self.filed_at is None or (self.closed_at is None and self.state is not ItemState.OPEN):
            return None
        return self.closed_at is not None and self.closed_at - self.filed_at <= IN_TIME


@dataclass(frozen=True, slots=True)
class FiledItem:
    """An action item as it is stored.

    Attributes:
        id: unique in the store; who stores it again brings it up to date.
        incident: whose it is; of a drill that left no incident, its run.
        signature: of its wording; theme: which has the same meaning; None: its words say nothing.
        change: the number of the newest word about it, of one of ours.
    """

    id: str
    incident: str
    item: PastItem
    signature: str = ""
    theme: int | None = None
    change: int | None = None


@dataclass(frozen=True, slots=True)
class ItemTally:
    """The action items of one incident, counted.

    Attributes:
        filed: all of them.
        open: of those, not done; done: done. Of what is left nobody said.
        due: filed long enough ago to be done in time, and with a state that is known.
        in_time: of those that are due, done within `IN_TIME`.
        last_closed_at: when the last was done; None: none was, or nobody said when.
    """

    filed: int = 0
    open: int = 0
    done: int = 0
    due: int = 0
    in_time: int = 0
    last_closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things that the record of one incident says, and that cannot both be true.

    Attributes:
        incident: whose record.
        sentence: both, in one sentence without its full stop.
        spoils: which spans are not counted for it: ``detect``, ``ack``, ``recover``.
    """

    incident: str
    sentence: str
    spoils: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PastIncident:
    """One incident.

    Attributes:
        source: whose record it is: `OURS`, or the file it was read from.
        began_at: when users were first hurt, as far as its record goes back; of ours, when the
            first alert fired.
        detected_at: when somebody or something noticed; of ours, when the page came.
        cleared_at: when users were well again.
        closed_at: when people were done with it.
        detected_in, recovered_in: how long nobody noticed, and how long users were hurt, where the
            record says so in words and gives no instant.
        cause, trigger, pipeline: the class of its cause, what set it off, whose deploys; like team,
            service and region empty where nobody said.
        is_by_day: whether of the time it began only the day is known.
        postmortem_at: when its postmortem was there.
        spoiled: spans that its record contradicts, and that are not counted.
    """

    id: str
    began_at: datetime
    title: str = ""
    source: str = OURS
    severity: IncidentSeverity | None = None
    detected_at: datetime | None = None
    acked_at: datetime | None = None
    mitigated_at: datetime | None = None
    cleared_at: datetime | None = None
    closed_at: datetime | None = None
    detected_in: timedelta | None = None
    recovered_in: timedelta | None = None
    team: str = ""
    service: str = ""
    cause: str = ""
    trigger: str = ""
    pipeline: str = ""
    region: str = ""
    is_by_day: bool = False
    postmortem_at: datetime | None = None
    spoiled: frozenset[str] = frozenset()
    tally: ItemTally = field(default_factory=ItemTally)

    def value(self, dimension: Dimension) -> str:
        """Return what it is of in one dimension; empty where nobody said."""
        if dimension is Dimension.HOUR:
            return "" if self.is_by_day else f"{self.began_at.hour:02}"
        said: str = getattr(self, dimension)
        return said

    @property
    def to_detect(self) -> timedelta | None:
        """How long it took until somebody or something noticed."""
        return self._span("detect", self.began_at, self.detected_at, self.detected_in)

    @property
    def to_ack(self) -> timedelta | None:
        """How long the page waited for an answer."""
        return self._span("ack", self.detected_at, self.acked_at)

    @property
    def to_recover(self) -> timedelta | None:
        """How long users were hurt."""
        return self._span("recover", self.began_at, self.cleared_at, self.recovered_in)

    def _span(
        self,
        name: str,
        begin: datetime | None,
        end: datetime | None,
        said: timedelta | None = None,
    ) -> timedelta | None:
        if name in self.spoiled:
            return None
        # From midnight of a day on would be longer than it was.
        is_known = not (self.is_by_day and begin is self.began_at)
        if begin is not None and end is not None and end >= begin and is_known:
            return end - begin
        return said

    def to_json(self) -> dict[str, Any]:
        """Return it as a document; what nobody said is left out."""
        instants = ("began", "detected", "acked", "mitigated", "cleared", "closed", "postmortem")
        found: dict[str, Any] = {"id": self.id, "title": self.title, "source": self.source}
        found["severity"] = None if self.severity is None else str(self.severity)
        for name in instants:
            at: datetime | None = getattr(self, f"{name}_at")
            found[f"{name}_at"] = at.isoformat() if at else None
        for name in ("detected_in", "recovered_in"):
            span: timedelta | None = getattr(self, name)
            found[f"{name}_seconds"] = None if span is None else span.total_seconds()
        for name in ("team", "service", "cause", "trigger", "pipeline", "region"):
            found[name] = getattr(self, name)
        return {key: value for key, value in found.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Theme:
    """Action items of one component whose wordings mean the same.

    Attributes:
        title: the shortest wording.
        wordings: each once, in the order they were written.
        incidents: whose they are, each once.
        open: how many of the items are not done.
    """

    component: str
    title: str
    wordings: Sequence[str]
    incidents: Sequence[str]
    open: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "title": self.title,
            "component": self.component or None,
            "wordings": list(self.wordings),
            "incidents": list(self.incidents),
            "open": self.open,
        }


@dataclass(frozen=True, slots=True)
class Chronicle:
    """What is known of incidents that were, whoever wrote it down.

    Attributes:
        incidents: ordered by when they began.
        themes: action items that came up more than once, the most frequent first.
        exposures: how much of what incidents come of each value had (deploys, requests, hours);
            of a dimension that is not here nobody said.
        contradictions: what their records say that cannot all be true.
        as_of: until when it tells.
    """

    incidents: Sequence[PastIncident]
    as_of: datetime
    themes: Sequence[Theme] = ()
    exposures: Mapping[Dimension, Mapping[str, float]] = field(default_factory=dict)
    contradictions: Sequence[Contradiction] = ()
