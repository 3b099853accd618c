"""Pages in: the incidents of one PagerDuty service, handed on as Alertmanager's webhook would.

Whom PagerDuty calls it calls for an incident. So a page is the incident, and it has come when the
incident was created; the labels are found in the alert that opened it, as Alertmanager wrote them
there. What joins an open incident later calls nobody, and is no page.

Sources: PagerDuty's REST API v2, "List incidents", "List alerts for an incident", "Get a service"
(statuses); Alertmanager's `DefaultPagerdutyDetails` (a list in JSON) and its template
``__text_alert_list`` (a text), which older versions send.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gameday.errors import DriverError, PermanentDriverError
from gameday.http.tool import HttpTool

__all__ = ["EXACT", "OpenIncident", "PagedService", "PagerDutyIncidents"]

POLL = timedelta(seconds=2)
"""How often incidents are asked for; PagerDuty takes 960 questions a minute from one key."""

EXACT = timedelta(seconds=1)
"""PagerDuty tells instants to a second, cut off: by so much later may a page have come."""

ALERTS_WITHIN = timedelta(seconds=10)
"""How long the alerts of a new incident are waited for; one of a person's making has none."""

ARRIVED_AT = "X-Gameday-Arrived-At"

MOST = 10_000
"""Of a list PagerDuty tells no more than this."""

_PAGE = 100

