"""What happened, in order: the only thing a run is ever judged by.

A `Fact` is one thing that happened, with the instant it happened at its source and the instant
gameday wrote it down. A `Timeline` is an append-only sequence of facts of one run. Judges read
facts; they never read logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from scoring.upcast import page_2

TAKE_BACK = "take-back"
"""The mitigation that takes back what was applied before it; no system has another of that name."""


class Kind(StrEnum):
    """The kinds of fact, in the order they usually happen. ``data`` keys stand beside each."""

    RUN_STARTED = "run.started"  # scenario, target, time_scale, responder, digest
    START_PERMITTED = "start.permitted"  # programme, approved_by, notices, budgets
    PLAN_MADE = "plan.made"  # predicted_seconds (float | None), branches, expects_alert, timing
    HISTORY_FORGOTTEN = "history.forgotten"  # burn_rates {long: float | None}: before it was
    STEADY_STATE_CHECKED = "steady_state.checked"  # met (bool|None), burn_rates {long: float|None}
    UNDO_STORED = "undo.stored"  # undo (id), description
    FAULT_INJECTED = "fault.injected"  # fault (experiment name), undo
    INJECTION_FAILED = "injection.failed"  # fault, error
    ALERT_FIRED = "alert.fired"  # alert, slo, service, severity, long, short, active_at
    ALERT_RESOLVED = "alert.resolved"  # same keys; happened_at is Prometheus' own evaluation
    # The webhook, version 2. What the labels say of it: alert, service, slo, severity, long,
    # burn_rate; summary. As it came: starts_at (None: it did not say), ends_at, fingerprint,
    # labels, annotations, generator_url. Which run explains it, and until when: drill, drill_until.
    PAGE_RECEIVED = "page.received"
    PAGE_RESOLVED = "page.resolved"
    PIPELINE_BEAT = "pipeline.beat"  # the always-firing watchdog came through: alert to webhook
    PAGE_DELIVERED = "page.delivered"  # to (role), page {…}: the page handed to the responder
    ACKNOWLEDGED = "incident.acked"  # by (role)
    LINK_OPENED = "link.opened"  # link: red | traces | profile | runbook; attributed (false)
    HINT_ASKED = "hint.asked"  # step: red|trace|profile|blame, by: the machine's reading was shown
    FINDING = "finding.recorded"  # step: red|trace|profile|blame|mitigate, summary, detail {…}
    RUNBOOK_STEP = "runbook.step"  # step (id), done (bool), note
    MITIGATION_STARTED = "mitigation.started"  # name, parameters, by
    MITIGATION_APPLIED = "mitigation.applied"  # name, parameters, ok (bool), detail
    FAULT_READ = "fault.read"  # undo, present (bool | None): read back from the target
    MEASUREMENT = "measurement.taken"  # what: burn_rate|counters|budget …, and its values
    MEASUREMENT_FAILED = "measurement.failed"  # what (alerts|burn_rate|counters), error
    FAULT_RECOVERED = "fault.recovered"  # undo, by: conductor | expired | sentinel …
    RECOVERY_PROVEN = "recovery.proven"  # undo: read back and gone
    RECOVERY_STUCK = "recovery.stuck"  # undo, error, command
    MITIGATIONS_RESTORED = "mitigations.restored"  # undo: the target is as before the responder
    RESPONDER_ENDED = "responder.ended"  # code, detail
    RUN_REFUSED = "run.refused"  # refusals: each with ground, reason, remedy; nothing was injected
    RUN_ABORTED = "run.aborted"  # reason, by
    SET_OFF = "run.set_off"  # owner, goes_on (bool | None), left (pods), text, command
    RUN_ENDED = "run.ended"  # verdict; reason where a mistake in gameday ended it
    POSTMORTEM_DRAFTED = "postmortem.drafted"  # path
    # Of every incident, a drill's or a real one. All but the last hold incident, the id they were
    # said about, and by.
    INCIDENT_OPENED = "incident.opened"  # anchor: the firing that the id hangs on
    NOTED = "incident.noted"  # text
    ROLE_TAKEN = "incident.role_taken"  # role: commander | on-call | scribe, name
    RESOLVED = "incident.resolved"  # text
    FALSE_ALARM = "incident.false_alarm"  # text
    MERGED = "incident.merged"  # into: the incident that takes this one in
    PAGE_FAILED = "page.failed"  # duty, error
    REMINDED = "reminder.sent"  # duty, text
    UNACKNOWLEDGED = "incident.unacked"  # whoever had it has it no more
    PAGER_SAID = "pager.said"  # said: what the pager told of that changes nothing here, text
    DEPLOYED = "deploy.marked"  # service, revision, region, summary; of no incident
    # What the retention deleted of a group so far, all in all: incidents, facts, since, until (when
    # the oldest and the newest of it began), after_seconds (how long such things were kept).
    PRUNED = "group.pruned"


UPCASTS: Mapping[tuple[str, int], Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    (Kind.PAGE_RECEIVED, 1): page_2,
    (Kind.PAGE_RESOLVED, 1): page_2,
}
"""Kind and version → what makes the next version out of its data and its fact's subject."""

