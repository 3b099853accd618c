"""Every page of the console in a real browser: labels, contrast, a phone, the keyboard, live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import DESKTOP, PATIENCE, Eyes, needs_chromium
from opened_drill import Desk, Live, live_drill
from reading import RIGHT, hand_in

from gameday.model.page import Step
from gameday.ports import Role
from scoring.timeline import Kind

# They start a browser: not among the quick ones.
pytestmark = [pytest.mark.served, needs_chromium]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_drill(Desk(tmp_path)) as opened:
        opened.do(opened.desk.page())
        yield opened


@pytest.fixture
def page(browser: Any, eyes: Eyes) -> Any:
    opened = browser.new_context(viewport=DESKTOP).new_page()
    opened.set_default_timeout(PATIENCE)
    eyes.watch(opened)
    return opened


@pytest.mark.row
def test_every_page_can_be_read_by_everybody(live: Live, page: Any, eyes: Eyes) -> None:
    page.goto(f"{live.url}/console/sign-in")
    eyes.look(page, "sign-in")
    live.enter(page)
    page.wait_for_selector(".meter")
    eyes.look(page, "paged")
    live.acknowledge()
    for view in ("red", "traces", "profile", "blame", "runbook"):
        page.goto(live.incident(view))
        if view == "red":
            page.wait_for_selector("#chart-duration[data-drawn]")
        eyes.look(page, view)
        if page.query_selector(".hint button"):
            page.click(".hint button")
            page.get_by_text("a hint was asked for").wait_for()
            eyes.look(page, f"{view}-hinted")
        step = {"traces": Step.TRACE, "runbook": Step.MITIGATE}.get(view) or Step(view)
        detail = {"service": "inventory", "downstream": "db", "region": "eu-west"}
        live.say(Kind.FINDING, step=str(step), summary=f"{view} was read", detail=detail)
    page.goto(live.incident())
    eyes.look(page, "worked-on")
    live.enter(page, Role.OBSERVER)  # whoever is on call is led on to the incident
    page.goto(f"{live.url}/console/incidents")
    eyes.look(page, "list")
    page.goto(live.incident("logs"))
    eyes.look(page, "not-here")
    live.enter(page, Role.FACILITATOR)
    eyes.look(page, "facilitator")
    page.goto(f"{live.url}/console/runs")
    eyes.look(page, "runs")

    assert [p for p in eyes.problems if "status of 404" not in p] == []


def test_an_acknowledgement_from_elsewhere_leads_the_open_console_to_red(
    live: Live, page: Any
) -> None:
    live.enter(page)
    page.wait_for_selector(".meter")

    live.acknowledge()
    page.wait_for_url("**/red")

    assert live.desk.links_opened() == [("red", "on-call")]


def test_what_others_do_appears_without_a_reload(live: Live, page: Any) -> None:
    live.enter(page, Role.OBSERVER)
    page.wait_for_selector(".meter")
    page.evaluate("window.kept = true")

    live.say(Kind.NOTED, text="seen by everybody")
    page.get_by_text("note: seen by everybody").wait_for()

    assert page.evaluate("window.kept") is True


def test_the_keyboard_alone_goes_through_the_funnel(live: Live, page: Any) -> None:
    live.enter(page)
    page.wait_for_selector(".meter")
    page.focus("#next")
    page.keyboard.press("Enter")
    page.wait_for_url("**/red")
    page.keyboard.press("n")
    page.wait_for_url("**/traces")
    page.keyboard.press("5")
    page.wait_for_url("**/runbook")
    page.keyboard.press("m")
    page.keyboard.type("nnn?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("note: nnn?").wait_for()

    assert [f.data["text"] for f in live.desk.of_kind("incident.noted")] == ["nnn?"]
    assert len(live.desk.of_kind(Kind.ACKNOWLEDGED)) == 1
    assert live.desk.of_kind(Kind.FINDING) == []


def test_the_pages_work_without_javascript(live: Live, browser: Any) -> None:
    page = browser.new_context(viewport=DESKTOP, java_script_enabled=False).new_page()
    page.set_default_timeout(PATIENCE)
    live.enter(page)

    page.click("#next")
    for heading, read in zip(
        ("RED of storefront", "Slow and failed traces", "Profile", "Changes"),
        RIGHT,
        strict=True,
    ):
        assert heading in page.inner_text("main")
        hand_in(page, read)
    assert "Fixes" in page.inner_text("main")
    page.click("#next")

    assert [f.data["ok"] for f in live.desk.of_kind(Kind.MITIGATION_APPLIED)] == [True]


def test_a_session_resumes_where_a_link_from_elsewhere_came_without_it(
    live: Live, page: Any
) -> None:
    live.enter(page)
    page.wait_for_selector(".meter")

    back = f"/console/incidents/{live.desk.id}/traces"
    page.goto(f"{live.url}/console/sign-in?next={back}")
    page.wait_for_url("**/traces")