_PAIR = re.compile(r" - (.+?) = (.*)")

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PagedService:
    """A service as PagerDuty has it.

    Attributes:
        pages: whether an alert of it calls anybody: it is neither disabled nor in maintenance.
        status: PagerDuty's own word.
    """

    name: str
    pages: bool
    status: str


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that is not resolved.

    Attributes:
        created_at: when, cut off to a second.
        alerts: those that opened it, with their ``labels``; one that does not say which it is has
            the incident's title as its name. Empty: PagerDuty holds none of it.
    """

    id: str
    number: int
    title: str
    created_at: datetime
    alerts: tuple[Mapping[str, Any], ...] = field(repr=False)


class PagerDutyIncidents:
    """One service of PagerDuty, whose incidents are pages."""

    def __init__(
        self,
        url: str,
        token: str,
        service: str,
        told: Callable[[Labels], Labels | None],
        *,
        poll: timedelta = POLL,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember the service; nothing is opened until the first question.

        Args:
            url: of the REST API, e.g. ``https://api.pagerduty.com``.
            token: a REST API key; reading is enough.
            service: the service's id.
            told: returns the labels of an alert that is meant as gameday goes by them; None: it is
                another one.
            poll: how often it is asked.
            transport: another way than the network, for tests.
            now: the present instant.
        """
        self._tool = HttpTool(
            "PagerDuty",
            url,
            timeout=timedelta(seconds=5),
            tries=2,
            headers={
                "Authorization": f"Token token={token}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            },
            transport=transport,
        )
        self._transport = transport
        self._service = service
        self._told = told
        self._poll = poll
        self._now = now
        self._from_before: frozenset[str] = frozenset()
        self._handed: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._seen_at: dict[str, datetime] = {}
        self._carrying: asyncio.Task[None] | None = None

    async def service(self) -> PagedService:
        """Return the service as it stands now.

        Raises:
            DriverError: PagerDuty does not answer, or knows no such service.
        """
        path = f"/services/{self._service}"
        status, said = await self._tool.get(path, accept=(404,))
        if status == 404:
            raise PermanentDriverError(
                f"PagerDuty at {self._tool.url} has no service {self._service!r} for this key:"
                " write the last part of the service's address in PagerDuty"
            )
        try:
            found = said["service"]
            state = str(found["status"])
            return PagedService(
                name=str(found["name"]),
                pages=state not in ("disabled", "maintenance"),
                status=state,
            )
        except (TypeError, KeyError) as error:
            raise self._strange() from error

    async def alive(self) -> None:
        """Return when PagerDuty answers and knows the service; `DriverError` where not."""
        await self.service()

    async def open_incidents(self) -> Sequence[OpenIncident]:
        """Return every incident of the service that is not resolved, with the alerts it was for.

        Raises:
            DriverError: PagerDuty does not answer, or not as it should.
        """
        return await asyncio.gather(*(self._whole(said) for said in await self._open()))

    async def carry(self, webhook: str) -> None:
        """Hand every incident to this webhook as it is opened and resolved, from now on.

        Of those that are open already only what is meant is told: who is on call knows the others.
        Lasts as long as the event loop; called again, they go to the new address only.

        Raises:
            DriverError: PagerDuty does not answer.
        """
        if self._carrying is not None:
            self._carrying.cancel()
        self._handed, self._seen_at = {}, {}
        self._from_before = frozenset(str(said["id"]) for said in await self._open())
        self._carrying = asyncio.create_task(self._carry(webhook))

    # --- what is handed on ------------------------------------------------------------------

    async def _carry(self, webhook: str) -> None:
        door = HttpTool(
            "the run's webhook", webhook, timeout=timedelta(seconds=5), transport=self._transport
        )
        while True:
            # That it cannot be asked is seen by whoever waits for a page.
            with suppress(DriverError):
                await self._looked(webhook, door)
            await asyncio.sleep(self._poll.total_seconds())

    async def _looked(self, webhook: str, door: HttpTool) -> None:
        found = {str(said["id"]): said for said in await self._open()}
        for id, said in found.items():
            if id not in self._handed:
                with suppress(DriverError):  # asked again; the others are not to wait for it
                    await self._opened(webhook, id, said)
        for id in [id for id in self._handed if id not in found]:
            with suppress(DriverError):
                await self._resolved(door, id)

    async def _opened(self, webhook: str, id: str, said: Mapping[str, Any]) -> None:
        incident = await self._whole(said)
        first_seen = self._seen_at.setdefault(id, self._now())
        if not incident.alerts and self._now() - first_seen < ALERTS_WITHIN:
            return
        alerts = incident.alerts or (_untold(said),)
        is_new = id not in self._from_before
        mine = [a for a in alerts if is_new or self._told(a["labels"]) is not None]
        # A door of its own: when the page came is said of each.
        headers = {ARRIVED_AT: _arrived_at(incident.created_at, mine).isoformat()}
        door = HttpTool(
            "the run's webhook",
            webhook,
            timeout=timedelta(seconds=5),
            headers=headers,
            transport=self._transport,
        )
        if mine:
            await self._hand_in(door, mine, "firing")
        self._handed[id] = mine

    async def _resolved(self, door: HttpTool, id: str) -> None:
        _, said = await self._tool.get(f"/incidents/{id}", accept=(404,))
        incident = said.get("incident") if isinstance(said, dict) else None
        by = (incident or {}).get("last_status_change_by")
        is_by_person = isinstance(by, dict) and str(by.get("type", "")).startswith("user")
        # A person who closes an incident says that it is dealt with, not that the alert is over.
        if self._handed[id] and not is_by_person:
            ended = {"endsAt": self._now().isoformat()}
            await self._hand_in(door, [{**a, **ended} for a in self._handed[id]], "resolved")
        del self._handed[id]

    async def _hand_in(
        self, door: HttpTool, alerts: Sequence[Mapping[str, Any]], status: str
    ) -> None:
        told = [(alert, self._told(alert["labels"])) for alert in alerts]
        body = {
            "version": "4",
            "receiver": "gameday",
            "status": status,
            "alerts": [
                {**alert, "status": status, "labels": dict(alert["labels"] if own is None else own)}
                for alert, own in told
            ],
        }
        await door.ask("POST", "", body=body)

    # --- what is asked ----------------------------------------------------------------------

    async def _open(self) -> list[Mapping[str, Any]]:
        asked = (
            ("service_ids[]", self._service),
            ("statuses[]", "triggered"),
            ("statuses[]", "acknowledged"),
            ("date_range", "all"),
        )
        found = await self._all("/incidents", "incidents", asked)
        if not all("id" in said and "created_at" in said for said in found):
            raise self._strange()
        return found

    async def _whole(self, said: Mapping[str, Any]) -> OpenIncident:
        alerts = await self._all(f"/incidents/{said['id']}/alerts", "alerts", ())
        created_at, number = _instant(said.get("created_at")), said.get("incident_number")
        if created_at is None or not isinstance(number, int):
            raise self._strange()
        return OpenIncident(
            id=str(said["id"]),
            number=number,
            title=str(said.get("title") or ""),
            created_at=created_at,
            alerts=tuple(one for alert in alerts for one in _told_by(alert) or (_untold(said),)),
        )

    async def _all(
        self, path: str, name: str, asked: Sequence[tuple[str, str]]
    ) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        while len(found) < MOST:
            page = (("limit", str(_PAGE)), ("offset", str(len(found))))
            _, said = await self._tool.get(path, (*asked, *page))
            listed = said.get(name) if isinstance(said, dict) else None
            if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
                raise self._strange()
            found += listed
            if not listed or not said.get("more"):
                break
        return found

    def _strange(self) -> PermanentDriverError:
        return PermanentDriverError(
            f"{self._tool.url} answers, but not as PagerDuty's REST API does: check the URL"
        )


def _arrived_at(created_at: datetime, alerts: Sequence[Mapping[str, Any]]) -> datetime:
    """Return when a page came, as far as it is told: no page comes before its alert."""
    starts = [_instant(alert.get("startsAt")) for alert in alerts]
    first = min((start for start in starts if start is not None), default=created_at)
    return first if created_at < first < created_at + EXACT else created_at


def _instant(said: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo is not None else None


def _untold(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an alert for an incident that does not say which alert it is: it may be anybody's."""
    severity = "ticket" if said.get("urgency") == "low" else "page"
    return {"labels": {"alertname": str(said.get("title") or said["id"]), "severity": severity}}


def _told_by(alert: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alerts of Alertmanager that one of PagerDuty's is about; may be empty."""
    body = alert.get("body")
    body = body if isinstance(body, dict) else {}
    cef = body.get("cef_details")
    for details in (body.get("details"), cef.get("details") if isinstance(cef, dict) else None):
        if not isinstance(details, dict):
            continue
        found = list(_of_firing(details.get("firing")))
        if found:
            return found
        if details.get("alertname"):
            labels = {k: v.strip() for k, v in details.items() if isinstance(v, str)}
            return [{"labels": labels}]
    return []


def _of_firing(said: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            yield from _of_text(str(said))
            return
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict) and isinstance(one.get("labels"), dict):
            kept = ("labels", "annotations", "startsAt", "generatorURL", "fingerprint")
            yield {name: one[name] for name in kept if one.get(name)}


def _of_text(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the alerts of Alertmanager's text: labels, annotations and source of one by one."""
    for block in re.split(r"^Labels:\s*$", text, flags=re.MULTILINE)[1:]:
        labels: dict[str, str] = {}
        annotations: dict[str, str] = {}
        part = labels
        source = ""
        for line in block.splitlines():
            if line.strip() == "Annotations:":
                part = annotations
            elif line.startswith("Source: "):
                source = line.removeprefix("Source: ").strip()
            elif pair := _PAIR.fullmatch(line):
                part[pair[1]] = pair[2]
        if labels:
            yield {"labels": labels, "annotations": annotations, "generatorURL": source}
