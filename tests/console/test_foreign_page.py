"""What a page of somebody else does in the browser of whoever plays a drill: nothing.

The victim is signed in to the run's console and the service's, and has the tools open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from attacker import (
    ALL_WAYS,
    FORM,
    QUICK_WAYS,
    REBOUND,
    Attacker,
    Route,
    calls_of,
    served,
    shown,
)
from browsing import ARGUMENTS, CHROMIUM, PATIENCE, needs_chromium
from drill_that_goes_on import CHANGES, Drill, incident_of, paged_drill
from fastapi.routing import APIRoute
from opened_drill import Desk
from starlette.routing import Mount
from starlette.routing import Route as Path_

from gameday.drivers.kubernetes import Cluster, Fences
from gameday.drivers.kubernetes.door import ServiceDoor
from gameday.drivers.kubernetes.transport import Answer
from gameday.house.targets.sandbox import pages
from gameday.http.keys import auth_for
from gameday.sandbox.pods.mailbox import Mailbox
from gameday.sandbox.pods.mailbox import create_app as mailbox_app
from gameday.sandbox.proxy.api import ROUTES
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor.control import create_app as control_app
from gameday.sandbox.telemetry.app import create_app as telemetry_app

pytestmark = [needs_chromium, pytest.mark.row]

REFUSALS = {400, 401, 403, 404, 405, 415, 421}
STREAMS = ("/console/incidents/events",)


@pytest.fixture
def drill(sandbox: SandboxState, tmp_path: Path) -> Iterator[Drill]:
    with paged_drill(tmp_path, sandbox) as found:
        yield found


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium as the attacker likes it: names of theirs lead here, and nothing is asked first."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[
                *ARGUMENTS,
                f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
                "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights",
                "--disable-popup-blocking",
            ],
        )
        yield opened
        opened.close()


def attended(drill: Drill) -> dict[str, str]:
    """Return the incident that the victim attends to at the run, and at the service."""
    return {
        drill.run_url: incident_of(drill.run_url, drill.run_token, is_drill=True),
        drill.serve_url: incident_of(drill.serve_url, drill.serve_token, is_drill=False),
    }


def victim(browser: Any, drill: Drill) -> Any:
    """A browser whose owner is signed in to both consoles and has the tools open."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{drill.run_url}/console/enter/{drill.run_token}")
    assert "/console/incidents/" in page.url
    page.goto(f"{drill.serve_url}/console/sign-in")
    page.get_by_label("token").fill(drill.serve_token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/incidents")
    for url in pages(drill.sandbox).values():
        page.goto(url, wait_until="commit")
    page.close()
    return context


# --- what there is to attack -----------------------------------------------------------------


def filled(path: str, known: Mapping[str, str]) -> str:
    """Return a route's path with its parts filled in."""
    for name, value in known.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, path
    return path


def routes_of(app: Any, url: str, known: Mapping[str, str], *, before: str = "") -> Iterator[Route]:
    for route in app.routes:
        if isinstance(route, Mount):
            yield from routes_of(route.app, url, known, before=before + route.path)
        elif isinstance(route, Path_ | APIRoute):
            for method in (route.methods or {"GET"}) - {"HEAD"}:
                yield Route(method, url + filled(before + route.path, known))


class Door:
    """A door into a cluster that notes what reaches it; fulfils the transport's protocol."""

    server = "https://noted:6443"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __enter__(self) -> Door:
        cluster = Cluster(self, context="sim", fences=Fences(("sim",), ("shop",)))  # type: ignore[arg-type]
        self._door = ServiceDoor(
            cluster, namespace="shop", service="mailbox", port=9094, token="t" * 32
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def ask(self, method: str, target: str, **_: Any) -> Answer:
        self.asked.append(f"{method} {target}")
        return Answer(200, {}, b"{}")

    def routes(self) -> dict[str, list[Route]]:
        """Return what a mailbox takes, and what of the shop's own can be reached likewise."""
        folder = Path(__file__)
        app = mailbox_app(Mailbox(), folder=folder)
        url = self._door.url
        return {url: [*routes_of(app, url, {}), *(Route(m, url + path) for m, path in CHANGES)]}


def apis(drill: Drill, folder: Path) -> dict[str, list[Route]]:
    """Return all that every API of ours takes, as the product itself lists it."""
    desk, own = Desk(folder), drill.sandbox
    desk.door.close()
    desk.store.close()
    service = {"step": "red", "secret": "evil", "token": "evil", "version": "1", "name": "red"}
    control = {"name": "prometheus", "verb": "stop"}
    hop = {"proxy": "inventory-db-eu-west", "toxic": "evil"}
    (note,) = (drill.state / "incidents").glob("*.json")
    said = {
        url: list(routes_of(desk.api, url, service | {"incident": incident, "run": note.stem}))
        for url, incident in attended(drill).items()
    }
    said[own.control_url] = list(routes_of(control_app(None), own.control_url, control))  # type: ignore[arg-type]
    said[own.proxy_url] = [Route(m, own.proxy_url + filled(p, hop)) for m, p, _ in ROUTES]
    said[own.store_url] = list(routes_of(telemetry_app(), own.store_url, {"trace_id": "1"}))
    for gate in (own.prometheus_url, own.alertmanager_url):
        said[gate] = [
            Route(m, gate + path) for m, path in CHANGES if "/api/" in path or "/-/" in path
        ]
        said[gate] += [Route("GET", f"{gate}{p}") for p in ("/", "/api/v2/status", "/graph")]
    return said


def further(drill: Drill, known: Mapping[str, Sequence[Route]]) -> list[Route]:
    """Return what is tried at every other port that anything of ours listens on."""
    named = {int(url.rpartition(":")[2]) for url in known}
    ports = [port for port in drill.ports() if port not in named]
    return [Route(m, f"http://127.0.0.1:{port}{path}") for port in ports for m, path in CHANGES]


# --- the tests -------------------------------------------------------------------------------


def test_a_page_of_another_origin_changes_nothing_and_reads_nothing(
    drill: Drill, browser: Any, tmp_path: Path
) -> None:
    with Door() as door:
        known = apis(drill, tmp_path) | door.routes()
        context = victim(browser, drill)
        attack(drill, context, known)
        assert [] == door.asked
    changed_by_own_pages(drill, context)


def attack(drill: Drill, context: Any, known: Mapping[str, Sequence[Route]]) -> None:
    """Try all of it, and see that nothing came of it."""
    own = [route for routes in known.values() for route in routes]
    attacker = Attacker(context.new_page())
    before = drill.condition()

    with served() as port:
        # Of the same host, to which the victim's cookies go along; and of a host of its own.
        homes = [f"http://127.0.0.1:{port}/", f"http://attacker.localhost:{port}/"]
        attacker.page.goto(homes[0])
        attacker.call(
            calls_of(own, ways=ALL_WAYS) + calls_of(further(drill, known), ways=QUICK_WAYS)
        )
        attacker.embed(
            gets=[r.url for r in own if r.is_get and not r.url.endswith("/events")],
            posts=[r.url for r in own if not r.is_get],
            streams=[url + path for url in known for path in STREAMS],
        )
        attacker.page.goto(homes[1])
        attacker.call(calls_of(own, ways=QUICK_WAYS))
        for url in known:
            attacker.rebind(url)
            rebound = [Route(r.method, r.url.replace("127.0.0.1", REBOUND)) for r in known[url]]
            attacker.call(calls_of([r for r in rebound if not r.is_get], ways=QUICK_WAYS))
        for url in (drill.run_url, drill.serve_url):
            incident = next(
                r.url for r in known[url] if r.url.endswith("/ack") and "console" in r.url
            )
            attacker.leave_for(homes[0], incident, form=FORM)
            attacker.leave_for(homes[0], incident.removesuffix("ack") + "open/red")
            attacker.leave_for(homes[0], f"{url}/console/sign-out", form=FORM)
        for url in (drill.sandbox.control_url, drill.sandbox.proxy_url):
            attacker.leave_for(homes[0], f"{url}/restore", form=FORM)
            attacker.leave_for(homes[0], f"{url}/reset", form=FORM)

    assert before == drill.condition()
    assert [] == attacker.read, shown(attacker.read)
    changing = [a for a in attacker.answers if a[0] not in ("GET", "OPTIONS")]
    taken = [a for a in changing if a[2] not in REFUSALS and f":{port}/" not in a[1]]
    assert [] == taken, shown(taken)
    refused = {url for url in known for _, asked, _ in changing if asked.startswith(url)}
    assert set(known) == refused
    assert len(changing) > 5 * len([r for r in own if not r.is_get]), len(changing)


def changed_by_own_pages(drill: Drill, context: Any) -> None:
    """See that the same does change it from where it may come, so that the attack can fail."""
    before, control, page = drill.condition(), drill.sandbox.control_url, context.new_page()
    for url, incident in attended(drill).items():
        page.goto(f"{url}/console/incidents/{incident}")
        page.locator("#note").fill("said by its own page")
        with page.expect_navigation():
            page.locator("#note").evaluate("(field) => field.form.submit()")
    page.goto(f"{control}/status")
    rules = f"{control}/rules/own-page"
    statuses = [
        page.evaluate(PUT, {"url": rules, "token": token, "body": "groups: []\n"})
        for token in ("guessed", drill.sandbox.token)
    ]
    after = drill.condition()
    auth = auth_for(control)
    httpx.delete(rules, auth=auth, trust_env=False).raise_for_status()

    assert [401, 200] == statuses
    assert {"rules", "run", "served"} == {part for part in before if before[part] != after[part]}


PUT = """
async ({url, token, body}) => {
  const headers = {"content-type": "application/yaml", authorization: "Bearer " + token};
  return (await fetch(url, {method: "PUT", headers, body})).status;
}
"""
