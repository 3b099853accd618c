"""The tools behind the links of a page, in the browser of somebody who has the link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE, needs_chromium
from drill_that_goes_on import Drill, asked, incident_of, paged_drill

from gameday.house.targets.sandbox import pages
from gameday.sandbox.state import SandboxState

pytestmark = [needs_chromium, pytest.mark.row]

VIEWS = ("red", "traces", "profile", "runbook")


@pytest.fixture
def drill(sandbox: SandboxState, tmp_path: Path) -> Iterator[Drill]:
    with paged_drill(tmp_path, sandbox) as found:
        yield found


class Tab:
    """A page of a browser of its own, and what it was refused."""

    def __init__(self, browser: Any) -> None:
        self.page = browser.new_context().new_page()
        self.page.set_default_timeout(PATIENCE)
        self.problems: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("response", self._look)

    def _hear(self, message: Any) -> None:
        # JSON is no page of ours, and names no icon: the browser asks for one by itself.
        if message.type == "error" and "/favicon.ico" not in message.location["url"]:
            self.problems.append(message.text)

    def _look(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {response.url}")

    def shows(self, url: str, what: str) -> str:
        """Go there, and return where that led once this is to be seen."""
        self.page.goto(url)
        self.page.locator(what).first.wait_for()
        return str(self.page.url)

    def draws(self, url: str) -> tuple[str, list[Any]]:
        """Go to a graph, and return where that led and the series its page asked for."""
        with self.page.expect_response(lambda r: "/api/v1/query_range" in r.url) as answered:
            self.page.goto(url)
        return str(self.page.url), answered.value.json()["data"]["result"]

    def reads(self, url: str) -> str:
        """Go to what is no page for people, and return what it says."""
        self.page.goto(url)
        return str(self.page.inner_text("body"))


def test_the_links_of_a_page_open_its_tools_for_whoever_has_them(
    drill: Drill, browser: Any
) -> None:
    own = drill.sandbox
    incident = incident_of(drill.run_url, drill.run_token, is_drill=True)
    links = asked(f"{drill.run_url}/api/incidents/{incident}", drill.run_token)["links"]
    fresh, signed_in, stranger = Tab(browser), Tab(browser), Tab(browser)

    red, series = fresh.draws(links["red"])
    led = {
        "red": red,
        "traces": fresh.shows(links["traces"], "h1"),
        "profile": fresh.shows(links["profile"], ".ice div"),
    }
    runbook = fresh.shows(links["runbook"], "text=Likely causes")
    for url in pages(own).values():
        signed_in.page.goto(url)
    telemetry = signed_in.reads(f"{own.store_url}/api/v3/services")
    signed_in.page.goto(f"{drill.run_url}/console/enter/{drill.run_token}")
    views = {view: signed_in.shows(links[view], "main h2") for view in VIEWS}
    refused = {url: stranger.page.goto(url).status for url in (*led.values(), own.alertmanager_url)}

    tools = {"red": own.prometheus_url, "traces": own.store_url, "profile": own.store_url}
    assert all(led[view].startswith(url) for view, url in tools.items()), led
    assert not any("key=" in url for url in led.values())
    assert series and runbook == links["runbook"]
    assert "storefront" in telemetry
    console = f"{drill.run_url}/console/incidents/{incident}"
    assert {view: f"{console}/{view}" for view in VIEWS} == views
    assert {401} == set(refused.values())
    assert [] == [*fresh.problems, *signed_in.problems]
