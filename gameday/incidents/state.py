"""How an incident stands: derived from what was heard of it and an instant. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gameday.incidents.belief import HeldPage, held_pages
from gameday.incidents.incident import QUIET, Firing, Incident
from gameday.model.page import Step
from gameday.model.severity import IncidentSeverity
from scoring.funnel import TARGETS
from scoring.timeline import Fact, Kind
from scoring.verdict import Verdict


class State(StrEnum):
    """How far an incident is."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RECOVERED = "recovered"
    RESOLVED = "resolved"
    FALSE_ALARM = "false alarm"
    MERGED = "merged"


OVER = (State.RESOLVED, State.FALSE_ALARM, State.MERGED)

RECOVERED_WITHIN = timedelta(minutes=10)
"""The loop's T+10 min: the burn rate is back at its baseline."""

ROLES = ("commander", "on-call", "scribe")


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase against its target.

    Attributes:
        due_at: the target as an instant; None: nothing is asked for.
        who: the role it falls to.
    """

    name: str
    who: str
    at: datetime | None
    due_at: datetime | None

    def is_late(self, now: datetime) -> bool:
        """Return whether the target has passed without it."""
        return self.due_at is not None and (self.at or now) > self.due_at

    def verdict(self, now: datetime) -> Verdict:
        """Return whether it was met, as far as can be said now."""
        if self.due_at is None:
            return Verdict.NOT_APPLICABLE
        if self.is_late(now):
            return Verdict.MISSED
        return Verdict.MET if self.at else Verdict.PENDING


@dataclass(frozen=True, slots=True)
class IncidentState:
    """One incident as of one instant.

    Attributes:
        severity: of a drill's the scenario's, else the worst that its alerts say.
        wakes: whether one of its alerts wakes somebody.
        refired_at: when it was heard to fire anew after all of it had cleared.
        left_at: when the incident that it had been merged into was over, and it was not.
        again_at: when it last began anew: opened again, firing again, or left by what it was part
            of.
        unanswered_since: since when somebody is asked to acknowledge it: the page, or what took the
            answer back; it stays when the answer has come.
        first: the alert that fired first.
        firing: how many of its alerts fire.
        held: every page about it that was accepted, or may have been.
    """

    id: str
    also: tuple[str, ...]
    group: str
    service: str
    slo: str
    severity: IncidentSeverity
    wakes: bool
    state: State
    drill: str | None
    drill_until: datetime | None
    starts_at: datetime
    paged_at: datetime
    acked_at: datetime | None
    cleared_at: datetime | None
    closed_at: datetime | None
    merged_into: str | None
    reopened_at: datetime | None
    refired_at: datetime | None
    left_at: datetime | None
    again_at: datetime | None
    unacked_at: datetime | None
    unanswered_since: datetime
    roles: Mapping[str, str]
    phases: tuple[Phase, ...]
    first: Firing
    firing: int
    firings: tuple[Firing, ...]
    events: tuple[Fact, ...]
    held: tuple[HeldPage, ...]
    now: datetime

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to look after it."""
        return self.state not in OVER

    @property
    def late(self) -> tuple[Phase, ...]:
        """The phases that are awaited and past their target."""
        return tuple(p for p in self.phases if p.at is None and p.is_late(self.now))

    def to_json(self) -> dict[str, Any]:
        """Return it as ``GET /api/incidents/{id}`` shows it: what a responder may see."""
        listed = sorted(self.firings, key=lambda e: (e.starts_at, e.told.firing_id))
        return {
            **self.brief(),
            "also": list(self.also),
            "roles": dict(self.roles),
            "shared_pages": [
                {"key": w.data["key"], "to": w.data["to"], **w.data["shared"]}
                for w in self.events
                if w.kind == Kind.PAGE_DELIVERED and w.data.get("shared")
            ],
            "late": [{"phase": p.name, "who": p.who} for p in self.late],
            "phases": {
                p.name: {
                    "who": p.who,
                    "at": _iso(p.at),
                    "due_at": _iso(p.due_at),
                    "seconds_from_page": (
                        round((p.at - self.paged_at).total_seconds(), 3) if p.at else None
                    ),
                    "verdict": str(p.verdict(self.now)),
                }
                for p in self.phases
            },
            "alerts": [
                {
                    "alert": e.told.name,
                    "fingerprint": e.told.fingerprint,
                    "starts_at": _iso(e.starts_at),
                    "ends_at": _iso(e.ends_at),
                    "labels": dict(e.told.labels),
                    "summary": e.told.annotations.get("summary", ""),
                    "remarks": list(e.told.remarks),
                }
                for e in listed[:MOST_SHOWN]
            ],
            "alerts_total": len(listed),
            "timeline": [w.to_json() for w in self.events],
        }

    def brief(self) -> dict[str, Any]:
        """Return it as a list shows it."""
        return {
            "id": self.id,
            "service": self.service,
            "slo": self.slo,
            "severity": str(self.severity),
            "state": str(self.state),
            "drill": self.drill,
            "starts_at": _iso(self.starts_at),
            "paged_at": _iso(self.paged_at),
            "acked_at": _iso(self.acked_at),
            "cleared_at": _iso(self.cleared_at),
            "closed_at": _iso(self.closed_at),
            "reopened_at": _iso(self.reopened_at),
            "refired_at": _iso(self.refired_at),
            "merged_into": self.merged_into,
            "firing": self.firing,
            "summary": self.summary,
        }

    @property
    def summary(self) -> str:
        """One sentence for whoever is woken."""
        said = self.first.told.annotations.get("summary")
        return said or f"{self.slo} of {self.service} burns its error budget"


