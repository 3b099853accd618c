"""The far side of a simulated page: the server of an incident, and the people who answer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from operator import methodcaller
from typing import Any

from gameday.errors import GamedayError
from gameday.incidents import Incident
from gameday.model.page import Finding, Page, Step
from gameday.ports import ResponderSession
from gameday.testing.failures import Calls
from gameday.testing.machine import Machine, Process

__all__ = ["Character", "IncidentServer", "OnCall"]

BASE_URL = "http://rehearsal.invalid"
ANSWERED_WITHIN = 10.0
"""Seconds after which somebody who waits for the run's server gives up."""

LINKS = {Step.RED: "red", Step.TRACE: "traces", Step.PROFILE: "profile"}

Work = Callable[[Incident], Any | Awaitable[Any]]


class IncidentServer:
    """Serves the incident of a run from the run's process, as HTTP does.

    What is asked of a frozen process waits; of a dead one it is never answered.
    """

    def __init__(self, machine: Machine, process: Process) -> None:
        self._machine = machine
        self._process = process
        self._incident: Incident | None = None
        self._requests: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def serve(self, incident: Incident, hook: str) -> AsyncIterator[str]:
        """Serve an incident for as long as the context lasts."""
        incident.token = "rehearsal"  # drawn from the machine's entropy otherwise
        self._incident = incident
        try:
            yield BASE_URL
        finally:
            self._incident = None

    def end(self) -> None:
        """Drop the requests that are still being answered, as a process does that ends."""
        for request in self._requests:
            request.cancel()

    def deliver(self, payload: Mapping[str, Any], told: Callable[[bool], None]) -> None:
        """Hand a webhook's payload over and tell whether it was taken."""

        async def take() -> None:
            incident = self._incident
            if incident is None:
                told(False)
                return
            try:
                incident.receive(payload)
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
        if not self._process.is_alive or self._incident is None:
            raise ConnectionError("nobody listens")
        incident = self._incident
        answer: asyncio.Future[Any] = self._machine.create_future()

        async def serve() -> None:
            try:
                said = work(incident)
                said = await said if inspect.isawaitable(said) else said
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


@dataclass(slots=True)
class _Session:
    done: asyncio.Future[tuple[int, str]]
    calls: Calls

    async def ended(self) -> tuple[int, str]:
        """Return the exit code and the last words."""

        async def ended() -> tuple[int, str]:
            return await asyncio.shield(self.done)

        code, words = await self.calls.asked("responder.ended", ended)
        return int(code), str(words)


class OnCall:
    """A `gameday.ports.Responder` in a process of its own.

    Args:
        calls: the run's, of which handing over a page is one.
        mitigation: what helps.
        service: the culprit, as a good responder finds it.
    """

    def __init__(
        self,
        machine: Machine,
        server: IncidentServer,
        character: Character,
        *,
        calls: Calls,
        mitigation: str,
        service: str,
    ) -> None:
        self._machine = machine
        self._server = server
        self._character = character
        self._calls = calls
        self._mitigation = mitigation
        self._service = service

    @asynccontextmanager
    async def answer(self, page: Page) -> AsyncIterator[ResponderSession]:
        """Hand the page over; the responder's process is killed when the context is left."""
        process = self._machine.process("responder")
        done: asyncio.Future[tuple[int, str]] = self._machine.create_future()

        async def started() -> None:
            process.start(self._work(page, done))

        try:
            await self._calls.asked("responder.answer", started)
            yield _Session(done, self._calls)
        finally:
            process.kill()

    async def _work(self, page: Page, done: asyncio.Future[tuple[int, str]]) -> None:
        code, words = 0, "bye"
        try:
            await self._walk(page)
        except (ConnectionError, TimeoutError) as error:
            code, words = 1, str(error)
        if not done.done():
            done.set_result((code, words))

    async def _walk(self, page: Page) -> None:
        pace = timedelta(seconds=8 if self._character is Character.SLOW else 1)
        sleep, ask = self._machine.clock.sleep, self._server.ask
        if self._character is Character.ABSENT:
            await self._machine.create_future()
        await sleep(pace)
        await ask(methodcaller("acknowledge"))
        for step in (Step.RED, Step.TRACE, Step.PROFILE, Step.BLAME):
            await sleep(pace)
            if step in LINKS:
                await ask(methodcaller("open_link", LINKS[step]))
            await ask(methodcaller("report", self._finding(step, page)))
            if self._character is Character.CRASHES and step is Step.TRACE:
                raise ConnectionError("a defect of the responder")
        await ask(methodcaller("open_link", "runbook"))
        await ask(methodcaller("tick", "check", done=True, note=""))
        names = {
            Character.WRONG: ["reboot-everything", self._mitigation],
            Character.EAGER: [self._mitigation, self._mitigation],
        }.get(self._character, [self._mitigation])
        await sleep(pace)
        await ask(methodcaller("report", self._finding(Step.MITIGATE, page)))
        mitigating = [methodcaller("mitigate", name, {}) for name in names]
        if self._character is Character.EAGER:
            await asyncio.gather(*map(ask, mitigating))
        else:
            for mitigate in mitigating:
                with suppress(TimeoutError):
                    await ask(mitigate)
        await sleep(pace)

    def _finding(self, step: Step, page: Page) -> Finding:
        wrong = self._character is Character.WRONG
        service = "storefront" if wrong else self._service
        detail: dict[Step, dict[str, Any]] = {
            Step.RED: {"moved": ["errors"], "shape": "plateau", "onset": page.fired_at.isoformat()},
            Step.TRACE: {"service": service, "downstream": "db", "span": "SELECT", "traces": ["a"]},
            Step.PROFILE: {"trace_id": "a", "function": "wait", "off_cpu": True},
            Step.BLAME: {"explained": False},
            Step.MITIGATE: {"mitigation": self._mitigation, "parameters": {}},
        }
        return Finding(step=step, summary=f"{step}: {service}", detail=detail[step])
