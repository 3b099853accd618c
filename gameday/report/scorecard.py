"""The scorecard of a run: Markdown, self-contained HTML and JUnit XML, all from one result.

The result is the object that ``run --json`` prints. What it lacks is said to lack (`no data`),
never filled in; a verdict of *unknown*, *pending* or *does not apply* counts in no percentage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

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
    phase_in_words,
    rows,
    seconds,
    section,
    table,
    time_scale_of,
    verdict_in_words,
)
from scoring.timeline import Timeline

# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Card:
    """A scorecard in words, before it takes the shape of one medium."""

    run: str
    scenario: str
    target: str
    verdict: str
    verdict_key: str
    headline: str
    time_note: str
    detection: Sequence[tuple[str, str]]
    phases: Rows
    funnel: Rows
    score: str
    lines: Rows
    tasks: Rows
    recovery: str


def card(result: Mapping[str, Any]) -> Card:
    """Return the words of a scorecard; missing parts read as `no data`."""
    scale = time_scale_of(result)
    verdict = str(result.get("verdict") or "")
    return Card(
        run=str(result.get("run") or NO_DATA),
        scenario=str(result.get("scenario") or NO_DATA),
        target=str(result.get("target") or NO_DATA),
        verdict=verdict_in_words(verdict),
        verdict_key=verdict or "unknown",
        headline=_headline(result, scale),
        time_note=_time_note(scale),
        detection=_detection(result, scale),
        phases=[_phase(result, name) for name in section(result, "phases")],
        funnel=[_step(row) for row in rows(result, "funnel")],
        score=_score(result),
        lines=[_line(row) for row in rows(section(result, "score"), "lines")],
        tasks=[_task(row) for row in rows(result, "tasks")],
        recovery=_recovery(result),
    )


def markdown(result: Mapping[str, Any]) -> str:
    """Return the scorecard as Markdown, ready for a merge request or a wiki."""
    words = card(result)
    parts = [f"# Game day {words.scenario}: {words.verdict}", words.headline]
    if words.time_note:
        parts.append(words.time_note)
    parts += ["## Detection", table(("", ""), words.detection)]
    parts += ["## Phases", _grid(words.phases, ("Phase", "From the page", "Target", "Verdict"))]
    parts += ["## Funnel", _grid(words.funnel, ("Step", "Found", "Expected", "Verdict"))]
    parts += ["## Score", words.score]
    parts += [_grid(words.lines, ("Criterion", "Verdict", "Points", "Evidence"))]
    parts.append("## Runbook tasks")
    for task in words.tasks:
        evidence = f" (evidence: {task['evidence']})" if task["evidence"] else ""
        parts.append(f"- [ ] {' '.join(task['title'].split())} — `{task['runbook']}`{evidence}")
        if task["patch"]:
            parts.append(_fenced(task["patch"], "diff"))
    if not words.tasks:
        parts.append("None.")
    parts += ["## Recovery", words.recovery]
    parts.append(f"Run `{words.run}` on {words.target}. Times are UTC.")
    return "\n\n".join(parts) + "\n"


def html(result: Mapping[str, Any], timeline: Timeline) -> str:
    """Return the scorecard as one HTML page that needs nothing else: no script, no outside asset.

    It follows the reader's dark or light setting and reads on a phone.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("gameday.report"), autoescape=True, undefined=StrictUndefined
    )
    words = card(result)
    return environment.get_template("scorecard.html.j2").render(
        {name: getattr(words, name) for name in Card.__slots__},
        picture=Markup(svg(timeline)),  # our own markup; the words in it are escaped there
        no_data=NO_DATA,
    )


def junit(result: Mapping[str, Any]) -> str:
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

    for line in words.lines:
        kind = {"met": "", "missed": "failure"}.get(line["key"], "skipped")
        case(line["criterion"], kind, line["verdict"])
    if words.verdict_key != "passed" and not counts["failures"]:
        kind = "failure" if words.verdict_key == "missed" else "error"
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


def _headline(result: Mapping[str, Any], scale: float) -> str:
    reason = result.get("reason") or result.get("error")
    if reason:
        return str(reason)
    detection = section(result, "detection")
    if detection.get("seconds") is not None:
        took = both_times(detection["seconds"], scale)
        found = f"The alert fired {took} after the fault was in place"
    elif detection.get("injected_at") is None:
        found = "No fault was put in place"
    elif detection.get("verdict") == "met":
        found = "No alert fired, as expected"
    else:
        found = "The alert was not seen to fire"
    score = section(result, "score")
    scored = f"; score {figure(score['percent'])} %" if score.get("percent") is not None else ""
    return f"{found}{scored}."