MOST_SHOWN = 200
"""Alerts of one incident that are shown; a storm's thousands help nobody at 3 am."""


def state_of(
    incident: Incident, *, group: str, now: datetime, left_at: datetime | None = None
) -> IncidentState:
    """Return how an incident stands at an instant.

    Args:
        incident: with at least one firing; of an incident that has no id yet the id is empty.
        left_at: see `IncidentState`; what was merged before it is an incident of its own again.
    """
    # Thousands are looked at every second, of which hardly one has changed.
    about = (state_of, group, left_at, _is_quiet(incident, now))
    known: IncidentState | None = incident.known.get(about)
    if known is None:
        known = _worked_out(incident, group=group, now=now, left_at=left_at)
        incident.known[about] = known
    return replace(known, now=now)


def _is_quiet(incident: Incident, now: datetime) -> bool:
    """Return whether it has been over for so long that it resolves; all that the time decides."""
    return incident.cleared_at is not None and now > incident.cleared_at + QUIET


def _worked_out(
    incident: Incident, *, group: str, now: datetime, left_at: datetime | None
) -> IncidentState:
    first = incident.first.told
    severity = _severity(incident)
    paged_at = incident.paged_at
    reopened_at, refired_at = incident.reopened_at(), incident.refired_at()
    again_at = _latest(reopened_at, refired_at, left_at)
    # Whoever acknowledged before it was over is asleep again when it begins anew.
    acks = _since(again_at, (w for w in incident.events if w.kind == Kind.ACKNOWLEDGED))
    first_acked = acks[0] if acks else None
    taken_back = _since(again_at, (w for w in incident.events if w.kind == Kind.UNACKNOWLEDGED))
    unacked_at = taken_back[-1].happened_at if acks and taken_back else None
    # The phase was met by the first answer; whether somebody has it now, the last word says.
    acked = next(iter(_since(unacked_at, acks)), None)
    mitigations = (w for w in incident.events if w.kind == Kind.MITIGATION_APPLIED)
    mitigated = [w for w in _since(again_at, mitigations) if w.data.get("ok") is True]
    mergers = _since(again_at, (w for w in incident.events if w.kind == Kind.MERGED))
    merged = next((w for w in mergers if left_at is None or w.happened_at > left_at), None)
    closing = incident.closing()
    cleared_at = incident.cleared_at
    state, closed_at = State.TRIGGERED, None
    if merged is not None:
        state, closed_at = State.MERGED, merged.happened_at
    elif closing is not None:
        is_false = closing.kind == Kind.FALSE_ALARM
        state = State.FALSE_ALARM if is_false else State.RESOLVED
        closed_at = closing.happened_at
    elif cleared_at is not None and _is_quiet(incident, now):
        state, closed_at = State.RESOLVED, cleared_at + QUIET
    elif cleared_at is not None:
        state = State.RECOVERED
    elif mitigated:
        state = State.MITIGATED
    elif acked is not None:
        state = State.ACKNOWLEDGED
    return IncidentState(
        id=incident.ids[0] if incident.ids else "",
        also=incident.ids[1:],
        group=group,
        service=first.service,
        slo=first.slo,
        severity=severity,
        wakes=incident.wakes,
        state=state,
        drill=incident.drill,
        drill_until=incident.drill_until,
        starts_at=incident.starts_at,
        paged_at=paged_at,
        acked_at=acked.happened_at if acked else None,
        cleared_at=cleared_at,
        closed_at=closed_at,
        merged_into=str(merged.data["into"]) if merged else None,
        reopened_at=reopened_at,
        refired_at=refired_at,
        left_at=left_at,
        again_at=again_at,
        unacked_at=unacked_at,
        unanswered_since=_latest(paged_at, again_at, unacked_at) or paged_at,
        roles=_roles(incident),
        phases=_phases(
            incident,
            severity=severity,
            paged_at=again_at or paged_at,
            acked=first_acked,
            cleared_at=cleared_at,
            closed_at=closed_at if state is State.RESOLVED else None,
            is_false=state in (State.FALSE_ALARM, State.MERGED),
        ),
        first=incident.first,
        firing=incident.firing,
        firings=tuple(incident.firings),
        events=incident.events,
        held=held_pages(incident.events),
        now=now,
    )


