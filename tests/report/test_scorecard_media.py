"""The scorecard in every medium: the same words, nothing invented, nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from slow_db_run import START

from gameday.model.result import Recovery, RunResult
from gameday.report.scorecard import html, junit, markdown
from gameday.report.terminal import scorecard
from gameday.testing.results import run_result
from scoring.alerting import Detection
from scoring.finding import ExpectedFinding
from scoring.funnel import StepFinding, StepResult
from scoring.scorecard import Score
from scoring.timeline import Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

PAIRED = {"tr", "td", "th", "table", "svg", "div", "pre", "main", "body", "html", "style", "text"}


class Page(HTMLParser):
    """Notes the tags of a page, and complains where one is closed that was not open."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in {"href", "src", "action", "onload"}]
        if tag in PAIRED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in PAIRED:
            assert tag == self.open.pop()


def shown(result: RunResult, width: int = 80) -> str:
    from rich.console import Console

    console = Console(width=width, record=True, file=StringIO())
    console.print(scorecard(result))
    return console.export_text()


def test_markdown_says_both_times_where_alert_windows_decide(result: RunResult) -> None:
    text = markdown(result)

    assert "| Took | 18 s (nominal 18 min) |" in text
    assert "| acked | 1 s | 30 s | met |" in text


def test_instants_are_shown_with_how_sure_they_are(result: RunResult) -> None:
    found = replace(result.detection, resolution_seconds=1.0, delivery_seconds=0.012)

    text = markdown(replace(result, detection=found))

    assert " (to within 1 s) |" in text
    assert " (0.01 s after it fired) |" in text


def test_recovery_scales_only_what_follows_the_mitigation(result: RunResult) -> None:
    # 25 s after the page, 16 of them the responder's: 16 s + 9 s × 60.
    assert "| recovered | 25 s (nominal 9 min 16 s) |" in markdown(result)


def test_without_compression_there_is_one_time(result: RunResult) -> None:
    assert "nominal" not in markdown(replace(result, time_scale=1))


def test_an_unknown_is_called_unknown_and_missing_data_is_said_to_be_missing(
    result: RunResult,
) -> None:
    blind = Detection(verdict=Verdict.UNKNOWN, reason="the alerts could not be read")

    text = markdown(replace(result, detection=blind))

    assert "| Took | no data |" in text
    assert "unknown: the alerts could not be read" in text


def test_a_result_with_hardly_anything_in_it_still_renders() -> None:
    nothing = run_result()

    for text in (markdown(nothing), html(nothing, Timeline()), junit(nothing), shown(nothing)):
        assert "no data" in text.lower() or "not" in text


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        (Detection(verdict=Verdict.NOT_APPLICABLE), "No fault was put in place"),
        (Detection(injected_at=START, verdict=Verdict.MISSED), "was not seen to fire"),
        (Detection(injected_at=START, verdict=Verdict.MET), "No alert fired, as expected"),
    ],
)
def test_the_first_sentence_says_what_became_of_the_alert(
    result: RunResult, detection: Detection, expected: str
) -> None:
    assert expected in markdown(replace(result, detection=detection))


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"service": "inventory", "downstream": "db", "region": "eu"}, "inventory → db in eu"),
        ({"service": "inventory"}, "inventory"),
        ({"region": "eu-west"}, "region eu-west"),
        ({"off_cpu": True}, "waiting, off-CPU"),
        ({"function": "ledger_turn"}, "function ledger_turn"),
        ({"explained": False}, "no change explains it"),
        ({"commit": "a327017"}, "commit a327017"),
        ({"mitigation": ["failover-db", "drain-region"]}, "failover-db or drain-region"),
        ({}, "—"),
    ],
)
def test_what_a_step_had_to_find_is_said_in_words(
    result: RunResult, expected: dict[str, Any], words: str
) -> None:
    step = StepResult("trace", None, None, ExpectedFinding(**expected), Verdict.MET)

    assert f"| {words} |" in markdown(replace(result, funnel=(step,)))


def test_what_is_not_due_is_no_gap_in_the_data(result: RunResult) -> None:
    assert "| postmortem | — | — | pending (not due yet) |" in markdown(result)


