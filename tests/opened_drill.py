"""A drill's console over the real application, with instruments that answer from memory."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from gameday.diagnosis.instruments import Instruments
from gameday.drivers.database import Database
from gameday.errors import DriverError, PermanentDriverError
from gameday.house.run.drill import DrillIncidents
from gameday.house.run.judgement import Documents
from gameday.house.run.stories import Story
from gameday.house.targets.open_system import OpenSystem
from gameday.incidents.deeplinks import Tools
from gameday.incidents.links import Templates
from gameday.incidents.lookup import Lookup
from gameday.ledger import Ledger
from gameday.model.signals import Deploy, Frame, Profile, Span, Stack, Trace
from gameday.model.slo import Slo
from gameday.ports import Pager, Role
from gameday.server.drill import RunDoor
from gameday.server.listening import free_port, listening
from gameday.testing.telemetry import FakeHistory, FakeMetrics, FakeProfiles, FakeTraces
from gameday.testing.virtual import VirtualClock
from scoring.slo import Objective, workbook_windows
from scoring.timeline import TAKE_BACK, Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ONSET = NOON - timedelta(seconds=40)
MONTH = timedelta(days=30)
RUNBOOK = Path(__file__).resolve().parents[1] / "runbooks" / "checkout-latency.md"
SLO = Slo(
    id="checkout-latency",
    service="storefront",
    objective=Objective(0.99, MONTH),
    good_query='x{le="0.1"}',
    total_query="y",
    windows=workbook_windows(MONTH),
)
INJECTED = "slow-downstream-of-inventory"
"""The name of the fault that the on-call must not see."""


class Shop:
    """A target that can fail over and nothing else."""

    name, time_scale = "shop", 60.0

    async def check(self) -> None: ...

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        if name == TAKE_BACK:
            return "taken back"
        if name != "failover-db":
            raise PermanentDriverError(f"there is no mitigation {name!r}")
        return f"failed over {parameters}"

    async def route_pages(self, url: str) -> None: ...


class Deploys:
    """One deploy, long before."""

    async def deploys(self, *, since: datetime, until: datetime) -> list[Deploy]:
        return [Deploy("checkout", "c0ffee1234567", NOON - timedelta(minutes=20), "eu-west")]


class BurnRates:
    """Burn rates out of memory; everything else an alert source knows is not asked for."""

    def __init__(self, broken: DriverError | None = None) -> None:
        self._broken = broken

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        if self._broken is not None:
            raise self._broken
        return {"5m": 21.5, "1h": 16.2, "6h": None}


def level(signal: str, region: str, at: datetime) -> float:
    """The duration of one region goes up at the onset; nothing else moves."""
    is_slow = region == "eu-west" and at >= ONSET
    return {"rate": 10.0, "errors": 0.0, "duration": 0.45 if is_slow else 0.02}[signal]


def slow_trace(number: int, *, slow: bool = True, name: str = "SELECT stock") -> Trace:
    """A checkout that waits for the database of inventory, or does not."""
    id = f"{number:032x}"
    at = (
        (ONSET + timedelta(seconds=2 + number)) if slow else (ONSET - timedelta(seconds=3 + number))
    )
    whole = timedelta(milliseconds=430 if slow else 20)
    resource = {"cloud.region": "eu-west", "vcs.ref.head.revision": "c0ffee1234567"}

    def span(n: int, parent: int | None, service: str, kind: str, label: str, lost: int) -> Span:
        return Span(
            trace_id=id,
            span_id=f"{n:016x}",
            parent_id=f"{parent:016x}" if parent else None,
            name=label,
            kind=kind,
            service=service,
            started_at=at + timedelta(milliseconds=lost),
            duration=whole - timedelta(milliseconds=2 * lost),
            attributes={"peer.service": "db"} if kind == "client" else {},
            resource=resource,
        )

    return Trace(
        id,
        (
            span(1, None, "storefront", "server", "POST /checkout", 0),
            span(2, 1, "inventory", "server", "POST /reserve", 2),
            span(3, 2, "inventory", "client", name, 4),
        ),
    )


def instruments(
    *, broken: DriverError | None = None, span_name: str = "SELECT stock"
) -> Instruments:
    """The instruments of a slow database; all of them broken where an error is given."""
    bad = [slow_trace(n, name=span_name) for n in range(6)]
    quiet = [slow_trace(100 + n, slow=False, name=span_name) for n in range(6)]
    frames = (Frame("main", "/app/main.py", 1), Frame("Stock.reserve", "/app/stock.py", 12))
    library = Frame("recv_into", "/usr/lib/python3.11/site-packages/psycopg/socket.py", 3)
    profile = Profile((Stack((*frames, library), timedelta(seconds=2)),))
    return Instruments(
        metrics=FakeMetrics(level, ["eu-west", "us-east"], broken=broken),
        alerts=BurnRates(broken),  # type: ignore[arg-type]  # the one method that is asked
        traces=FakeTraces([*bad, *quiet], broken=broken),
        profiles=FakeProfiles({"inventory": profile}),
        code=FakeHistory({}),
    )


PLAN = {
    "faults": [
        {
            "experiment": INJECTED,
            "at_seconds": 0.0,
            "duration_seconds": 300.0,
            "configuration": {"latency": "400ms"},
            "undo": f"undo {INJECTED}",
            "undo_command": "gameday recover",
        }
    ],
    "branches": [
        {
            "long": "1h",
            "short": "5m",
            "burn_rate": 14.4,
            "severity": "page",
            "detects_after_s": 20.0,
            "resets_after_s": 60.0,
            "budget_spent_ratio": 0.02,
        }
    ],
    "expects_alert": True,
    "predicted_seconds": 20.0,
    "due_seconds": 25.0,
    "slo": SLO.id,
    "service": SLO.service,
    "target": "shop",
    "time_scale": 60.0,
}


def story() -> Story:
    """The scenario, with the runbook of its alert."""
    spec = {"slo": SLO.id, "faults": [{"experiment": INJECTED, "duration": "5m"}]}
    scenario = {"metadata": {"name": "slow-db", "severity": "SEV-1"}, "spec": spec}
    documents = Documents(
        scenario=json.dumps(scenario),
        scenario_path="slow-db.yaml",
        slo="",
        slo_path="",
        runbook=RUNBOOK.read_text(encoding="utf-8"),
        runbook_path=str(RUNBOOK),
        rubric="",
    )
    return Story(documents.read_scenario(), SLO, (), documents)


@dataclass
class Desk:
    """A drill's incidents, their console, and browsers for whoever comes in."""

    folder: Path
    instruments: Instruments = field(default_factory=instruments)
    tool: Pager | None = None
    pagerduty_secrets: tuple[str, ...] = ()
    hears_deploys: bool = False
    links: Mapping[str, str] = field(default_factory=dict)
    id: str = "none yet"

    def __post_init__(self) -> None:
        self.clock = VirtualClock(NOON)
        self.store = Database(f"sqlite:///{self.folder / 'runs.db'}")
        self.store.open_run(
            "r1",
            scenario="slow-db",
            target="shop",
            started_at=NOON,
            documents=story().documents.to_mapping(),
        )
        self.ledger = Ledger("r1", store=self.store, clock=self.clock)
        self.ledger.record(Kind.PLAN_MADE, source="conductor", data=PLAN)
        self.ledger.record(
            Kind.FAULT_INJECTED,
            source="conductor",
            data={"fault": INJECTED},
            happened_at=NOON - timedelta(seconds=20),
        )
        self.door = RunDoor(
            free_port(),
            run="r1",
            store=self.store,
            instruments=self.instruments,
            key=b"k" * 32,
            now=self.clock.now,
            pagerduty_secrets=self.pagerduty_secrets,
        )
        system = OpenSystem(
            target=Shop(),  # type: ignore[arg-type]
            alerts=BurnRates(),  # type: ignore[arg-type]
            faults=None,  # type: ignore[arg-type]  # it is in place already
            deploys=Deploys(),
            hears_deploys=self.hears_deploys,
            tools=Tools("http://prom", "http://traces", "http://profiles", links=self.links),
            regions=(),
        )
        self.incidents = DrillIncidents(
            "r1",
            story(),
            system,
            store=self.store.of_run("r1"),
            ledger=self.ledger,
            door=self.door,
            clock=self.clock,
            responder=None,
            tool=self.tool,
            mitigator=system.target,
        )
        self.engine = self.incidents.engine
        self.console = self.door.console(self.incidents.served)
        self.app = self.door.app(self.incidents.served, self.console)

    @property
    def secrets(self) -> Mapping[Role, str]:
        return self.door.secrets

    @property
    def api(self) -> FastAPI:
        """The application, without what counts its answers."""
        app: FastAPI = self.app._app
        return app

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Desk]:
        """Work for as long as the context lasts."""
        try:
            async with self.incidents.running():
                yield self
        finally:
            self.door.close()
            self.store.close()

    def browser(self) -> httpx.AsyncClient:
        """A browser nobody has signed in with."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, raise_app_exceptions=False),
            base_url="http://here",
        )

    async def signed_in(self, role: Role = Role.RESPONDER) -> httpx.AsyncClient:
        """A browser in which a role has signed in."""
        http = self.browser()
        answer = await http.get(f"/console/enter/{self.secrets[role]}")
        assert answer.status_code == 303, answer.text
        return http

    async def page(self, **labels: str) -> None:
        """Let the page come."""
        alert = {
            "status": "firing",
            "labels": {
                "alertname": "CheckoutLatencyBudgetBurn",
                "slo": "checkout-latency",
                "service": "storefront",
                "severity": "page",
                "long_window": "1h",
                **labels,
            },
            "annotations": {"summary": labels.get("summary", "checkout burns its budget")},
            "startsAt": (NOON - timedelta(seconds=5)).isoformat(),
            "fingerprint": "abc",
        }
        path = urlsplit(self.door.webhook).path
        async with self.browser() as http:
            answer = await http.post(path, json={"version": "4", "alerts": [alert]})
        assert answer.status_code == 200, answer.text
        (row,) = await self.engine.listed(limit=10, only_open=False)
        self.id = row.id

    def link(self, view: str) -> str:
        """A deeplink of the page."""
        url = self.incidents.served.link_of(self.id, view, NOON)
        return urlsplit(url).path

    async def send(self, http: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
        """Send a form as its page would."""
        page = await http.get(f"/console/incidents/{self.id}")
        return await http.post(
            f"/console/incidents/{self.id}/{path}", data={"csrf": csrf_of(page.text), **fields}
        )

    def links_opened(self) -> list[tuple[str, str | None]]:
        """Which views were opened by whom; None: nobody known."""
        facts = self.of_kind(Kind.LINK_OPENED)
        assert all(f.data["attributed"] is (f.data["by"] is not None) for f in facts)
        return [(f.data["link"], f.data["by"]) for f in facts]

    def of_kind(self, kind: str) -> list[Fact]:
        return list(self.ledger.timeline.of_kind(kind))


def a_lookup(**known: Any) -> Lookup:
    """What stands around incidents of which only this is known."""

    async def scale(_slo: str) -> float:
        return 60.0

    async def nothing(_incident: object) -> list[Deploy]:
        return []

    said: dict[str, Any] = {
        "destinations": Templates(),
        "runbook": lambda _: None,
        "runbook_text": lambda _: "",
        "slower": lambda _: timedelta(0),
        "time_scale": scale,
        "deploys": nothing,
    }
    return Lookup(**{**said, **known})


def csrf_of(html: str) -> str:
    """The token against forged forms of a page."""
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found is not None, html
    return found.group(1)


@dataclass
class Live:
    """A drill's console on a real port, with the page out, in a thread that has an engine."""

    desk: Desk
    url: str
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Return what is done where the engine runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def say(self, kind: str, **data: Any) -> None:
        self.do(self.desk.engine.say(self.desk.id, kind, data, by="on-call", source="responder"))

    def acknowledge(self) -> None:
        self.say(Kind.ACKNOWLEDGED)

    def incident(self, *rest: str) -> str:
        return "/".join((f"{self.url}/console/incidents/{self.desk.id}", *rest))

    def enter(self, page: Any, role: Role = Role.RESPONDER) -> None:
        page.goto(f"{self.url}/console/enter/{self.desk.secrets[role]}")


@contextmanager
def live_drill(desk: Desk) -> Iterator[Live]:
    """Serve a desk in a thread of its own: a browser's driver has the test's."""
    ready: list[Live] = []
    is_ready, is_over = threading.Event(), threading.Event()

    async def run() -> None:
        listener = desk.door.listener
        async with desk.opened(), listening(desk.app, listener):
            ready.append(Live(desk, desk.door.url, asyncio.get_running_loop()))
            is_ready.set()
            await asyncio.to_thread(is_over.wait)
            desk.console.streams.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert is_ready.wait(60)
        yield ready[0]
    finally:
        is_over.set()
        thread.join(30)
