"""A drill whose page goes to PagerDuty: what is done there counts for the run, and leads to RED."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from browsing import DESKTOP, PATIENCE, needs_chromium
from opened_drill import NOON, Desk, Live, live_drill

from gameday.drivers.clock import SystemClock
from gameday.drivers.pagerduty import PagerDuty
from gameday.testing.pagerduty import ROUTING_KEY, SECRET, FakePagerDuty, fake_pagerduty
from scoring.expectation import Expectation
from scoring.funnel import phases
from scoring.timeline import Kind

pytestmark = pytest.mark.served


@pytest.fixture
def pagerduty() -> Iterator[FakePagerDuty]:
    with fake_pagerduty() as fake:
        yield fake


@contextmanager
def a_paged_drill(folder: Path, pagerduty: FakePagerDuty) -> Iterator[Live]:
    """Return a drill on PagerDuty, which tells it of everything; its page has been taken."""
    tool = PagerDuty(ROUTING_KEY, clock=SystemClock(), url=pagerduty.url)
    desk = Desk(folder, tool=tool, pagerduty_secrets=(SECRET,))
    with live_drill(desk) as live:
        pagerduty.webhooks[:] = [f"{live.url}/hooks/pagerduty"]
        live.do(desk.page())
        until(lambda: desk.of_kind(Kind.PAGE_DELIVERED))
        # What is done in PagerDuty happens after the page; this clock is moved by hand.
        desk.clock.advance(timedelta(minutes=5))
        yield live


@pytest.fixture
def paged(pagerduty: FakePagerDuty, tmp_path: Path) -> Iterator[Live]:
    with a_paged_drill(tmp_path, pagerduty) as live:
        yield live


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_trigger_arrives_with_the_four_links_and_the_mark_of_a_drill(
    paged: Live, pagerduty: FakePagerDuty
) -> None:
    [event] = pagerduty.events

    assert ("trigger", paged.desk.id) == (event["event_action"], event["dedup_key"])
    assert event["payload"]["summary"].startswith("[DRILL] ")
    links = {link["text"]: link["href"] for link in event["links"]}
    assert ["RED", "Traces", "Profile", "Runbook"] == list(links)
    assert all(href.startswith(f"{paged.url}/go/") for href in links.values())
    assert event["client_url"] == f"{paged.url}/console/incidents/{paged.desk.id}"
    assert not any(secret in str(event) for secret in paged.desk.secrets.values())


def test_an_ack_in_pagerduty_is_the_responders_at_pagerdutys_time_to_the_millisecond(
    paged: Live, pagerduty: FakePagerDuty
) -> None:
    desk = paged.desk

    at = pagerduty.acknowledge(desk.id, at=NOON + timedelta(seconds=17, microseconds=123_999))

    until(lambda: desk.of_kind(Kind.ACKNOWLEDGED))
    [acked] = desk.of_kind(Kind.ACKNOWLEDGED)
    assert NOON + timedelta(seconds=17, milliseconds=123) == at == acked.happened_at
    assert ("Ann", True) == (acked.data["by"], acked.data["by_person"])
    expected = Expectation(slo="checkout-latency", service="storefront")
    judged = phases(desk.ledger.timeline, expected)["acked"]
    assert (at, 17.123, "met") == (judged.at, judged.seconds_from_page, judged.verdict)
    assert acked.id in [f.id for f in desk.store.facts("r1")]


def test_an_ack_by_automation_is_none(paged: Live, pagerduty: FakePagerDuty) -> None:
    desk = paged.desk

    pagerduty.acknowledge(desk.id, by=None)

    until(lambda: [f for f in desk.of_kind(Kind.PAGER_SAID) if "acknowledged" in f.data["said"]])
    assert [] == desk.of_kind(Kind.ACKNOWLEDGED)


def test_reassigning_and_resolving_there_is_on_record(
    paged: Live, pagerduty: FakePagerDuty
) -> None:
    desk = paged.desk

    pagerduty.reassign(desk.id, "Bob")
    pagerduty.resolve(desk.id)

    until(lambda: desk.of_kind(Kind.ACKNOWLEDGED))
    [taken] = desk.of_kind(Kind.ROLE_TAKEN)
    assert ("on-call", "Bob") == (taken.data["role"], taken.data["name"])
    # The alert still fires: resolving there is the word of somebody who has looked at it.
    [acked] = desk.of_kind(Kind.ACKNOWLEDGED)
    assert "it stays open" in acked.data["text"]


def test_an_ack_in_the_console_is_told_to_pagerduty_and_comes_back_as_no_second_one(
    paged: Live, pagerduty: FakePagerDuty
) -> None:
    desk = paged.desk

    paged.acknowledge()
    paged.do(desk.engine.tick())

    until(lambda: [e["event_action"] for e in pagerduty.events] == ["trigger", "acknowledge"])
    until(lambda: len(pagerduty.answers) >= 2)
    assert ["on-call"] == [f.data["by"] for f in desk.of_kind(Kind.ACKNOWLEDGED)]


def test_a_drill_that_ends_is_resolved_in_pagerduty(
    pagerduty: FakePagerDuty, tmp_path: Path
) -> None:
    tool = PagerDuty(ROUTING_KEY, clock=SystemClock(), url=pagerduty.url)
    desk = Desk(tmp_path, tool=tool)
    with live_drill(desk) as live:
        live.do(desk.page())
        until(lambda: desk.of_kind(Kind.PAGE_DELIVERED))

    assert ["trigger", "resolve"] == [e["event_action"] for e in pagerduty.events]
    assert "resolved" == pagerduty.incidents[desk.id].status


def seconds_to_red(live: Live, pagerduty: FakePagerDuty, browser: Any, where: str) -> float:
    """Acknowledge; return the seconds until the responder's open browser shows RED."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    live.enter(page)
    page.wait_for_selector(".meter")

    began = time.monotonic()
    if where == "PagerDuty":
        pagerduty.acknowledge(live.desk.id, at=NOON + timedelta(seconds=20))
    else:
        page.click("#next", no_wait_after=True)
    page.wait_for_url("**/red", wait_until="commit")
    page.wait_for_selector("#chart-duration")
    took = time.monotonic() - began

    until(live.desk.links_opened)
    context.close()
    return took


@needs_chromium
@pytest.mark.parametrize("where", ["PagerDuty", "the console"])
def test_red_opens_by_itself_in_the_responders_browser(
    paged: Live, pagerduty: FakePagerDuty, browser: Any, where: str
) -> None:
    seconds_to_red(paged, pagerduty, browser, where)

    assert [("red", "on-call")] == paged.desk.links_opened()


@needs_chromium
@pytest.mark.long
@pytest.mark.parametrize("where", ["PagerDuty", "the console"])
def test_red_is_there_within_two_seconds_of_the_ack(
    pagerduty: FakePagerDuty, browser: Any, tmp_path: Path, where: str
) -> None:
    took = []
    for number in range(10):
        with a_paged_drill(tmp_path / str(number), pagerduty) as live:
            took.append(seconds_to_red(live, pagerduty, browser, where))

    shown = ", ".join(f"{seconds:.2f}" for seconds in sorted(took))
    print(f"from the ack in {where} to RED: median {median(took):.2f} s of {shown}")
    assert median(took) <= 2
