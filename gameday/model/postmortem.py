"""A postmortem as the store keeps it, and the story of an incident one is drafted from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gameday.model.json_form import JsonForm
from gameday.model.severity import IncidentSeverity
from scoring.form import fields_to_json
from scoring.timeline import Fact, Timeline
from scoring.verdict import Verdict

__all__ = [
    "Impact",
    "IncidentStory",
    "Postmortem",
    "PostmortemKind",
    "StoryPhase",
]


class PostmortemKind(StrEnum):
    """What it tells of."""

    INCIDENT = "incident"
    DRILL = "drill"
    NEAR_MISS = "near miss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem:
    """One postmortem, a draft or published.

    Attributes:
        id: of its incident; of a near miss an id of its own.
        kind: what it tells of.
        title: of the incident, in a sentence.
        service: whose promise was at stake; may be empty.
        severity: how bad it was.
        resolved_at: when it was over; of a near miss, when it was noted.
        due_at: by when it is owed; null: none is.
        drafted_at: when the first draft was written.
        draft: the newest draft of gameday's own, which the next one is held against.
        text: the same with what people made of it, as far as gameday has seen it.
        published_at: when it was frozen; null: it is a draft.
        url: where others read it; may be empty.
        evidence: of a published one the facts it was written from.
    """

    id: str
    kind: PostmortemKind
    title: str
    service: str
    severity: IncidentSeverity
    resolved_at: datetime
    due_at: datetime | None
    drafted_at: datetime
    draft: str
    text: str
    published_at: datetime | None = None
    url: str = ""
    evidence: tuple[dict[str, Any], ...] = ()

    @property
    def state(self) -> str:
        """Return how far it is, in a word."""
        return "draft" if self.published_at is None else "published"

    def is_late(self, now: datetime) -> bool:
        """Return whether it was not published by when it was owed."""
        return self.due_at is not None and (self.published_at or now) > self.due_at

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored, and as ``gameday postmortem show --json`` prints it."""
        return fields_to_json(self)


POSTMORTEM = JsonForm(Postmortem, "postmortem")
"""How one is read, and its schema."""


@dataclass(frozen=True, slots=True)
class StoryPhase:
    """One phase of an incident against its target.

    Attributes:
        at: when it happened; None: nothing on record says that it did.
        due_at: the target; None: nothing was asked for.
    """

    name: str
    at: datetime | None
    due_at: datetime | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Impact:
    """What users lost, as far as it was measured.

    Attributes:
        unknown: why nothing is known; empty where something is.
    """

    unknown: str = ""
    budget_spent_ratio: float | None = None
    bad_events: float | None = None
    all_events: float | None = None
    allowed_ratio: float | None = None
    period_days: float | None = None
    history_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentStory:
    """An incident as a postmortem tells it.

    Attributes:
        summary: as the alert says it.
        alert: the one that fired first.
        drill: the run that made it on purpose; None: it is real.
        starts_at: when the alert fired; paged_at: when that was heard.
        timeline: what was heard and said of it.
        deploys: what went live in the day before it began, oldest first.
    """

    id: str
    summary: str
    service: str
    slo: str
    severity: IncidentSeverity
    alert: str
    drill: str | None
    starts_at: datetime
    paged_at: datetime
    cleared_at: datetime | None
    resolved_at: datetime | None
    due_at: datetime | None
    phases: tuple[StoryPhase, ...]
    timeline: Timeline
    deploys: tuple[Fact, ...]
    impact: Impact
