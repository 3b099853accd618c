"""The far side of a simulated page: the server of a run, and the people who answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any

from gameday.errors import GamedayError
from gameday.house.processes.silent import Silent
from gameday.house.run.drill import Served
from gameday.incidents.engine import Engine
from gameday.model.notification import Action, Notification, Receipt
from gameday.model.page import Finding, Page, Step
from gameday.testing.failures import Calls
from gameday.testing.machine import Machine, Process
from scoring.timeline import Kind

__all__ = ["Character", "OnCall", "RehearsalDoor"]

BASE_URL = "http://rehearsal.invalid"
ANSWERED_WITHIN = 10.0
"""Seconds after which somebody who waits for the run's server gives up."""

ON_CALL = "on-call"
LINKS = {Step.RED: "red", Step.TRACE: "traces", Step.PROFILE: "profile"}

Work = Callable[[Engine], Awaitable[Any]]


class RehearsalDoor:
    """Serves the incidents of a run from the run's process, as HTTP does.

    What is asked of a frozen process waits; of a dead one it is never answered.
    """

    url = BASE_URL
    people_url = BASE_URL
    webhook = f"{BASE_URL}/hooks/alertmanager/rehearsal"
    token = "rehearsal"
    key = b"drawn from the machine otherwise"

    def __init__(self, machine: Machine, process: Process) -> None:
        self._machine = machine
        self._process = process
        self._engine: Engine | None = None
        self._requests: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def serving(self, served: Served) -> AsyncIterator[None]:
        """Serve for as long as the context lasts."""
        self._engine = served.engine
        try:
            yield
        finally:
            self._engine = None

    def end(self) -> None:
        """Drop the requests that are still being answered, as a process does that ends."""
        for request in self._requests:
            request.cancel()

    def deliver(self, payload: Mapping[str, Any], told: Callable[[bool], None]) -> None:
        """Hand a webhook's payload over and tell whether it was taken."""

        async def take() -> None:
            engine = self._engine
            if engine is None:
                told(False)
                return
            try:
                await engine.hook(payload)
            except GamedayError:
                told(False)
            else:
                told(True)

        if self._process.is_alive:
            self._requests.append(self._process.start(take()))

    async def ask(self, work: Work) -> Any:
        """Return what the run's process answers to a request.

        Raises:
            ConnectionError: nobody listens, or the request was refused.
            TimeoutError: there is no answer.
        """
        if not self._process.is_alive or self._engine is None:
            raise ConnectionError("nobody listens")
        engine = self._engine
        answer: asyncio.Future[Any] = self._machine.create_future()

        async def serve() -> None:
            try:
                said = await work(engine)
            except GamedayError as error:
                said = ConnectionError(str(error))
            if not answer.done():
                answer.set_result(said)

        self._requests.append(self._process.start(serve()))
        async with asyncio.timeout(ANSWERED_WITHIN):
            said = await answer
        if isinstance(said, ConnectionError):
            raise said
        return said


class Character(StrEnum):
    """How somebody on call behaves."""

    PROMPT = "prompt"
    SLOW = "slow"
    ABSENT = "absent"
    CRASHES = "crashes"  # half-way through the funnel
    WRONG = "wrong"  # blames another service, and tries a mitigation that does not exist
    EAGER = "eager"  # mitigates twice at once


class OnCall(Silent):
    """A `gameday.ports.Responder` in a process of its own.

    Args:
        calls: the run's, of which handing over a page is one.
        mitigation: what helps.
        service: the culprit, as a good responder finds it.
    """

    name = "the on-call"

    def __init__(
        self,
        machine: Machine,
        door: RehearsalDoor,
        character: Character,
        *,
        calls: Calls,
        mitigation: str,
        service: str,
    ) -> None:
        super().__init__(machine.clock)
        self._machine = machine
        self._door = door
        self._character = character
        self._calls = calls
        self._mitigation = mitigation
        self._service = service
        self._process = machine.process("responder")
        self._done: asyncio.Future[tuple[int, str]] = machine.create_future()
        self._is_paged = False

    async def page(self, notification: Notification) -> Receipt:
        """Hand the page over; a second page, of any key, changes nothing."""
        page = notification.page
        assert page is not None, "a responder is given the whole page"

        async def begun() -> None:
            if not self._is_paged and self._process.is_alive:
                self._is_paged = True
                work = self._work(page, incident=notification.key)
                self._process.start(work)

        await self._calls.asked("responder.page", begun)
        return self.receipt(Action.PAGE, notification)

    async def ended(self) -> tuple[int, str]:
        """Return the exit code and the last words."""

        async def ended() -> tuple[int, str]:
            return await asyncio.shield(self._done)

        code, words = await self._calls.asked("responder.ended", ended)
        return int(code), str(words)

    async def leave(self) -> None:
        """Kill the responder's process."""
        self._process.kill()

    async def _work(self, page: Page, *, incident: str) -> None:
        code, words = 0, "bye"
        try:
            await self._walk(page, incident)
        except (ConnectionError, TimeoutError) as error:
            code, words = 1, str(error)
        if not self._done.done():
            self._done.set_result((code, words))

    async def _walk(self, page: Page, incident: str) -> None:
        pace = timedelta(seconds=8 if self._character is Character.SLOW else 1)
        sleep = self._machine.clock.sleep

        async def say(kind: str, data: Mapping[str, Any]) -> None:
            await self._door.ask(
                lambda e: e.say(incident, kind, data, by=ON_CALL, source="responder")
            )

        async def opens(view: str) -> None:
            await self._door.ask(lambda e: e.opened(incident, view, by=ON_CALL))

        async def mitigate(name: str) -> None:
            await self._door.ask(lambda e: e.mitigate(incident, name, {}, by=ON_CALL))

        async def report(step: Step) -> None:
            await say(Kind.FINDING, self._finding(step, page).model_dump(mode="json"))

        if self._character is Character.ABSENT:
            await self._machine.create_future()
        await sleep(pace)
        await say(Kind.ACKNOWLEDGED, {})
        for step in (Step.RED, Step.TRACE, Step.PROFILE, Step.BLAME):
            await sleep(pace)
            if step in LINKS:
                await opens(LINKS[step])
            await report(step)
            if self._character is Character.CRASHES and step is Step.TRACE:
                raise ConnectionError("a defect of the responder")
        await opens("runbook")
        await say(Kind.RUNBOOK_STEP, {"step": "check", "done": True, "note": ""})
        names = {
            Character.WRONG: ["reboot-everything", self._mitigation],
            Character.EAGER: [self._mitigation, self._mitigation],
        }.get(self._character, [self._mitigation])
        await sleep(pace)
        await report(Step.MITIGATE)
        if self._character is Character.EAGER:
            await asyncio.gather(*map(mitigate, names))
        else:
            for name in names:
                with suppress(TimeoutError):
                    await mitigate(name)
        await sleep(pace)

    def _finding(self, step: Step, page: Page) -> Finding:
        wrong = self._character is Character.WRONG
        service = "web" if wrong else self._service
        detail: dict[Step, dict[str, Any]] = {
            Step.RED: {"moved": ["errors"], "shape": "plateau", "onset": page.fired_at.isoformat()},
            Step.TRACE: {"service": service, "downstream": "db", "span": "SELECT", "traces": ["a"]},
            Step.PROFILE: {"trace_id": "a", "function": "wait", "off_cpu": True},
            Step.BLAME: {"explained": False},
            Step.MITIGATE: {"mitigation": self._mitigation, "parameters": {}},
        }
        return Finding(step=step, summary=f"{step}: {service}", detail=detail[step])
