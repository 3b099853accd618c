"""What people do in their pager's own app, as words about the incident. Pure.

PagerDuty knows an incident by the key it was paged with, and tells of everything that happens to it
there. Only what a person did counts as an answer: its automation acknowledges and resolves too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gameday.incidents.pagerduty_events import EventKind, PagerDutyEvent
from gameday.incidents.state import IncidentState
from scoring.timeline import Fact, Kind

TOOL = "PagerDuty"


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that was done to an incident in its pager.

    Attributes:
        id: of the fact that it becomes; the same for every delivery of the event.
        by: who did it, as the pager names them.
        happened_at: by the pager's clock, and never after now.
    """

    id: str
    kind: str
    by: str
    happened_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)

    def of_a_time_before(self) -> Answer:
        """Return it as what it is to an incident that began anew since its page: no answer."""
        if self.kind == Kind.NOTED:
            return self
        text = f"about a page of before it began anew: {self.data['said']}"
        return replace(self, kind=str(Kind.PAGER_SAID), data={**self.data, "text": text})

    def to_fact(self, state: IncidentState, *, now: datetime) -> Fact:
        """Return it as it goes on the incident's record."""
        return Fact(
            id=self.id,
            kind=self.kind,
            happened_at=self.happened_at,
            recorded_at=now,
            source="pagerduty",
            subject=state.slo,
            data={**self.data, "by": self.by, "incident": state.id},
        )


def incident_of(event: PagerDutyEvent) -> str:
    """Return the incident whose page this is about, by the key it was paged with; may be empty."""
    # A page to the rota has a key of its own, see `gameday.incidents.paging`.
    return event.key.partition("/")[0]


def answer_of(
    event: PagerDutyEvent, state: IncidentState, *, now: datetime, is_lead: bool = True
) -> Answer:
    """Return what an event of PagerDuty's means to the incident.

    What changes nothing here stands on record all the same, as `Kind.PAGER_SAID`.

    Args:
        is_lead: whether the page bears its name; else it told of the incident beside another one.
    """
    by = event.agent.name or event.agent.id if event.agent else ""
    said: dict[str, Any] = {
        "said": event.type,
        "tool": TOOL,
        "by_person": event.is_by_person,
        # A note names only PagerDuty's own id; what came with both tells which is which.
        "pager_incident": event.incident,
        "delivery": event.webhook_id,
    }
    if event.occurred_at is None:
        said["timed_by"] = "arrival"
    kind, more = _meaning(event, state)
    id = f"pagerduty/{event.id or event.webhook_id}"
    return Answer(
        id=id if is_lead else f"{id}/{state.id}",
        kind=str(kind),
        by=by or f"{TOOL}'s automation",
        happened_at=min(event.occurred_at or now, now),
        data=said | more,
    )


def _meaning(event: PagerDutyEvent, state: IncidentState) -> tuple[str, dict[str, Any]]:
    match event.kind:
        case EventKind.ACKNOWLEDGED if event.is_by_person:
            return Kind.ACKNOWLEDGED, {}
        case EventKind.UNACKNOWLEDGED if state.acked_at is not None and state.is_open:
            # Also by its automation: whoever acknowledged has been silent for too long.
            return Kind.UNACKNOWLEDGED, {}
        case EventKind.ANNOTATED if event.note:
            return Kind.NOTED, {"text": event.note}
        case EventKind.REASSIGNED | EventKind.DELEGATED if event.assignees:
            return Kind.ROLE_TAKEN, {"role": "on-call", "name": ", ".join(event.assignees)}
        case EventKind.RESOLVED if event.is_by_person and not event.resolve_reason:
            return _resolved(event, state)
        case _:
            return Kind.PAGER_SAID, {"text": _sentence(event)}


def _resolved(event: PagerDutyEvent, state: IncidentState) -> tuple[str, dict[str, Any]]:
    if not state.is_open:
        return Kind.PAGER_SAID, {"text": "resolved there too"}
    if state.cleared_at is not None:
        return Kind.RESOLVED, {"text": f"resolved in {TOOL}", "anyway": False}
    text = f"resolved in {TOOL} while {state.firing} of its alerts still fire: it stays open"
    # Somebody has looked at it, which is what an acknowledgement says.
    return (Kind.ACKNOWLEDGED if state.acked_at is None else Kind.PAGER_SAID), {"text": text}


def _sentence(event: PagerDutyEvent) -> str:
    what = event.type.removeprefix("incident.").replace("_", " ")
    whom = f" to {', '.join(event.assignees)}" if event.assignees else ""
    where = f" into {event.merged_into}" if event.merged_into else ""
    return f"{what}{whom}{where}"


def is_repeat(answer: Answer, state: IncidentState) -> bool:
    """Return whether the same event, or the same delivery, is on the incident's record already."""
    delivery = answer.data.get("delivery")
    return any(
        w.id == answer.id or (delivery and w.data.get("delivery") == delivery) for w in state.events
    )


def is_about(word: Fact, pager_incident: str) -> bool:
    """Return whether a word on record ties an incident to the pager's own id of it."""
    return bool(pager_incident) and word.data.get("pager_incident") == pager_incident
