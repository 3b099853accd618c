"""Every page of the console in a real browser: labels, contrast, a phone, the keyboard, live."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import DESKTOP, PATIENCE, Eyes, needs_chromium
from opened_drill import Desk

from gameday.model.page import Finding, Step
from gameday.ports import Role
from gameday.testing.served import served
from scoring.timeline import Kind

# They start a browser: not among the quick ones.
pytestmark = [pytest.mark.sandbox, needs_chromium]


@pytest.fixture
def live(desk: Desk) -> Iterator[str]:
    """The desk's console on a real port, with the page out."""
    asyncio.run(desk.page())
    with served(desk.app) as url:
        yield url
        desk.console.streams.close()


@pytest.fixture
def page(browser: Any, eyes: Eyes) -> Any:
    opened = browser.new_context(viewport=DESKTOP).new_page()
    opened.set_default_timeout(PATIENCE)
    eyes.watch(opened)
    return opened


def enter(page: Any, desk: Desk, url: str, role: Role = Role.RESPONDER) -> None:
    page.goto(f"{url}/console/enter/{desk.doors.secrets[role]}")


def test_every_page_can_be_read_by_everybody(desk: Desk, live: str, page: Any, eyes: Eyes) -> None:
    page.goto(f"{live}/console/sign-in")
    eyes.look(page, "sign-in")
    enter(page, desk, live)
    page.wait_for_selector(".meter")
    eyes.look(page, "paged")
    desk.incident.acknowledge()
    for view in ("red", "traces", "profile", "blame", "runbook"):
        page.goto(f"{live}/console/incidents/drill/{view}")
        if view == "red":
            page.wait_for_selector("#chart-duration[data-drawn]")
        eyes.look(page, view)
        step = {"traces": Step.TRACE, "runbook": Step.MITIGATE}.get(view) or Step(view)
        detail = {"service": "inventory", "downstream": "db", "region": "eu-west"}
        desk.incident.report(Finding(step=step, summary=f"{view} was read", detail=detail))
    page.goto(f"{live}/console/incidents/drill")
    eyes.look(page, "worked-on")
    enter(page, desk, live, Role.OBSERVER)  # whoever is on call is led on to the incident
    page.goto(f"{live}/console/incidents")
    eyes.look(page, "list")
    page.goto(f"{live}/console/incidents/drill/logs")
    eyes.look(page, "not-here")
    enter(page, desk, live, Role.FACILITATOR)
    eyes.look(page, "facilitator")
    page.goto(f"{live}/console/runs")
    eyes.look(page, "runs")

    assert [p for p in eyes.problems if "status of 404" not in p] == []


def test_an_acknowledgement_from_elsewhere_leads_the_open_console_to_red(
    desk: Desk, live: str, page: Any
) -> None:
    enter(page, desk, live)
    page.wait_for_selector(".meter")

    desk.incident.acknowledge()
    page.wait_for_url("**/drill/red")

    assert [f.data for f in desk.of_kind(Kind.LINK_OPENED)] == [{"link": "red"}]


def test_what_others_do_appears_without_a_reload(desk: Desk, live: str, page: Any) -> None:
    enter(page, desk, live, Role.OBSERVER)
    page.wait_for_selector(".meter")
    page.evaluate("window.kept = true")

    desk.incident.note("seen by everybody")
    page.get_by_text("note: seen by everybody").wait_for()

    assert page.evaluate("window.kept") is True


def test_the_keyboard_alone_goes_through_the_funnel(desk: Desk, live: str, page: Any) -> None:
    enter(page, desk, live)
    page.wait_for_selector(".meter")
    page.keyboard.press("n")
    page.wait_for_url("**/drill/red")
    page.keyboard.press("n")
    page.wait_for_url("**/drill/traces")
    page.keyboard.press("5")
    page.wait_for_url("**/drill/runbook")
    page.keyboard.press("m")
    page.keyboard.type("nnn?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("note: nnn?").wait_for()

    assert [f.data["text"] for f in desk.of_kind("incident.noted")] == ["nnn?"]
    assert len(desk.of_kind(Kind.ACKNOWLEDGED)) == 1
    assert [f.data["step"] for f in desk.of_kind(Kind.FINDING)] == ["red"]


def test_the_pages_work_without_javascript(desk: Desk, live: str, browser: Any) -> None:
    page = browser.new_context(viewport=DESKTOP, java_script_enabled=False).new_page()
    page.set_default_timeout(PATIENCE)
    enter(page, desk, live)

    for heading in ("RED of storefront", "Slow and failed traces", "Profile", "Changes", "Fixes"):
        page.click("#next")
        assert heading in page.inner_text("main")
    page.click("#next")

    assert [f.data["ok"] for f in desk.of_kind(Kind.MITIGATION_APPLIED)] == [True]


def test_a_session_resumes_where_a_link_from_elsewhere_came_without_it(
    desk: Desk, live: str, page: Any
) -> None:
    enter(page, desk, live)
    page.wait_for_selector(".meter")

    page.goto(f"{live}/console/sign-in?next=/console/incidents/drill/traces")
    page.wait_for_url("**/drill/traces")