_NEWEST = {str(kind): version + 1 for kind, version in sorted(UPCASTS)}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened.

    Attributes:
        id: unique within the run, stable for ever; what evidence points at.
        kind: what sort of thing; a `Kind`, kept as a string so that newer files load.
        happened_at: when it happened by the clock of its source (aware, UTC).
        recorded_at: when gameday wrote it down (aware, UTC); never before the store had it.
        source: whose clock and word: ``conductor``, ``prometheus``, ``alertmanager`` …
        subject: what it is about: an SLO, a fault, an undo id. May be empty.
        data: JSON-shaped detail; the keys each kind promises stand in `Kind`.
        version: of the kind's data shape; 0 stands for the newest.
    """

    id: str
    kind: str
    happened_at: datetime
    recorded_at: datetime
    source: str
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0

    def __post_init__(self) -> None:
        if not self.version:
            object.__setattr__(self, "version", _NEWEST.get(str(self.kind), 1))
        for name in ("happened_at", "recorded_at"):
            if getattr(self, name).utcoffset() != timedelta(0):
                raise ValueError(f"{name} of fact {self.id!r} must be aware and UTC")

    @classmethod
    def noted(
        cls,
        id: str,
        kind: str,
        at: datetime,
        *,
        source: str,
        subject: str = "",
        data: Mapping[str, Any] | None = None,
        happened_at: datetime | None = None,
    ) -> Fact:
        """Return a fact that is written down at an instant; it happened then, or as it is said."""
        return cls(
            id=id,
            kind=str(kind),
            happened_at=happened_at or at,
            recorded_at=at,
            source=source,
            subject=subject,
            data=dict(data or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fact as JSON-shaped data; `from_json` reads it back unchanged."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "happened_at": self.happened_at.isoformat(),
            "recorded_at": self.recorded_at.isoformat(),
            "source": self.source,
            "subject": self.subject,
            "data": dict(self.data),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Fact:
        """Return the fact that `to_json` wrote, in today's shape; unknown keys are ignored.

        A fact of a version that is newer than today's stays as it is.

        Raises:
            KeyError: a key is missing.
            ValueError: an instant cannot be read or is not UTC.
        """
        kind, subject = raw["kind"], raw.get("subject", "")
        data, version = dict(raw.get("data", {})), int(raw.get("version", 1))
        while (upcast := UPCASTS.get((kind, version))) is not None:
            data, version = upcast(data, subject), version + 1
        return cls(
            id=raw["id"],
            kind=kind,
            happened_at=datetime.fromisoformat(raw["happened_at"]),
            recorded_at=datetime.fromisoformat(raw["recorded_at"]),
            source=raw["source"],
            subject=subject,
            data=data,
            version=version,
        )


@dataclass(frozen=True, slots=True)
class Timeline:
    """The facts of one run, in the order they were recorded."""

    facts: tuple[Fact, ...] = ()

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Timeline:
        """Return a timeline of these facts, kept in the order given."""
        return cls(tuple(facts))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def of_kind(self, *kinds: str) -> Sequence[Fact]:
        """Return the facts of these kinds, ordered by happened_at; may be empty."""
        wanted = set(kinds)
        return sorted((f for f in self.facts if f.kind in wanted), key=lambda f: f.happened_at)

    def first(self, *kinds: str) -> Fact | None:
        """Return the earliest fact of these kinds, or None where there is none."""
        found = self.of_kind(*kinds)
        return found[0] if found else None

    def last(self, *kinds: str) -> Fact | None:
        """Return the latest fact of these kinds, or None where there is none."""
        found = self.of_kind(*kinds)
        return found[-1] if found else None
