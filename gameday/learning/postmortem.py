"""The draft of a blameless postmortem, written from what a run measured.

It says what the system did and let happen. Roles act in it, people do not appear: no names, no
addresses, no author of a commit. What was not measured is said to be unknown, and what only people
can know is left as a question to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gameday.learning.draft_parts import (
    SURPRISES,
    action_table,
    bullets,
    cause_sentences,
    cleaned,
    quoted,
    read_by,
    role_of,
)
from gameday.model.action_item import ActionItem
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario, TargetKind
from gameday.model.slo import Slo
from gameday.report.moments import moments
from gameday.report.wording import (
    both_times,
    clock,
    figure,
    label,
    percent,
    phase_target,
    phase_took,
    seconds,
    table,
)
from scoring.expectation import Expectation
from scoring.run_facts import RunFacts
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import Verdict


def draft(
    result: RunResult,
    timeline: Timeline,
    scenario: Scenario,
    slo: Slo,
    items: Sequence[ActionItem] = (),
) -> str:
    """Return the postmortem of a run as Markdown, with the status *Draft*.

    Args:
        result: the run, judged, with its tasks.
        items: those that it asks for, once they are filed; none: its tasks are listed.
    """
    scale = result.time_scale
    parts = [
        f"# Postmortem: {_title(scenario)}",
        _head(result, timeline, scenario, slo),
        "## Summary",
        _summary(result, timeline, scenario, slo, scale),
        "## Impact",
        _impact(timeline, slo, scale),
        "## Timeline",
        _timeline(timeline),
        "## Detection",
        _detection(result, scale),
        "## Root cause",
        _root_cause(timeline, scenario),
        "## Trigger",
        _trigger(timeline),
        "## Mitigation and recovery",
        _mitigation(result, timeline, scenario),
        "## What went well",
        bullets(_went(result, Verdict.MET)) or "Nothing was judged as met.",
        "## What went wrong",
        bullets(_went(result, Verdict.MISSED)) or "Nothing was judged as missed.",
        "## What is not known",
        bullets(_went(result, Verdict.UNKNOWN)) or "Nothing that was to be measured is missing.",
        "## Where luck helped",
        "_To be answered in the review: what could as well have gone differently?_",
        "## Surprises",
        SURPRISES,
        "## Action items",
        action_table(items) if items else _actions(result),
    ]
    return "\n\n".join(parts) + "\n"


def _title(scenario: Scenario) -> str:
    return cleaned(scenario.metadata.title or scenario.metadata.name)


def _head(result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo) -> str:
    started = timeline.first(Kind.RUN_STARTED, Kind.FAULT_INJECTED)
    day = f"{started.happened_at:%Y-%m-%d}" if started else "unknown"
    return table(
        ("", ""),
        (
            ("Status", "Draft"),
            ("Date", day),
            ("Severity", scenario.metadata.severity),
            ("Kind", f"game day, run {result.run} on {result.target}"),
            ("SLO", f"{slo.id} of {slo.service}"),
            ("Written from", f"{len(timeline)} recorded facts; times are UTC"),
        ),
    )


def _summary(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo, scale: float
) -> str:
    detection = result.detection
    sentences = [f"{_title(scenario)}, on purpose, in a game day."]
    if detection.seconds is not None:
        sentences.append(
            f"The burn-rate alert of {slo.id} fired {both_times(detection.seconds, scale)}"
            " after the fault was in place."
        )
    else:
        sentences.append(f"That the burn-rate alert of {slo.id} fired was not seen.")
    applied = _worked(timeline, scenario)
    page = timeline.first(Kind.PAGE_RECEIVED)
    if applied is not None and page is not None:
        took = (applied.happened_at - page.happened_at).total_seconds()
        sentences.append(
            f"The responder applied {applied.data.get('name')} {seconds(round(took, 1))} after"
            " the page."
        )
    elif page is not None:
        sentences.append("No mitigation was applied.")
    recovered = result.phases.get("recovered")
    if recovered is not None and recovered.seconds_from_page is not None:
        took_all = phase_took(result, "recovered")
        sentences.append(f"The alert cleared {took_all} after the page.")
    if result.target == TargetKind.SANDBOX:
        sentences.append("No real customer was affected.")
    return " ".join(sentences)


def _impact(timeline: Timeline, slo: Slo, scale: float) -> str:
    measured = next(
        (
            f.data
            for f in reversed(timeline.of_kind(Kind.MEASUREMENT))
            if f.data.get("budget_spent_ratio") is not None
        ),
        None,
    )
    allowed = percent(round(slo.objective.budget_ratio, 12))
    days = figure(slo.objective.period.days)
    if measured is None:
        return (
            f"Unknown: the raw counters of {slo.id} could not be read."
            f" The objective allows {allowed} of the events of {days} days to be bad."
        )
    lines = [
        f"{percent(measured['budget_spent_ratio'])} of the error budget of the whole period was"
        f" spent (allowed: {allowed} of the events of {days} days)."
    ]
    bad, everything = measured.get("bad_events"), measured.get("all_events")
    if isinstance(bad, (int, float)) and isinstance(everything, (int, float)) and everything:
        lines.append(
            f"{figure(round(bad))} of {figure(round(everything))} events were bad"
            f" ({percent(bad / everything)})."
        )
    if scale != 1:
        lines.append(
            f"The period was compressed {figure(scale)} times with the alert windows, so the share"
            " is what the same incident would spend in production if it lasted that much longer."
        )
    if measured.get("history_ratio") is not None:
        lines.append(
            f"Prometheus held {percent(measured['history_ratio'])} of the history that the period"
            " asks for; the rest is not extrapolated from it."
        )
    return " ".join(lines)


def _timeline(timeline: Timeline) -> str:
    by_id = {fact.id: fact for fact in timeline}
    body = []
    for moment in moments(timeline):
        fact = by_id[moment.fact]
        words = moment.words
        if fact.kind == Kind.FINDING:
            said = str(fact.data.get("summary", "")).strip()
            does = read_by(fact)
            words = f"The responder {does}: {quoted(said)}" if said else f"The responder {does}"
        elif fact.kind == Kind.ACKNOWLEDGED:
            words = f"{role_of(fact)} acknowledged the page"
        body.append((clock(moment.at), words, fact.source, fact.id))
    if not body:
        return "Nothing was recorded."
    return table(("Time", "What happened", "By the clock of", "Fact"), body)


def _detection(result: RunResult, scale: float) -> str:
    found = result.detection
    predicted = both_times(found.predicted_seconds, scale)
    lines = [
        f"- Measured: {both_times(found.seconds, scale)} from fault to alert.",
        f"- By theory, over the history Prometheus held: {predicted}.",
    ]
    if found.ratio is not None:
        lines.append(f"- Measured ÷ theory: {figure(found.ratio)}.")
    if found.fired_at is not None and found.paged_at is not None:
        under_way = (found.paged_at - found.fired_at).total_seconds()
        lines.append(f"- From alert to page: {seconds(under_way)}.")
    if found.reason:
        lines.append(f"- {cleaned(found.reason)}.")
    return "\n".join(lines)


def _root_cause(timeline: Timeline, scenario: Scenario) -> str:
    sentences = cause_sentences(timeline) or ["The responder's findings name no cause."]
    culprit = scenario.spec.expect.culprit
    if culprit is not None:
        injected = ", ".join(
            f"{label(k)} {v}" for k, v in culprit.model_dump().items() if v is not None
        )
        sentences.append(f"What was injected: {injected}.")
    sentences.append("_To be answered in the review: why could one slow or failing part do this?_")
    return " ".join(cleaned(s) for s in sentences)


def _trigger(timeline: Timeline) -> str:
    injected = timeline.of_kind(Kind.FAULT_INJECTED)
    if not injected:
        return "No fault was put in place."
    return bullets(
        [
            f"{clock(f.happened_at)}: the game day put the fault"
            f" `{f.data.get('fault', f.subject)}` in place ({f.id})."
            for f in injected
        ]
    )


def _worked(timeline: Timeline, scenario: Scenario) -> Fact | None:
    """Return the mitigation that counted, by which the alert is judged; else the last one."""
    spec = scenario.spec
    wanted = Expectation(
        spec.slo, "", mitigations=tuple(spec.expect.mitigation), regions=tuple(spec.regions)
    )
    applied = timeline.of_kind(Kind.MITIGATION_APPLIED)
    last = next((f for f in reversed(applied) if f.data.get("ok")), None)
    return RunFacts(timeline, wanted).mitigation or last


def _mitigation(result: RunResult, timeline: Timeline, scenario: Scenario) -> str:
    applied = _worked(timeline, scenario)
    if applied is None:
        return "No mitigation worked. What ended the incident was the end of the fault."
    parameters = applied.data.get("parameters")
    with_ = (
        " (" + ", ".join(f"{k} {v}" for k, v in parameters.items()) + ")"
        if isinstance(parameters, Mapping) and parameters
        else ""
    )
    lines = [f"`{applied.data.get('name')}`{with_} was applied at {clock(applied.happened_at)}."]
    present = [f for f in timeline.of_kind(Kind.FAULT_READ) if f.happened_at >= applied.happened_at]
    if any(f.data.get("present") is True for f in present):
        lines.append("The fault was read back as still in place afterwards.")
    recovered = result.phases.get("recovered")
    if recovered is not None and recovered.verdict is Verdict.MET:
        target = phase_target(result, "recovered")
        lines.append(f"The alert cleared by it, within its target of {target}.")
    elif recovered is not None and recovered.reason:
        lines.append(cleaned(recovered.reason).capitalize() + ".")
    gone = timeline.last(Kind.RECOVERY_PROVEN)
    if gone is not None:
        lines.append(f"The fault was proven gone at {clock(gone.happened_at)}.")
    return " ".join(lines)


def _went(result: RunResult, verdict: Verdict) -> list[str]:
    found = []
    for line in result.score.lines:
        if line.verdict is verdict:
            reason = f": {line.reason}" if line.reason else ""
            evidence = f" ({', '.join(line.evidence)})" if line.evidence else ""
            found.append(cleaned(f"{line.title or label(line.criterion)}{reason}{evidence}"))
    return found


def _actions(result: RunResult) -> str:
    if not result.tasks:
        return (
            "The run asks for no change of the runbook. _To be answered in the review: what keeps"
            " this class of incident from happening again?_"
        )
    header = ("Action", "Kind", "Owner (role)", "Due", "Evidence")
    return table(
        header,
        (
            (cleaned(t.title), label(t.kind), "to be named", "to be set", ", ".join(t.evidence))
            for t in result.tasks
        ),
    )
