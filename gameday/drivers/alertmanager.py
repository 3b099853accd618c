"""An Alertmanager by its API v2: what it is configured to do, and the alerts it has now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import yaml

from gameday.errors import DriverError, PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool

__all__ = [
    "POLL",
    "WATCHDOG",
    "AlertmanagerRoutes",
    "AlertmanagerState",
    "PolledPages",
    "Silence",
]

POLL = timedelta(seconds=1)
"""How often its alerts are asked for; by so much may a page have come earlier than is seen."""

BEAT_EVERY = timedelta(seconds=3)
"""How often a watchdog that is there is told of; every few seconds is what its reader expects."""

WATCHDOG = "Watchdog"

Labels = Mapping[str, str]


class AlertmanagerRoutes:
    """The routing of one Alertmanager; fulfils `gameday.ports.AlertRouting`."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Alertmanager is, e.g. ``http://127.0.0.1:9093``.

        Args:
            url: without ``/api/v2``.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: how it is asked.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Alertmanager",
            url,
            timeout=timeout,
            pause=pause,
            credentials=credentials,
            transport=transport,
        )

    async def configuration(self) -> Mapping[str, Any]:
        """Return the configuration in force; secrets, and URLs that are, are hidden in it.

        Raises:
            DriverError: Alertmanager cannot be reached, refuses, or answers something else.
        """
        _, said = await self._tool.get("/api/v2/status")
        config = said.get("config") if isinstance(said, dict) else None
        original = config.get("original") if isinstance(config, dict) else None
        try:
            parsed = yaml.safe_load(original) if isinstance(original, str) else None
        except yaml.YAMLError:
            parsed = None
        if not isinstance(parsed, dict):
            raise PermanentDriverError(
                f"{self._tool.url} does not say how it is configured: is it an Alertmanager of"
                " 0.16 or newer?"
            )
        return parsed


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that is in force.

    Attributes:
        matchers: as Alertmanager writes them in its configuration (``severity="page"``).
        until: when it ends, as Alertmanager says it.
    """

    id: str
    matchers: tuple[str, ...]
    until: str


class AlertmanagerState:
    """Which Alertmanager answers at an address, and what is silenced there."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=3),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where it is, without ``/api/v2``; see `AlertmanagerRoutes`."""
        self._tool = HttpTool(
            "Alertmanager",
            url,
            timeout=timeout,
            tries=1,
            credentials=credentials,
            transport=transport,
        )

    async def identity(self) -> frozenset[str]:
        """Return what it shares with every member of its cluster, and with no other Alertmanager.

        The names of the cluster's peers; of one that has none, when it was started, which it says
        to a millisecond. Empty where it tells neither.

        Raises:
            DriverError: it does not answer.
        """
        _, said = await self._tool.get("/api/v2/status")
        if not isinstance(said, dict):
            return frozenset()
        cluster = said.get("cluster")
        peers = cluster.get("peers") if isinstance(cluster, dict) else None
        names = {str(p.get("name")) for p in peers or () if isinstance(p, dict) and p.get("name")}
        started = said.get("uptime")
        return frozenset(names or ({str(started)} if started else set()))

    async def silences(self) -> tuple[Silence, ...] | None:
        """Return the silences in force; None where it does not tell.

        Raises:
            TemporaryDriverError: it does not answer.
        """
        try:
            _, said = await self._tool.get("/api/v2/silences")
            return tuple(
                Silence(str(s["id"]), tuple(map(_matcher, s["matchers"])), str(s["endsAt"]))
                for s in said
                if s["status"]["state"] == "active"
            )
        except (PermanentDriverError, TypeError, KeyError):
            return None  # what only takes alerts has none