def _severity(incident: Incident) -> IncidentSeverity:
    """Return the scenario's, which stands where it was opened; a ticket of a drill is a ticket."""
    opened = (w.data.get("severity") for w in incident.events if w.kind == Kind.INCIDENT_OPENED)
    declared = next((IncidentSeverity.named(s) for s in opened if s), None)
    return declared if declared and incident.wakes else incident.severity


def _first(incident: Incident, kind: str, **wanted: object) -> Fact | None:
    return next(
        (
            w
            for w in incident.events
            if w.kind == kind and all(w.data.get(k) == v for k, v in wanted.items())
        ),
        None,
    )


def _latest(*instants: datetime | None) -> datetime | None:
    return max((at for at in instants if at is not None), default=None)


def _since(instant: datetime | None, words: Iterable[Fact]) -> Sequence[Fact]:
    return [w for w in words if instant is None or w.happened_at >= instant]


def _roles(incident: Incident) -> Mapping[str, str]:
    roles: dict[str, str] = {}
    for word in incident.events:
        if word.kind == Kind.ACKNOWLEDGED:
            roles.setdefault("on-call", str(word.data.get("by", "")))
        elif word.kind == Kind.ROLE_TAKEN:
            roles[str(word.data.get("role"))] = str(word.data.get("name", ""))
    return roles


def _phases(
    incident: Incident,
    *,
    severity: IncidentSeverity,
    paged_at: datetime,
    acked: Fact | None,
    cleared_at: datetime | None,
    closed_at: datetime | None,
    is_false: bool,
) -> tuple[Phase, ...]:
    waking = incident.wakes and not is_false
    at: dict[str, datetime | None] = {"acked": acked.happened_at if acked else None}
    for step in (Step.RED, Step.TRACE, Step.PROFILE, Step.BLAME):
        found = _first(incident, Kind.FINDING, step=str(step))
        at[str(step)] = found.happened_at if found else None
    mitigated = _first(incident, Kind.MITIGATION_APPLIED, ok=True)
    at["mitigated"] = mitigated.happened_at if mitigated else None
    phases = [
        Phase(name, "on-call", at[name], paged_at + target if waking and target else None)
        for name, target in TARGETS.items()
        if name in at
    ]
    recovered_due = paged_at + RECOVERED_WITHIN if waking else None
    phases.append(Phase("recovered", "on-call", cleared_at, recovered_due))
    written = _first(incident, Kind.POSTMORTEM_DRAFTED)
    owed = severity.postmortem_within if waking else None
    due_at = closed_at + owed if closed_at and owed else None
    phases.append(
        Phase("postmortem", "commander", written.happened_at if written else None, due_at)
    )
    return tuple(phases)


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
