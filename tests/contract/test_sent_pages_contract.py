"""Pages that a real Alertmanager sends to us, from its webhook to what a run is told."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import real_programs
from fastapi import FastAPI, HTTPException, Request
from pydantic import SecretStr

from gameday.drivers.sent_pages import SentPages
from gameday.incidents.alerts import alerts_of, has_beat, instant
from gameday.server.listening import free_port, listening
from gameday.server.page_door import PageDoor
from gameday.settings import HookSettings

pytestmark = [pytest.mark.served, pytest.mark.usefixtures("monitoring")]

TOKEN = "pl4nted-token-of-pages"
PATIENCE = 60.0


class Site:
    """An Alertmanager that sends to us, and a run that is told."""

    def __init__(self, folder: Path) -> None:
        ours, its = real_programs.free_ports(2)
        self.folder = folder
        self.alertmanager = f"http://127.0.0.1:{its}"
        self.settings = HookSettings(listen=f"127.0.0.1:{ours}", token=SecretStr(TOKEN))
        self.told: list[dict[str, Any]] = []
        self.denied = self.refused = 0
        self.takes = True
        self.pages = SentPages(
            lambda labels: {**labels, "slo": "s"} if labels.get("alertname") == "Ours" else None,
            instant,
        )

    @property
    def configuration(self) -> str:
        """What its owner writes."""
        return f"""
route: {{receiver: gameday, group_by: [alertname], group_wait: 0s, group_interval: 1s,
  repeat_interval: 2s}}
receivers:
  - name: gameday
    webhook_configs:
      - url: {self.settings.address}/hooks/alertmanager
        http_config: {{authorization: {{credentials: {TOKEN}}}}}
"""

    def fire(self, name: str, *, since: datetime, until: timedelta = timedelta(hours=1)) -> None:
        """Have Prometheus say that an alert fires, or that it is over."""
        alert = {
            "labels": {"alertname": name},
            "startsAt": since.isoformat(),
            "endsAt": (datetime.now(UTC) + until).isoformat(),
        }
        url = f"{self.alertmanager}/api/v2/alerts"
        assert 200 == httpx.post(url, json=[alert], trust_env=False).status_code

    def deny(self) -> None:
        self.denied += 1

    @asynccontextmanager
    async def run(self) -> AsyncIterator[str]:
        """Serve the webhook of a run, which the engine's own parser reads."""
        app = FastAPI()

        @app.post("/hook")
        async def hook(request: Request) -> None:
            if not self.takes:
                self.refused += 1
                raise HTTPException(503)
            payload = json.loads(await request.body())
            arrived_at = datetime.fromisoformat(request.headers["x-gameday-arrived-at"])
            self.told += [
                {"alert": a.name, "slo": a.slo, "over": a.ends_at is not None, "at": arrived_at}
                for a in alerts_of(payload, received_at=datetime.now(UTC))
            ]
            self.told += [{"alert": "Watchdog"}] if has_beat(payload) else []

        listener = free_port()
        async with listening(app, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await asyncio.sleep(0.05)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.told if one["alert"] == name]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    (tmp_path / "alertmanager.yml").write_text(site.configuration)
    program = next(p for n in real_programs.MONITORING[2] if (p := shutil.which(n)))
    argv = [
        program,
        f"--config.file={tmp_path}/alertmanager.yml",
        f"--storage.path={tmp_path}/data",
        f"--web.listen-address={site.alertmanager.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    ready = f"{site.alertmanager}/-/ready"
    with real_programs.running(argv, answers=ready, log=tmp_path / "alertmanager.log"):
        yield site


async def test_a_page_is_told_with_its_end_and_what_was_not_taken_is_sent_again(site: Site) -> None:
    async with site.run() as webhook, PageDoor(site.settings).taking(site.pages.take):
        # First the run, then the page: what began too long before it is left out.
        await site.pages.carry(webhook)
        site.takes = False
        began = datetime.now(UTC)
        site.fire("Ours", since=began)
        await site.until(lambda: site.refused > 0)
        site.takes = True
        await site.until(lambda: bool(site.of("Ours")))
        site.fire("Ours", since=began, until=timedelta(0))
        await site.until(lambda: site.of("Ours")[-1]["over"])

    first = site.of("Ours")[0]
    assert ("s", False) == (first["slo"], first["over"])
    assert began < first["at"] < datetime.now(UTC)


async def test_what_burned_before_is_left_out_and_a_watchdog_beats_every_few_seconds(
    site: Site,
) -> None:
    async with site.run() as webhook, PageDoor(site.settings).taking(site.pages.take):
        long_ago = datetime.now(UTC) - timedelta(minutes=5)
        site.fire("Others", since=long_ago)
        site.fire("Watchdog", since=long_ago)
        await site.pages.carry(webhook)
        await site.until(lambda: len(site.of("Watchdog")) > 1)
        site.fire("New", since=datetime.now(UTC))
        await site.until(lambda: bool(site.of("New")))

    assert [] == site.of("Others")


async def test_an_alertmanager_without_the_token_is_denied_and_nothing_is_told(site: Site) -> None:
    (site.folder / "alertmanager.yml").write_text(site.configuration.replace(TOKEN, "another"))
    httpx.post(f"{site.alertmanager}/-/reload", trust_env=False).raise_for_status()

    async with (
        site.run() as webhook,
        PageDoor(site.settings).taking(site.pages.take, denied=site.deny),
    ):
        await site.pages.carry(webhook)
        site.fire("Ours", since=datetime.now(UTC))
        await site.until(lambda: site.denied > 0)

    assert [] == site.told
