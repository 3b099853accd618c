"""Who reads is who scores: a person's drill in a browser, by what they read themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from browsing import DESKTOP, PATIENCE, needs_chromium
from opened_drill import Desk, Live, live_drill
from reading import RIGHT, hand_in

from scoring.expectation import Culprit, Expectation
from scoring.rubric import Rubric
from scoring.scorecard import judge
from scoring.timeline import Kind

# They start a browser: not among the quick ones.
pytestmark = [pytest.mark.served, needs_chromium]

REPOSITORY = Path(__file__).resolve().parents[2]
RUBRIC = Rubric.from_mapping(
    yaml.safe_load((REPOSITORY / "scoring/rubrics/default.yaml").read_text(encoding="utf-8"))
)
EXPECTED = Expectation(
    slo="checkout-latency",
    service="storefront",
    culprit=Culprit("inventory", "db", region="eu-west"),
    mitigations=("failover-db",),
)
VIEWS = ("red", "traces", "profile", "blame")
READ = ("red", "trace", "profile", "blame")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_drill(Desk(tmp_path)) as opened:
        opened.desk.ledger.record(Kind.RUN_STARTED, source="conductor", data={"responder": "human"})
        opened.do(opened.desk.page())
        yield opened


@pytest.fixture
def page(browser: Any, live: Live) -> Any:
    opened = browser.new_context(viewport=DESKTOP).new_page()
    opened.set_default_timeout(PATIENCE)
    live.enter(opened)
    opened.wait_for_selector(".meter")
    return opened


def points(live: Live) -> dict[str, float]:
    """What reading right earns by the default rubric, whenever it was, at the four steps."""
    lines = judge(live.desk.ledger.timeline, EXPECTED, RUBRIC).score.lines
    return {line.criterion: line.points for line in lines if line.criterion in READ}


def test_six_presses_of_n_lead_through_the_views_and_hand_in_nothing(live: Live, page: Any) -> None:
    for view in (*VIEWS, "runbook", "runbook"):
        page.keyboard.press("n")
        page.wait_for_url(f"**/{view}")

    assert live.desk.of_kind(Kind.FINDING) == []
    assert live.desk.of_kind(Kind.HINT_ASKED) == []
    assert live.desk.of_kind(Kind.ACKNOWLEDGED) == []
    assert live.desk.of_kind(Kind.MITIGATION_STARTED) == []


@pytest.mark.parametrize("checked", [True, False], ids=["as it is", "past the browser's check"])
def test_whoever_reads_nothing_and_submits_what_stands_there_scores_nothing(
    live: Live, page: Any, checked: bool
) -> None:
    for view in VIEWS:
        page.goto(live.incident(view))
        if not checked:
            page.evaluate("document.getElementById('finding').noValidate = true")
        page.click('#finding button[type="submit"]')

    assert points(live) == dict.fromkeys(READ, 0.0)


def test_whoever_reads_right_has_every_point(live: Live, page: Any) -> None:
    page.click("#next")
    for view, read in zip(VIEWS, RIGHT, strict=True):
        page.wait_for_url(f"**/{view}")
        hand_in(page, read)
    page.wait_for_url("**/runbook")

    assert points(live) == {"red": 3.0, "trace": 10.0, "profile": 7.0, "blame": 7.0}


def test_whoever_asks_for_each_hint_has_half_of_each(live: Live, page: Any) -> None:
    page.click("#next")
    for view, read in zip(VIEWS, RIGHT, strict=True):
        page.wait_for_url(f"**/{view}")
        page.click(".hint button")
        page.get_by_text("a hint was asked for").wait_for()
        hand_in(page, read)
    page.wait_for_url("**/runbook")

    assert points(live) == {"red": 1.5, "trace": 5.0, "profile": 3.5, "blame": 3.5}
