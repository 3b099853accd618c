"""What the runbook says to do about a cause, and which of its checks were done. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gameday.model.page import Step
from gameday.model.runbook import CauseKind, FixStep, Runbook

# Most telling first: a check of the profile may mention traces, hardly the other way round.
_CHECKS: tuple[tuple[Step, re.Pattern[str]], ...] = (
    (Step.PROFILE, re.compile(r"profil|flame|leaf", re.IGNORECASE)),
    (Step.BLAME, re.compile(r"chang|deploy|commit|blame", re.IGNORECASE)),
    (Step.TRACE, re.compile(r"trac|span|\bhop\b", re.IGNORECASE)),
    (Step.RED, re.compile(r"\bred\b|rate|errors|duration|dashboard", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Remedy:
    """A mitigation the runbook gives, with every parameter known."""

    step: str
    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Remedies:
    """What can be started, best first, and why nothing else can."""

    usable: tuple[Remedy, ...]
    reason: str


def remedies(
    runbook: Runbook,
    *,
    service: str,
    downstream: str | None,
    kind: CauseKind,
    region: str | None,
) -> Remedies:
    """Return the mitigations for a cause; none is guessed where the runbook gives none."""
    found = {"service": service, "downstream": downstream, "region": region}
    cause = f"{service} → {downstream}" if downstream else service
    if runbook.cause_for(service, downstream, kind) is None:
        return Remedies((), f"the runbook knows no cause {cause} ({kind})")
    fixes = runbook.fixes_for(service, downstream, kind)
    if not fixes:
        return Remedies((), f"the runbook gives no fix for {cause} ({kind})")
    usable: list[Remedy] = []
    doubts: list[str] = []
    for fix in fixes:
        if fix.mitigation is None:
            doubts.append(f"{fix.id} needs a person")
            continue
        parameters = fix.mitigation.filled(found)
        if parameters is None:
            missing = [n for n in fix.mitigation.placeholders() if not found.get(n)]
            doubts.append(f"{fix.id} needs one {' and one '.join(missing)}, and there is not one")
            continue
        usable.append(Remedy(fix.id, fix.mitigation.name, parameters))
    return Remedies(tuple(usable), "; ".join(doubts))


def check_of(id: str, text: str) -> Step | None:
    """Return which step of the funnel a first check of a runbook asks for; None where none."""
    for words in (id.replace("-", " "), text):
        for step, pattern in _CHECKS:
            if pattern.search(words):
                return step
    return None


def vigil_of(runbook: Runbook) -> FixStep | None:
    """Return the fix step that says to watch the recovery; None where the runbook has none."""
    for fix in runbook.fixes:
        if fix.mitigation is None and re.search(
            r"recover|baseline|cleared|watch", f"{fix.id} {fix.text}", re.IGNORECASE
        ):
            return fix
    return None
