"""How the trouble of a run ended, whatever the clock of the people says.

The phases *mitigated* and *recovered* ask whether something happened and in time, together. Here
the two are apart, and so are the two halves of a run: that the right thing was done is the
response's, that the alert cleared as soon as users were well is the system's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from scoring.effect import Effect, MitigationEffect
from scoring.funnel import PhaseResult
from scoring.run_facts import RunFacts, seconds_between
from scoring.timing import theory_limit
from scoring.verdict import Verdict

OUTCOMES = ("mitigation", "recovery", "reset", "harmless")
"""What is asked of the end: whether a mitigation that counts was applied while the fault was in
place; whether the alert cleared by it; whether it cleared as soon as it must; whether nothing that
was done made it worse."""

NO_THEORY = "by when it had to clear could not be computed"


@dataclass(frozen=True, slots=True)
class OutcomeResult:
    """One thing asked of the end.

    Attributes:
        verdict: whether it is so.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
    """

    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()


def judge_outcomes(
    incident: RunFacts,
    phases: Mapping[str, PhaseResult],
    effects: Sequence[MitigationEffect],
) -> Mapping[str, OutcomeResult]:
    """Return every outcome of `OUTCOMES` by name.

    Args:
        phases: of this incident, judged; effects: of its mitigations.
    """
    return {
        "mitigation": _mitigation(incident, phases["mitigated"]),
        "recovery": _recovery(incident, phases["recovered"]),
        "reset": _reset(incident, phases["recovered"]),
        "harmless": _harmless(phases["mitigated"], effects),
    }


def _mitigation(incident: RunFacts, phase: PhaseResult) -> OutcomeResult:
    if phase.at is None or incident.mitigation is None:
        return OutcomeResult(phase.verdict, phase.reason, phase.evidence)
    return _in_place(incident, phase.evidence)


def _recovery(incident: RunFacts, phase: PhaseResult) -> OutcomeResult:
    cleared, applied = incident.cleared, incident.mitigation
    if phase.at is None or cleared is None:
        return OutcomeResult(phase.verdict, phase.reason, phase.evidence)
    if applied is None or cleared.happened_at < applied.happened_at:
        reason = "the alert cleared, but not by a mitigation"
        return OutcomeResult(Verdict.MISSED, reason, phase.evidence)
    return _in_place(incident, phase.evidence)


def _in_place(incident: RunFacts, evidence: tuple[str, ...]) -> OutcomeResult:
    """Judge what counts only while the fault is in place."""
    in_place, reason, read = incident.fault_while_clearing()
    facts = tuple(dict.fromkeys((*evidence, *read)))
    if in_place:
        return OutcomeResult(Verdict.MET, "", facts)
    return OutcomeResult(Verdict.UNKNOWN if in_place is None else Verdict.MISSED, reason, facts)


def _reset(incident: RunFacts, phase: PhaseResult) -> OutcomeResult:
    """Judge how soon the alert cleared once a mitigation had made users well.

    Where nothing was mitigated the run ends with its fault, and nothing waits for the alert.
    """
    page, applied, cleared = incident.page, incident.mitigation, incident.cleared
    if page is None or phase.verdict is Verdict.NOT_APPLICABLE:
        return OutcomeResult(phase.verdict, phase.reason)
    if applied is None:
        waits = phase.verdict if phase.verdict is Verdict.PENDING else Verdict.NOT_APPLICABLE
        return OutcomeResult(waits, "nothing was mitigated that it could clear by")
    measured = incident.measurement("detection")
    resets = incident.number("detection", "resets_predicted_seconds")
    if cleared is None:
        if phase.verdict is not Verdict.MISSED:
            return OutcomeResult(phase.verdict, phase.reason, phase.evidence)
        if measured is None:
            return OutcomeResult(Verdict.UNKNOWN, NO_THEORY)
        if resets is None:
            reason = "by the counters it had no reason to clear"
            return OutcomeResult(Verdict.NOT_APPLICABLE, reason, (measured.id,))
        reason = "it did not clear, and by the counters it had to"
        return OutcomeResult(Verdict.MISSED, reason, (applied.id, measured.id))
    if cleared.happened_at < applied.happened_at:
        return OutcomeResult(
            Verdict.NOT_APPLICABLE, "the alert had cleared before anything was mitigated"
        )
    facts = tuple(f.id for f in (applied, cleared, measured) if f is not None)
    declared = incident.expectation.recovered_within
    if declared is not None and cleared.happened_at - page.happened_at <= declared:
        return OutcomeResult(Verdict.MET, "", facts)
    if resets is None:
        return OutcomeResult(
            Verdict.UNKNOWN, "by when it had to clear could not be computed", facts
        )
    limit = theory_limit(resets, incident.number("detection", "resets_upper_seconds"))
    late = cleared.happened_at - applied.happened_at - timedelta(seconds=limit)
    if late <= timedelta(0):
        return OutcomeResult(Verdict.MET, "", facts)
    took = seconds_between(applied.happened_at, cleared.happened_at)
    reason = f"it took {took:.1f} s, {late.total_seconds():.1f} s longer than it may"
    return OutcomeResult(Verdict.MISSED, reason, facts)


def _harmless(phase: PhaseResult, effects: Sequence[MitigationEffect]) -> OutcomeResult:
    """Judge whether nothing that was done made it worse for users."""
    if phase.verdict is Verdict.NOT_APPLICABLE or not (effects or phase.verdict.counts):
        return OutcomeResult(phase.verdict, phase.reason)
    if not effects:
        return OutcomeResult(Verdict.NOT_APPLICABLE, "nothing was done that could")
    evidence = tuple(dict.fromkeys(e for effect in effects for e in effect.evidence))
    worse = [one for one in effects if one.effect is Effect.MAKES_WORSE]
    if worse:
        return OutcomeResult(Verdict.MISSED, "; ".join(map(_made_worse, worse)), evidence)
    unknown = [one for one in effects if one.effect is Effect.UNKNOWN]
    if unknown:
        reason = f"what {unknown[0].name} did is not known: {unknown[0].reason}"
        return OutcomeResult(Verdict.UNKNOWN, reason, evidence)
    return OutcomeResult(Verdict.MET, "", evidence)


def _made_worse(one: MitigationEffect) -> str:
    where = f" ({', '.join(f'{k} {v}' for k, v in one.parameters.items())})"
    named = one.name + (where if one.parameters else "")
    return (
        f"{named} made it worse: burn rate {one.burn_before:.0f} before, {one.burn_after:.0f} after"
    )
