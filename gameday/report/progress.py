"""How far a run is: what has happened, in words, and what is awaited next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.timeline import Fact, Kind

PHASES = (
    ("steady state", Kind.STEADY_STATE_CHECKED),
    ("fault injected", Kind.FAULT_INJECTED),
    ("alert fired", Kind.ALERT_FIRED),
    ("page received", Kind.PAGE_RECEIVED),
    ("acknowledged", Kind.ACKNOWLEDGED),
    ("RED read", "red"),
    ("trace read", "trace"),
    ("profile read", "profile"),
    ("blame asked", "blame"),
    ("mitigated", Kind.MITIGATION_APPLIED),
    ("alert cleared", Kind.ALERT_RESOLVED),
    ("fault proven gone", Kind.RECOVERY_PROVEN),
)


def sentence(fact: Fact) -> str:
    """Return a fact as a line for people; empty for those nobody waits for."""
    d = fact.data
    match fact.kind:
        case Kind.HISTORY_FORGOTTEN:
            return "bad minutes that are over were still in the windows: history forgotten"
        case Kind.STEADY_STATE_CHECKED:
            return "steady state holds" if d.get("met") else "steady state does not hold"
        case Kind.FAULT_INJECTED:
            return f"fault injected: {d.get('fault')}"
        case Kind.INJECTION_FAILED:
            return f"fault could not be injected: {d.get('error')}"
        case Kind.ALERT_FIRED:
            branch = f"{d.get('long')}/{d.get('short')}"
            return f"alert fired: {d.get('alert')} {branch} ({d.get('severity')})"
        case Kind.ALERT_RESOLVED:
            return f"alert cleared: {d.get('alert')} {d.get('long')}/{d.get('short')}"
        case Kind.PAGE_RECEIVED:
            return f"page received: {d.get('alert')} {d.get('long')}"
        case Kind.ACKNOWLEDGED:
            return "acknowledged"
        case Kind.FINDING:
            return f"{d.get('step')}: {d.get('summary')}"
        case Kind.MITIGATION_STARTED:
            return f"mitigation started: {d.get('name')}"
        case Kind.MITIGATION_APPLIED:
            done = "mitigated" if d.get("ok") else "mitigation failed"
            return f"{done}: {d.get('detail')}"
        case Kind.MEASUREMENT_FAILED:
            return f"not measured ({d.get('what')}): {d.get('error')}"
        case Kind.RECOVERY_PROVEN:
            return "fault recovered, proven gone"
        case Kind.MITIGATIONS_RESTORED:
            return "mitigations taken back"
        case Kind.RECOVERY_STUCK:
            return f"RECOVERY STUCK: {d.get('error')}; run `{d.get('command')}`"
        case Kind.RUN_ABORTED:
            return f"aborted: {d.get('reason')}"
        case Kind.SET_OFF:
            return str(d.get("text") or "")
        case _:
            return ""


def reached(facts: Sequence[Fact], wanted: str) -> Fact | None:
    """Return the fact that one of `PHASES` stands for; None while it is awaited.

    The first of its kind; for the clearing the last, once every page branch has cleared.
    """
    loud = [f for f in facts if f.data.get("severity") != "ticket"]
    found = [
        f
        for f in loud
        if f.kind == wanted or (f.kind == Kind.FINDING and f.data.get("step") == wanted)
    ]
    if wanted == Kind.ALERT_RESOLVED:
        fired = sum(f.kind == Kind.ALERT_FIRED for f in loud)
        return found[-1] if found and len(found) >= fired else None
    return found[0] if found else None
