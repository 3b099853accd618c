"""The scorecard of a run: Markdown, self-contained HTML and JUnit XML, all from one result.

What a result lacks is said to lack (`no data`), never filled in; a verdict of *unknown*, *pending*
or *does not apply* counts in no percentage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from gameday.legible import finalized
from gameday.model.result import Recovery, RunResult, Task
from gameday.report.numbers import (
    ScorePart,
    effects_in_words,
    percentages,
    response_in_words,
    score_in_words,
    score_parts,
)
from gameday.report.picture import svg
from gameday.report.wording import (
    NO_DATA,
    NOTHING,
    both_times,
    clock,
    figure,
    finding_in_words,
    judged,
    label,
    percent,
    phase_target,
    phase_took,
    seconds,
    table,
)
from scoring.alerting import Detection
from scoring.finding import ExpectedFinding
from scoring.funnel import PhaseResult, StepResult
from scoring.timeline import Timeline
from scoring.verdict import RunVerdict, Verdict

# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Card:
    """A scorecard in words, before it takes the shape of one medium."""

    run: str
    scenario: str
    target: str
    verdict: RunVerdict
    headline: str
    time_note: str
    detection: Sequence[tuple[str, str]]
    phases: Rows
    funnel: Rows
    response: Sequence[tuple[str, str]]
    mitigations: Sequence[tuple[str, str]]
    score: str
    scores: Sequence[ScorePart]
    tasks: Sequence[Task]
    recovery: str


def card(result: RunResult) -> Card:
    """Return the words of a scorecard."""
    return Card(
        run=result.run,
        scenario=result.scenario,
        target=result.target,
        verdict=result.verdict,
        headline=_headline(result),
        time_note=_time_note(result.time_scale),
        detection=_detection(result.detection, result.time_scale),
        phases=[_phase(result, name, phase) for name, phase in result.phases.items()],
        funnel=[_step(step) for step in result.funnel],
        response=response_in_words(result),
        mitigations=effects_in_words(result),
        score=score_in_words(result.score),
        scores=score_parts(result.score),
        tasks=result.tasks,
        recovery=_recovery(result.recovery),
    )


def markdown(result: RunResult) -> str:
    """Return the scorecard as Markdown, ready for a merge request or a wiki."""
    words = card(result)
    parts = [f"# Game day {words.scenario}: {words.verdict}", words.headline]
    if words.time_note:
        parts.append(words.time_note)
    parts += ["## Detection", table(("", ""), words.detection)]
    parts += ["## Phases", _grid(words.phases, ("Phase", "From the page", "Target", "Verdict"))]
    parts += ["## Funnel", _grid(words.funnel, ("Step", "Found", "Expected", "Verdict"))]
    if words.response:
        parts += ["## Response", table(("", ""), words.response)]
    if words.mitigations:
        parts += ["## Mitigations", table(("Mitigation", "Effect"), words.mitigations)]
    for part in words.scores:
        parts += [f"## {part.title}", part.words]
        parts += [_grid(part.lines, ("Criterion", "Verdict", "Points", "Evidence"))]
    parts.append("## Runbook tasks")
    for task in words.tasks:
        evidence = f" (evidence: {', '.join(task.evidence)})" if task.evidence else ""
        parts.append(f"- [ ] {' '.join(task.title.split())} — `{task.runbook}`{evidence}")
        if task.patch:
            parts.append(_fenced(task.patch, "diff"))
    if not words.tasks:
        parts.append("None.")
    parts += ["## Recovery", words.recovery]
    parts.append(f"Run `{words.run}` on {words.target}. Times are UTC.")
    return "\n\n".join(parts) + "\n"


def html(result: RunResult, timeline: Timeline) -> str:
    """Return the scorecard as one HTML page that needs nothing else: no script, no outside asset.

    It follows the reader's dark or light setting and reads on a phone.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("gameday.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalized,
    )
    words = card(result)
    return environment.get_template("scorecard.html.j2").render(
        {name: getattr(words, name) for name in Card.__slots__},
        picture=Markup(svg(timeline)),  # our own markup; the words in it are escaped there
        no_data=NO_DATA,
    )


def junit(result: RunResult) -> str:
    """Return the score as JUnit XML, one test case per criterion, for the tools of a CI.

    Missed is a failure. Unknown, pending and not applicable are skipped, with the reason: a report
    that counts them as passes would be wrong. A run that did not end in a score (refused, aborted,
    failed), or that missed without a missed criterion, has one case of its own that says so.
    """
    words = card(result)
    suite = ElementTree.Element("testsuite", name=_xml(f"gameday {words.scenario}"))
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("run", "target", "verdict", "score"):
        ElementTree.SubElement(
            properties, "property", name=name, value=_xml(str(getattr(words, name)))
        )
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}

    def case(name: str, kind: str, message: str) -> None:
        counts["tests"] += 1
        element = ElementTree.SubElement(
            suite, "testcase", classname=_xml(f"gameday.{words.scenario}"), name=_xml(name)
        )
        if kind:
            ElementTree.SubElement(element, kind, message=_xml(message))
            counts["skipped" if kind == "skipped" else f"{kind}s"] += 1

    for line in result.score.lines:
        kind = {Verdict.MET: "", Verdict.MISSED: "failure"}.get(line.verdict, "skipped")
        case(line.title or label(line.criterion), kind, judged(line))
    if words.verdict is not RunVerdict.PASSED and not counts["failures"]:
        kind = "failure" if words.verdict is RunVerdict.MISSED else "error"
        case("the run", kind, f"{words.verdict}: {words.headline}")

    for name, count in counts.items():
        suite.set(name, str(count))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _grid(body: Rows, header: Sequence[str]) -> str:
    if not body:
        return NO_DATA[:1].upper() + NO_DATA[1:] + "."
    keys = {
        "Phase": "name",
        "From the page": "took",
        "Step": "step",
        "Found": "finding",
    }
    return table(header, [[row[keys.get(h, h.lower())] for h in header] for row in body])


