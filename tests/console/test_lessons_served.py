"""`gameday serve` whole, on a clock that is moved through a month: seen in its console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from closed_incident import NOON, closed_incident

from gameday.drivers.database import Database
from gameday.house.service.serve import ServeSettings, service
from gameday.incidents.access import new_token
from gameday.model.action_item import ActionChange, ActionKind, ActionWord, Filing, action_id
from gameday.ports import Role
from gameday.server.console.service_console import service_console
from gameday.server.gate import Gate
from gameday.server.service import service_app
from gameday.settings import Settings
from gameday.testing.virtual import VirtualClock

pytestmark = pytest.mark.served

DAY = timedelta(days=1)
STEP = timedelta(hours=2)


class Watched:
    """A browser that looks at a console, and the hand that moves its clock."""

    def __init__(self, http: httpx.AsyncClient, token: str, clock: VirtualClock) -> None:
        self._http = http
        self._token = token
        self._clock = clock

    async def got(self, path: str) -> httpx.Response:
        """Return a page; a session lasts for half a day, so that it begins anew."""
        signed = await self._http.post("/console/sign-in", data={"token": self._token})
        assert 303 == signed.status_code, signed.text
        return await self._http.get(f"/console/{path}")

    async def page(self, path: str) -> str:
        answer = await self.got(path)
        assert 200 == answer.status_code, answer.text
        return answer.text

    async def shows(self, path: str, words: str) -> str:
        """Return a page once it shows these words; everybody has real time to do what is due."""
        async with asyncio.timeout(20):
            while words not in (text := await self.page(path)):
                self._clock.advance(timedelta(seconds=1))
                await asyncio.sleep(0.01)
        return text

    async def pass_by(self, span: timedelta) -> None:
        until = self._clock.now() + span
        while self._clock.now() < until:
            self._clock.advance(STEP)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def watched(clock: VirtualClock) -> AsyncIterator[Watched]:
    settings = Settings.from_environment()
    async with service(settings, ServeSettings(), url="http://here", wall=clock) as running:
        token, kept = new_token(Role.OBSERVER, "eyes", now=clock.now())
        running.store.add_token(kept)
        gate = Gate(running.store.tokens)
        with service_console(running, gate, settings=settings, say=lambda _: None) as console:
            app: Any = service_app(
                running.engine,
                gate,
                running.signer,
                link_of=running.link_of,
                lookup=running.lookup,
                console=console,
            )
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
                yield Watched(http, token, clock)


async def prepared(clock: VirtualClock) -> tuple[str, str]:
    """Have an incident and an action item in the service's store; return their ids."""
    store = Database(Settings.from_environment().database_url)
    try:
        incident = await closed_incident(store, clock)
        filing = Filing(cause="c", kind=ActionKind.DETECT, title="Watch the lag", owner="Ops")
        item = action_id(filing.cause, filing.kind)
        found = ActionChange(
            id="f", item=item, word=ActionWord.FOUND, at=clock.now(), by="gameday", filing=filing
        )
        store.change_actions([found])
    finally:
        store.close()
    return incident, item


async def test_a_month_of_lessons_is_seen_in_the_console_each_thing_once() -> None:
    clock = VirtualClock(NOON)
    incident, item = await prepared(clock)
    of_item, of_incident = f"lessons/items/{item}", f"incidents/{incident}"

    async with watched(clock) as eyes:
        draft = await eyes.shows("lessons", "incident, draft")
        await eyes.pass_by(1.2 * DAY)
        await eyes.shows(of_item, "nobody has begun it within a day")
        await eyes.shows(of_incident, "postmortem is due by")
    async with watched(clock) as eyes:  # the next process
        await eyes.pass_by(1.2 * DAY)
        await eyes.shows(of_incident, "postmortem was due by")
        late = await eyes.shows("lessons", "incident, draft, late")
        await eyes.pass_by(5 * DAY)
        await eyes.shows(of_item, "it was due by")
        await eyes.pass_by(24 * DAY)
        month = await eyes.shows(of_item, "it is open after 30 days")
        text = await eyes.page(f"lessons/postmortems/{incident}")
        record = await eyes.page(of_incident)

    assert "Checkouts take too long" in draft
    assert "Watch the lag" in late
    assert [1, 1, 1] == [
        month.count(words) for words in ("within a day", "it was due by", "after 30 days")
    ]
    assert [1, 1] == [record.count(f"postmortem {words} by") for words in ("is due", "was due")]
    assert "# Postmortem: Checkouts take too long" in text
    assert f"gameday postmortem draft {incident}" in text


async def test_what_is_not_there_is_told_on_a_page() -> None:
    async with watched(VirtualClock(NOON)) as eyes:
        empty = await eyes.page("lessons")
        answers = [await eyes.got(f"lessons/{path}") for path in ("items/none", "postmortems/none")]

    assert "No action item is open." in empty and "There is no postmortem yet." in empty
    assert [400, 400] == [answer.status_code for answer in answers]