def _detection(result: Mapping[str, Any], scale: float) -> list[tuple[str, str]]:
    found = section(result, "detection")
    ratio = found.get("ratio")
    lines = [
        ("Fault in place", clock(found.get("injected_at"))),
        ("Alert fired", clock(found.get("fired_at")) + _to_within(found)),
        ("Page", clock(found.get("paged_at")) + _under_way(found)),
        ("Took", both_times(found.get("seconds"), scale)),
        ("The plan said", both_times(found.get("planned_seconds"), scale)),
        ("The counters say", both_times(found.get("predicted_seconds"), scale)),
        ("Measured ÷ counters", figure(ratio) if isinstance(ratio, (int, float)) else NO_DATA),
        ("Verdict", judged(found)),
    ]
    full, clean = found.get("windows_full"), found.get("windows_clean")
    if full is not None or clean is not None:
        lines.append(
            ("Windows before the fault", f"full: {_yes_or_no(full)}, clean: {_yes_or_no(clean)}")
        )
    if found.get("budget_spent_ratio") is not None:
        history = found.get("history_ratio")
        held = f" ({percent(history)} of the period's history is held)" if history else ""
        lines.append(("Error budget spent", percent(found["budget_spent_ratio"]) + held))
    return lines


def _to_within(found: Mapping[str, Any]) -> str:
    """Return how coarse Prometheus' instants are: it knows nothing between two evaluations."""
    coarse = found.get("resolution_seconds")
    known = found.get("fired_at") and isinstance(coarse, (int, float))
    return f" (to within {seconds(coarse)})" if known else ""


def _under_way(found: Mapping[str, Any]) -> str:
    took = found.get("delivery_seconds")
    return f" ({seconds(took)} after it fired)" if isinstance(took, (int, float)) else ""


def _yes_or_no(value: object) -> str:
    return NO_DATA if value is None else "yes" if value else "no"


def _phase(result: Mapping[str, Any], name: str) -> Mapping[str, str]:
    phase = section(section(result, "phases"), name)
    return {
        "name": label(name),
        "took": phase_in_words(result, name, "seconds_from_page"),
        "target": phase_in_words(result, name, "target_seconds"),
        "verdict": judged(phase),
        "key": str(phase.get("verdict") or "unknown"),
    }


def _step(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "step": label(str(row.get("step") or NO_DATA)),
        "finding": finding_in_words(row.get("finding"))
        if row.get("finding") or row.get("verdict") == "unknown"
        else NOTHING,
        "expected": _wanted(row.get("expected")) or NOTHING,
        "verdict": judged(row),
        "key": str(row.get("verdict") or "unknown"),
    }


def _wanted(expected: object) -> str:
    """Return in words what a step had to find; empty where nothing is declared."""
    if not isinstance(expected, Mapping):
        return str(expected or "")
    said = {k: v for k, v in expected.items() if v not in (None, "", ())}
    parts = []
    if "service" in said:
        hops = [str(said.pop(k)) for k in ("service", "downstream") if k in said]
        region = f" in {said.pop('region')}" if "region" in said else ""
        parts.append(" → ".join(hops) + region)
    for key, value in said.items():
        match key, value:
            case "off_cpu", True:
                parts.append("waiting, off-CPU")
            case "explained", False:
                parts.append("no change explains it")
            case "mitigation", list() | tuple():
                parts.append(" or ".join(str(v) for v in value))
            case _:
                parts.append(f"{label(key)} {value}")
    return ", ".join(parts)


def _score(result: Mapping[str, Any]) -> str:
    score = section(result, "score")
    share = score.get("percent")
    if share is None:
        return "No score: nothing could be counted."
    points, most = score.get("points"), score.get("max")
    return f"{figure(share)} %: {_points(points)} of {_points(most)} points that could be counted."


def _points(value: object) -> str:
    return figure(value) if isinstance(value, (int, float)) else NO_DATA


def _line(row: Mapping[str, Any]) -> Mapping[str, str]:
    most = row.get("max")
    points = _points(row.get("points")) if row.get("points") is not None else NOTHING
    return {
        "criterion": str(row.get("title") or label(str(row.get("criterion") or NO_DATA))),
        "verdict": judged(row),
        "points": f"{points} of {_points(most)}" if most is not None else points,
        "evidence": ", ".join(str(e) for e in row.get("evidence") or ()) or NOTHING,
        "key": str(row.get("verdict") or "unknown"),
    }


def _task(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "title": str(row.get("title") or NO_DATA),
        "runbook": str(row.get("runbook") or NO_DATA),
        "evidence": ", ".join(str(e) for e in row.get("evidence") or ()),
        "patch": str(row.get("patch") or ""),
    }


def _recovery(result: Mapping[str, Any]) -> str:
    recovery = section(result, "recovery")
    left = recovery.get("open")
    if left is None:
        return "Whether everything was taken back is not known: run `gameday recover`."
    if left == 0:
        return "Everything the run changed was taken back, and that was read from the target."
    command = recovery.get("command") or "gameday recover"
    return f"{left} still in place: run `{command}`."