def _fenced(text: str, language: str) -> str:
    """Return text in a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _time_note(scale: float) -> str:
    if scale == 1:
        return ""
    return (
        f"Time ran {figure(scale)} times faster on this target: alert windows and the SLO period "
        "are that much shorter, and both times are shown where they decide. Thresholds and the "
        "responder's targets are not compressed."
    )


def _headline(result: RunResult) -> str:
    detection = result.detection
    if detection.seconds is not None:
        took = both_times(detection.seconds, result.time_scale)
        found = f"The alert fired {took} after the fault was in place"
    elif detection.injected_at is None:
        found = "No fault was put in place"
    elif detection.verdict is Verdict.MET:
        found = "No alert fired, as expected"
    else:
        found = "The alert was not seen to fire"
    said = result.score
    halves = [half.percent if half else None for half in (said.system, said.response)]
    numbers = percentages(said.percent, *halves)
    score = f"; {'score ' if said.percent is not None else ''}{numbers}" if numbers else ""
    why = f" {result.verdict.capitalize()}: {result.reason}." if result.reason else ""
    return f"{found}{score}.{why}"


def _detection(found: Detection, scale: float) -> list[tuple[str, str]]:
    lines = [
        ("Fault in place", clock(found.injected_at)),
        ("Alert fired", clock(found.fired_at) + _to_within(found)),
        ("Page", clock(found.paged_at) + _under_way(found)),
        ("Took", both_times(found.seconds, scale)),
        ("The plan said", both_times(found.planned_seconds, scale)),
        ("The counters say", both_times(found.predicted_seconds, scale)),
        ("Measured ÷ counters", NO_DATA if found.ratio is None else figure(found.ratio)),
        ("Verdict", judged(found)),
    ]
    full, clean = found.windows_full, found.windows_clean
    if full is not None or clean is not None:
        lines.append(
            ("Windows before the fault", f"full: {_yes_or_no(full)}, clean: {_yes_or_no(clean)}")
        )
    if found.budget_spent_ratio is not None:
        history = found.history_ratio
        held = f" ({percent(history)} of the period's history is held)" if history else ""
        lines.append(("Error budget spent", percent(found.budget_spent_ratio) + held))
    return lines


def _to_within(found: Detection) -> str:
    """Return how coarse Prometheus' instants are: it knows nothing between two evaluations."""
    coarse = found.resolution_seconds
    known = found.fired_at is not None and coarse is not None
    return f" (to within {seconds(coarse)})" if known else ""


def _under_way(found: Detection) -> str:
    took = found.delivery_seconds
    return "" if took is None else f" ({seconds(took)} after it fired)"


def _yes_or_no(value: bool | None) -> str:
    return NO_DATA if value is None else "yes" if value else "no"


def _phase(result: RunResult, name: str, phase: PhaseResult) -> Mapping[str, str]:
    return {
        "name": label(name),
        "took": phase_took(result, name),
        "target": phase_target(result, name),
        "verdict": judged(phase),
        "key": phase.verdict,
    }


def _step(step: StepResult) -> Mapping[str, str]:
    is_gap = step.finding is None and step.verdict is not Verdict.UNKNOWN
    return {
        "step": label(step.step),
        "finding": NOTHING if is_gap else finding_in_words(step.finding),
        "expected": _wanted(step.expected) or NOTHING,
        "verdict": judged(step),
        "key": step.verdict,
    }


def _wanted(expected: ExpectedFinding) -> str:
    """Return in words what a step had to find; empty where nothing is declared."""
    parts = []
    if expected.service:
        hops = [hop for hop in (expected.service, expected.downstream) if hop]
        parts.append(" → ".join(hops) + (f" in {expected.region}" if expected.region else ""))
    elif expected.region:
        parts.append(f"region {expected.region}")
    if expected.function:
        parts.append(f"function {expected.function}")
    if expected.off_cpu:
        parts.append("waiting, off-CPU")
    if expected.commit:
        parts.append(f"commit {expected.commit}")
    if expected.explained is False:
        parts.append("no change explains it")
    if expected.mitigation:
        parts.append(" or ".join(expected.mitigation))
    return ", ".join(parts)


def _recovery(recovery: Recovery) -> str:
    if recovery.open == 0:
        return "Everything the run changed was taken back, and that was read from the target."
    return f"{recovery.open} still in place: run `gameday recover`."
