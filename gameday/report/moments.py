"""The moments of a run that a reader looks for, picked out of its timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scoring.timeline import Fact, Kind, Timeline


class Lane(StrEnum):
    """Who or what a moment belongs to; a reader tells them apart by word, not only by colour."""

    FAULT = "fault"
    ALERT = "alert"
    RESPONDER = "responder"
    END = "run"


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment: when, in a few words, and the fact that proves it."""

    at: datetime
    lane: Lane
    words: str
    fact: str


_STEPS = {
    "red": "RED read",
    "trace": "trace read",
    "profile": "profile read",
    "blame": "change looked up",
    "mitigate": "mitigation chosen",
}


def moments(timeline: Timeline) -> tuple[Moment, ...]:
    """Return the moments of a run ordered by when they happened; empty for an empty timeline."""
    found = [m for fact in timeline if (m := _moment(fact, timeline)) is not None]
    return tuple(sorted(found, key=lambda m: m.at))


def _moment(fact: Fact, timeline: Timeline) -> Moment | None:
    words = _words(fact)
    # Of what may repeat, only the first counts: the second ack or page is no new moment.
    once = {Kind.PAGE_RECEIVED, Kind.ACKNOWLEDGED, Kind.PAGE_DELIVERED}
    if words is None or (fact.kind in once and timeline.first(fact.kind) is not fact):
        return None
    lane, text = words
    return Moment(fact.happened_at, lane, text, fact.id)


def _words(fact: Fact) -> tuple[Lane, str] | None:
    data = fact.data
    branch = f" ({data['severity']}, {data['long']})" if data.get("long") else ""
    match fact.kind:
        case Kind.FAULT_INJECTED:
            return Lane.FAULT, f"fault in place: {data.get('fault', fact.subject)}"
        case Kind.INJECTION_FAILED:
            return Lane.FAULT, "the fault could not be put in place"
        case Kind.FAULT_RECOVERED:
            ran_out = data.get("by") == "expired"
            return Lane.FAULT, "fault ran out" if ran_out else "fault taken back"
        case Kind.RECOVERY_PROVEN:
            return Lane.FAULT, "proven gone"
        case Kind.RECOVERY_STUCK:
            return Lane.FAULT, "the fault is still in place"
        case Kind.ALERT_FIRED:
            return Lane.ALERT, f"alert fired{branch}"
        case Kind.ALERT_RESOLVED:
            return Lane.ALERT, f"alert cleared{branch}"
        case Kind.PAGE_RECEIVED:
            return Lane.ALERT, "page"
        case Kind.ACKNOWLEDGED:
            return Lane.RESPONDER, "acknowledged"
        case Kind.FINDING:
            step = str(data.get("step", ""))
            return Lane.RESPONDER, _STEPS.get(step, f"finding: {step}")
        case Kind.MITIGATION_APPLIED:
            done = "applied" if data.get("ok") else "did not work"
            return Lane.RESPONDER, f"{data.get('name', 'mitigation')} {done}"
        case Kind.MITIGATIONS_RESTORED:
            return Lane.RESPONDER, "mitigations taken back"
        case Kind.RUN_ABORTED:
            return Lane.END, "run aborted"
        case Kind.SET_OFF if data.get("goes_on"):
            return Lane.END, f"{data.get('owner')} goes on by itself"
        case _:
            return None
