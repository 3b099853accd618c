"""Whether the pager did as it must: pages at once, for this fault only, once, and inside it.

A page that never came is judged by the funnel's phase *paged*, an alert that fired too late by
`scoring.alerting`; here stand the other ways in which a page can be wrong. What did not come is
told from what could not have come: without a page of ours or a beat of the watchdog, the absence of
wrong pages proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from scoring.alerting import Detection, plan_number
from scoring.funnel import PhaseResult
from scoring.run_facts import RunFacts, seconds_between, starts_at
from scoring.timeline import Fact, Kind
from scoring.timing import theory_limit
from scoring.verdict import Verdict

DELIVERY = timedelta(seconds=5)
"""How long a page may be under way beyond Alertmanager's ``group_wait`` and one evaluation: a sixth
of the half minute in which the on-call has to acknowledge it. A first delivery takes milliseconds;
who needs longer had to be asked again."""


@dataclass(frozen=True, slots=True)
class PageCheck:
    """One way in which pages can be wrong, and whether they were.

    Attributes:
        verdict: whether they were not.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
    """

    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()


def judge_pages(
    incident: RunFacts, detection: Detection, paged: PhaseResult
) -> Mapping[str, PageCheck]:
    """Return every check of `PAGE_CHECKS` by name.

    Args:
        detection: of this incident, judged.
        paged: the phase of that name, judged.
    """
    pager = _Pager(incident, detection, paged)
    return {name: judge(pager) for name, judge in _JUDGES.items()}


@dataclass(frozen=True, slots=True)
class _Pager:
    """Judges the pages of one incident."""

    incident: RunFacts
    detection: Detection
    paged: PhaseResult

    def check(self, faults: str, evidence: tuple[Fact, ...], unknown: str = "") -> PageCheck:
        """Return a check: missed where something is wrong, else met if pages could be judged."""
        facts = tuple(dict.fromkeys(f.id for f in evidence))
        if self.incident.injected is None and self.incident.is_over:
            return PageCheck(Verdict.NOT_APPLICABLE, "no fault was injected")
        if faults:
            return PageCheck(Verdict.MISSED, faults, facts)
        if self.incident.expectation.alert is None:
            silence = self.detection.verdict
            heard = Verdict.MET if silence is Verdict.MISSED else silence
            return PageCheck(heard, "" if heard is Verdict.MET else self.detection.reason)
        if self.paged.verdict is Verdict.MISSED:
            return PageCheck(Verdict.NOT_APPLICABLE, "nobody was paged")
        if self.paged.verdict is not Verdict.MET:
            return PageCheck(self.paged.verdict, self.paged.reason)
        if unknown:
            return PageCheck(Verdict.UNKNOWN, unknown, facts)
        if not self.incident.is_over:
            return PageCheck(Verdict.PENDING, "the run goes on")
        return PageCheck(Verdict.MET, "", facts or self.paged.evidence)

    def on_time(self) -> PageCheck:
        """Judge how long after its alert the page arrived."""
        page, fired_at = self.incident.page, self.detection.fired_at
        if self.incident.expectation.alert is None:
            return PageCheck(Verdict.NOT_APPLICABLE, "silence is expected")
        if page is None or fired_at is None:
            unknown = "when the alert fired is not known" if page else ""
            return self.check("", (), unknown)
        took = seconds_between(fired_at, page.happened_at)
        allowed = (
            (plan_number(self.incident, "group_wait_seconds") or 0.0)
            + (self.detection.resolution_seconds or 0.0)
            + DELIVERY.total_seconds()
        )
        late = f"it came {took:.1f} s after its alert had fired, {took - allowed:.1f} s too late"
        seen = (self.incident.fired, page)
        evidence = tuple(f for f in seen if f is not None)
        return self.check(late if took > allowed else "", evidence)

    def only_ours(self) -> PageCheck:
        """Judge whether a page came for something that this fault does not explain."""
        wrong = [f for f in self.incident.pages if not self._is_explained(f)]
        names = dict.fromkeys(_name(f) for f in wrong)
        return self.check(_sentence("for something else", names), tuple(wrong))

    def _is_explained(self, page: Fact) -> bool:
        expected = {self.incident.expectation.slo, *self.incident.expectation.collateral}
        return bool({str(page.data.get(key, "")) for key in ("slo", "alert", "service")} & expected)

    def steady(self) -> PageCheck:
        """Judge whether a branch fired, cleared, and fired again."""
        if self.incident.expectation.alert is None:
            return PageCheck(Verdict.NOT_APPLICABLE, "silence is expected")
        firings: dict[str, dict[datetime, Fact]] = defaultdict(dict)
        fired = self.incident.firings
        for fact in fired:
            firings[str(fact.data.get("long", ""))][fact.happened_at] = fact
        for page in self._ours():
            began = starts_at(page)
            # The same firing as Prometheus' own, unless that was not read.
            if began is not None and not fired:
                firings[str(page.data.get("long", ""))][began] = page
        again = {long: seen for long, seen in firings.items() if len(seen) > 1}
        words = [f"its {long} branch fired {len(seen)} times" for long, seen in again.items()]
        facts = tuple(f for seen in again.values() for f in seen.values())
        unknown = "" if fired else "the alert was never read as firing"
        return self.check("; ".join(words), facts or tuple(fired), unknown)

    def within_fault(self) -> PageCheck:
        """Judge whether a page came before the fault, or when it had to be over."""
        injected = self.incident.injected
        if self.incident.expectation.alert is None:
            return PageCheck(Verdict.NOT_APPLICABLE, "silence is expected")
        if injected is None:
            return self.check("", ())
        began = [(starts_at(f) or f.happened_at, f) for f in self._ours()]
        early = [f for at, f in began if at < injected.happened_at]
        ended = self._fault_ended_at()
        after = [(at, f) for at, f in began if ended is not None and at > ended]
        quiet_from = self._quiet_from() if after else None
        late = [f for at, f in after if quiet_from is not None and at > quiet_from]
        words = [
            _sentence(when, dict.fromkeys(_name(f) for f in facts))
            for when, facts in (("before the fault", early), ("when the fault was over", late))
            if facts
        ]
        unknown = "by when the alert had to be silent could not be computed"
        return self.check(
            "; ".join(words),
            (*early, *late),
            unknown if after and quiet_from is None else "",
        )

    def _ours(self) -> list[Fact]:
        slo = self.incident.expectation.slo
        return [f for f in self.incident.pages if f.data.get("slo", f.subject) == slo]

    def _fault_ended_at(self) -> datetime | None:
        """Return when users were well again: mitigated, or all that was injected taken out."""
        ends = [f.happened_at for f in self.incident.timeline.of_kind(Kind.FAULT_RECOVERED)]
        mitigation = self.incident.mitigation
        candidates = [max(ends)] if ends else []
        candidates += [mitigation.happened_at] if mitigation else []
        return min(candidates, default=None)

    def _quiet_from(self) -> datetime | None:
        """Return from when on no branch may fire any more; None: not known."""
        resets = self.incident.number("detection", "resets_predicted_seconds")
        begins = self.incident.mitigation or self.incident.injected
        if resets is None or begins is None:
            return None
        latest = self.incident.number("detection", "resets_upper_seconds")
        return begins.happened_at + timedelta(seconds=theory_limit(resets, latest))


def _name(page: Fact) -> str:
    """Return a page in words: ``CartBudgetBurn of cart``."""
    name = str(page.data.get("alert") or page.subject or "a page without a name")
    service = page.data.get("service")
    return f"{name} of {service}" if service else name


def _sentence(when: str, names: Mapping[str, None]) -> str:
    return f"a page came {when}: {', '.join(names)}" if names else ""


_JUDGES: Mapping[str, Callable[[_Pager], PageCheck]] = {
    "on_time": _Pager.on_time,
    "only_ours": _Pager.only_ours,
    "steady": _Pager.steady,
    "within_fault": _Pager.within_fault,
}

PAGE_CHECKS = tuple(_JUDGES)
"""What is checked of the pages: the first one's delivery; pages for something else; a branch that
fires again; pages outside the fault."""