def test_a_fault_left_in_place_names_the_command_that_removes_it(result: RunResult) -> None:
    left = replace(result, recovery=Recovery(open=1))

    assert "1 still in place: run `gameday recover`" in markdown(left)


def test_text_from_outside_cannot_break_a_table_or_a_page(
    result: RunResult, timeline: Timeline
) -> None:
    finding = StepFinding("a | b\n<script>alert(1)</script>", {}, START)
    hostile = replace(result, funnel=(replace(result.funnel[0], finding=finding),))

    assert r"| trace | a \| b <script>alert(1)</script> |" in markdown(hostile)
    assert "<script" not in html(hostile, timeline)


def test_a_patch_with_backticks_stays_in_its_fence(result: RunResult) -> None:
    fenced = replace(result, tasks=(replace(result.tasks[0], patch="+```sh\n"),))

    assert "````diff\n+```sh\n````" in markdown(fenced)


def test_the_page_is_whole_and_asks_for_nothing_from_outside(
    result: RunResult, timeline: Timeline
) -> None:
    text = html(result, timeline)
    page = Page()
    page.feed(text)

    assert [] == page.open
    assert [] == page.links
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_the_picture_names_every_moment_in_order(result: RunResult, timeline: Timeline) -> None:
    text = html(result, timeline)
    text = text[text.index("<svg") :]
    wanted = ["fault in place", "alert fired", "page ·", "acknowledged", "trace read"]
    wanted += ["failover-db applied", "alert cleared", "proven gone"]

    places = [text.index(words) for words in wanted]

    assert sorted(places) == places


def test_labels_of_the_picture_never_overlap(result: RunResult, timeline: Timeline) -> None:
    text = html(result, timeline)
    heights = [float(y) for y in re.findall(r'<circle[^>]* cy="([0-9.]+)"', text)]

    assert len(heights) > 10
    assert all(b - a >= 20 for a, b in pairwise(heights))


def test_a_run_without_facts_has_no_picture(result: RunResult) -> None:
    assert "<svg" not in html(result, Timeline())


def test_an_alert_that_never_cleared_is_drawn_to_the_end(
    result: RunResult, timeline: Timeline
) -> None:
    firing = Timeline.of(f for f in timeline if f.kind != Kind.ALERT_RESOLVED)

    assert 2 == html(result, firing).count("<rect")


def test_junit_has_one_case_per_criterion_and_skips_what_is_not_known(
    result: RunResult,
) -> None:
    suite = ElementTree.fromstring(junit(result)).find("testsuite")

    assert suite is not None
    assert ("3", "1", "0", "1") == tuple(
        suite.get(k) for k in ("tests", "failures", "errors", "skipped")
    )
    skipped = suite.find("testcase[@name='A postmortem exists']/skipped")
    failure = suite.find("testcase[@name='The change was looked up']/failure")
    assert skipped is not None and "nobody could say" in str(skipped.get("message"))
    assert failure is not None and "names commit" in str(failure.get("message"))


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (RunVerdict.MISSED, "failure"),
        (RunVerdict.UNKNOWN, "error"),
        (RunVerdict.REFUSED, "error"),
        (RunVerdict.ABORTED, "error"),
        (RunVerdict.FAILED, "error"),
    ],
)
def test_junit_is_never_green_for_a_run_that_did_not_pass(verdict: RunVerdict, kind: str) -> None:
    root = ElementTree.fromstring(junit(run_result(verdict)))

    assert root.find(f"testsuite/testcase[@name='the run']/{kind}") is not None


def test_junit_is_xml_whatever_a_reason_holds(result: RunResult) -> None:
    one = replace(result.score.lines[1], reason='bell \x07, null \x00, <&" \ud800')

    ElementTree.fromstring(junit(replace(result, score=Score.of("default", (one,)))))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_says_verdicts_in_words_and_keeps_to_its_width(
    result: RunResult, width: int
) -> None:
    text = shown(result, width)

    assert all(len(line) <= width for line in text.splitlines())
    assert "missed" in text
    assert "unknown" in text


def test_words_that_look_like_markup_are_printed_as_they_are(result: RunResult) -> None:
    finding = StepFinding("[bold]db[/bold]", {}, START)
    marked = replace(result, funnel=(replace(result.funnel[0], finding=finding),))

    assert "[bold]db[/bold]" in shown(marked)