class PolledPages:
    """The alerts of an Alertmanager, handed on as its own webhook would.

    What is silenced or inhibited pages nobody, and is not seen. Of the alerts that are not meant,
    those that were there at the beginning are left out: who is on call for them knows them.
    """

    def __init__(
        self,
        url: str,
        told: Callable[[Labels], Labels | None],
        *,
        credentials: Credentials = NO_CREDENTIALS,
        poll: timedelta = POLL,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember where Alertmanager is, without ``/api/v2``.

        Args:
            told: returns the labels of an alert that is meant as gameday goes by them; None: it is
                another one.
            poll: how often it is asked.
            transport: another way than the network, for tests.
            now: the present instant.
        """
        self._tool = HttpTool(
            "Alertmanager",
            url,
            timeout=timedelta(seconds=5),
            tries=2,
            credentials=credentials,
            transport=transport,
        )
        self._transport = transport
        self._told = told
        self._poll = poll
        self._now = now
        self._seen: Mapping[str, Mapping[str, Any]] = {}
        self._from_before: frozenset[str] = frozenset()
        self._beat_at: datetime | None = None
        self._carrying: asyncio.Task[None] | None = None

    async def alive(self) -> None:
        """Return when it answers; `DriverError` where it does not."""
        await self._active()

    async def beats(self) -> bool:
        """Return whether a watchdog fires, so that silence proves something."""
        return any(_is_beat(alert) for alert in (await self._active()).values())

    async def carry(self, webhook: str) -> None:
        """Hand every alert to this webhook as it comes and goes, from now on.

        Lasts as long as the event loop; called again, they go to the new address only.

        Raises:
            DriverError: Alertmanager does not answer.
        """
        if self._carrying is not None:
            self._carrying.cancel()
        self._seen = {}
        self._from_before = frozenset(
            key
            for key, alert in (await self._active(also_silent=True)).items()
            if self._told(alert["labels"]) is None and not _is_beat(alert)
        )
        self._carrying = asyncio.create_task(self._carry(webhook))

    async def _carry(self, webhook: str) -> None:
        door = HttpTool(
            "the run's webhook",
            webhook,
            timeout=timedelta(seconds=5),
            transport=self._transport,
        )
        while True:
            # That it cannot be asked is seen by whoever waits for a page or a beat.
            try:
                found = await self._burning()
            except DriverError:
                found = None
            if found is not None:
                mine = {k: a for k, a in found.items() if k not in self._from_before}
                payload = self._payload(mine)
                if payload["alerts"] and await self._handed_in(door, payload):
                    self._seen = mine
            await asyncio.sleep(self._poll.total_seconds())

    async def _burning(self) -> dict[str, Mapping[str, Any]]:
        """Return the alerts that page now, and what somebody silenced since it was told."""
        found = await self._active()
        gone = self._seen.keys() - found.keys()
        if gone:
            silent = await self._active(also_silent=True)
            found |= {key: self._seen[key] for key in gone & silent.keys()}
        return found

    async def _handed_in(self, door: HttpTool, payload: Mapping[str, Any]) -> bool:
        try:
            await door.ask("POST", "", body=payload)
        except DriverError:
            return False
        return True

    def _payload(self, found: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what is new of these alerts, as a webhook of version 4."""
        now = self._now()
        alerts = [
            self._alert(alert, "firing")
            for key, alert in found.items()
            if key not in self._seen and not _is_beat(alert)
        ]
        alerts += [
            self._alert({**alert, "endsAt": now.isoformat()}, "resolved")
            for key, alert in self._seen.items()
            if key not in found and not _is_beat(alert)
        ]
        beats = [alert for alert in found.values() if _is_beat(alert)]
        if beats and (self._beat_at is None or now - self._beat_at >= BEAT_EVERY):
            self._beat_at = now
            alerts += [self._alert(beat, "firing") for beat in beats]
        return {"version": "4", "receiver": "gameday", "status": "firing", "alerts": alerts}

    def _alert(self, alert: Mapping[str, Any], status: str) -> Mapping[str, Any]:
        labels = alert["labels"]
        told = self._told(labels)
        return {**alert, "status": status, "labels": dict(labels if told is None else told)}

    async def _active(self, *, also_silent: bool = False) -> dict[str, Mapping[str, Any]]:
        """Return the alerts that page now, by what tells one firing from any other.

        Args:
            also_silent: those too that are silenced or inhibited, and so page nobody.
        """
        silent = "true" if also_silent else "false"
        asked = (("active", "true"), ("silenced", silent), ("inhibited", silent))
        _, said = await self._tool.get("/api/v2/alerts", asked)
        try:
            return {
                f"{a['fingerprint']}@{a['startsAt']}": {
                    "labels": dict(a["labels"]),
                    "annotations": dict(a.get("annotations") or {}),
                    "startsAt": str(a["startsAt"]),
                    "fingerprint": str(a["fingerprint"]),
                    "generatorURL": str(a.get("generatorURL") or ""),
                }
                for a in said
            }
        except (TypeError, KeyError, ValueError) as error:
            raise PermanentDriverError(
                f"{self._tool.url} answers, but not as Alertmanager does: check the URL"
            ) from error


def _matcher(told: Mapping[str, Any]) -> str:
    sign = ("=" if told.get("isEqual", True) else "!") + ("~" if told["isRegex"] else "=")
    sign = sign.replace("==", "=")
    value = str(told["value"]).replace("\\", "\\\\").replace('"', '\\"')
    return f'{told["name"]}{sign}"{value}"'


def _is_beat(alert: Mapping[str, Any]) -> bool:
    return bool(alert["labels"].get("alertname") == WATCHDOG)
