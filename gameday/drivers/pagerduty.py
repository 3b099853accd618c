"""Pages out through PagerDuty's Events API v2, and deploys as change events.

Sources: PagerDuty's developer documentation, "Events API v2: Overview" (answers, retries, 512 KB),
"Send an Alert Event" and "Send a Change Event" (fields and their limits), "Events API Rate Limits".
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from gameday.errors import UsageError
from gameday.http.delivery import Answer, Delivery, Patience, clipped, encoded
from gameday.model.notification import LEAST_URGENT, Action, Notification, Receipt
from gameday.model.signals import Deploy
from gameday.ports import Clock

__all__ = ["PagerDuty"]

_EVENTS = {
    Action.PAGE: "trigger",
    Action.ACKNOWLEDGE: "acknowledge",
    Action.RESOLVE: "resolve",
}
_ROUTING_KEY = 32
# "Events API Rate Limits": 120 events per minute and integration key.
_PER_MINUTE = 120
_LONGEST_KEY = 255
_LONGEST_SUMMARY = 1024
# PagerDuty names no limit for these; without one of our own the event could not be kept in size.
_LONGEST_WORD = 1024
_LONGEST_LINK = 4096
_LARGEST_EVENT = 512_000
_LINKS = {"red": "RED", "traces": "Traces", "profile": "Profile", "runbook": "Runbook"}


class PagerDuty:
    """The integration of one PagerDuty service; fulfils `gameday.ports.Pager`.

    PagerDuty itself knows repeats by the key. It drops what it is told about an incident that is
    not open, and says *accepted* all the same: a receipt is no proof that somebody was called.
    """

    name = "PagerDuty"

    def __init__(
        self,
        routing_key: str,
        *,
        clock: Clock,
        url: str = "https://events.pagerduty.com",
        client: str = "gameday",
        patience: Patience | None = None,
        rng: random.Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember the integration; nothing is opened until the first page.

        Args:
            routing_key: the integration key of an *Events API v2* integration, 32 characters.
            url: another region's (``https://events.eu.pagerduty.com``) or something that speaks
                the same protocol.
            client: shown as the sender.
            patience: how long to try.
            rng: draws the pauses between tries.
            transport: another way than the network, for tests.

        Raises:
            UsageError: the key or the URL cannot be right.
        """
        if len(routing_key) != _ROUTING_KEY:
            raise UsageError(
                f"PagerDuty: the routing key has {len(routing_key)} characters instead of"
                f" {_ROUTING_KEY}; copy the integration key of an Events API v2 integration"
            )
        self._routing_key = routing_key
        self._client = client
        self._delivery = Delivery(
            self.name,
            url,
            clock=clock,
            secrets=[routing_key],
            per_minute=_PER_MINUTE,
            patience=patience,
            rng=rng,
            transport=transport,
        )

    async def page(self, notification: Notification) -> Receipt:
        """Open an alert under the key, or add to the one that is open under it."""
        payload: dict[str, Any] = {
            "summary": notification.headline,
            "source": notification.source,
            "severity": notification.severity.value,
            "component": notification.service,
        }
        if notification.happened_at is not None:
            payload["timestamp"] = _milliseconds(notification.happened_at)
        event: dict[str, Any] = {"client": self._client, "payload": payload}
        if notification.incident:
            event["client_url"] = notification.incident
        event["links"] = [
            {"href": href, "text": text}
            for field, text in _LINKS.items()
            if (href := getattr(notification.links, field))
        ]
        return await self._enqueue(Action.PAGE, notification, event, notification.details)

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Say that a responder has it; PagerDuty stops calling."""
        return await self._enqueue(Action.ACKNOWLEDGE, notification, {}, {})

    async def resolve(self, notification: Notification) -> Receipt:
        """Say that it is over."""
        return await self._enqueue(Action.RESOLVE, notification, {}, {})

    async def mark(self, deploy: Deploy) -> Receipt:
        """Show a deploy on the service's timeline as a change event; it calls nobody.

        Raises:
            DriverError: PagerDuty cannot be reached or refuses.
        """
        where = f" in {deploy.region}" if deploy.region else ""
        key = f"{deploy.service}@{deploy.revision}@{deploy.region or ''}"
        payload = {
            "summary": deploy.summary or f"{deploy.service} {deploy.revision} went live{where}",
            "source": deploy.service,
            "timestamp": _milliseconds(deploy.deployed_at),
        }
        details = {
            "service": deploy.service,
            "revision": deploy.revision,
            "region": deploy.region or "everywhere",
        }
        body, notes = _fitted(
            {"routing_key": self._routing_key, "payload": payload, "links": []}, details
        )
        answer = await self._delivery.send(
            f"change:{key}",
            body,
            path="/v2/change/enqueue",
            urgency=LEAST_URGENT,
            reason=_reason,
        )
        return self._receipt(answer, Action.MARK, key, notes)

    async def _enqueue(
        self,
        action: Action,
        notification: Notification,
        event: Mapping[str, Any],
        details: Mapping[str, Any],
    ) -> Receipt:
        key, notes = _shortened(notification.key)
        body, cuts = _fitted(
            {
                "routing_key": self._routing_key,
                "event_action": _EVENTS[action],
                "dedup_key": key,
                **event,
            },
            details,
        )
        answer = await self._delivery.send(
            key,
            body,
            path="/v2/enqueue",
            urgency=notification.urgency,
            reason=_reason,
            is_wanted=notification.is_wanted,
        )
        return self._receipt(answer, action, key, (*notes, *cuts))

    def _receipt(self, answer: Answer, action: Action, key: str, notes: tuple[str, ...]) -> Receipt:
        said = answer.json()
        if answer.status != 202 or not isinstance(said, dict) or said.get("status") != "success":
            raise self._delivery.unaccepted(answer, "202 and the status 'success'")
        return Receipt(
            pager=self.name,
            action=action,
            key=key,
            accepted_at=answer.at,
            said=self._delivery.masked(str(said.get("message", "")))[:_LONGEST_WORD],
            tries=answer.tries,
            notes=notes,
        )


def _shortened(key: str) -> tuple[str, tuple[str, ...]]:
    """Return a key of at most 255 characters, another one for every other key."""
    if len(key) <= _LONGEST_KEY:
        return key, ()
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    short = f"{key[: _LONGEST_KEY - len(digest) - 1]}~{digest}"
    return short, (f"the key had {len(key)} characters and ends in its hash instead",)


def _fitted(event: dict[str, Any], details: Mapping[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    """Return the event within PagerDuty's limits as JSON, and what had to go for that.

    Texts are cut where they end; then whole details go, the largest first, since half a detail
    says something else. What went is named in the details too, where the responder reads it.
    """
    notes: list[str] = []
    if payload := event.get("payload"):
        for field, text in payload.items():
            longest = _LONGEST_SUMMARY if field == "summary" else _LONGEST_WORD
            if len(text) > longest:
                notes.append(f"{field} was cut from {len(text)} to {longest} characters")
            payload[field] = clipped(text, longest)
    for link in [raw for raw in event.get("links", ()) if len(raw["href"]) > _LONGEST_LINK]:
        event["links"].remove(link)
        notes.append(f"the link {link['text']} was left out: it has {len(link['href'])} characters")
    if len(event.get("client_url", "")) > _LONGEST_LINK:
        del event["client_url"]
        notes.append("the link to the incident was left out: it is too long")
    if not details and not notes:
        return encoded(event), ()
    # Sized one by one, so that many details do not make the whole be written out as often.
    sizes = {field: len(encoded({field: value})) for field, value in details.items()}
    kept = dict(details)
    # Room for what is said about the details that went.
    too_much = sum(sizes.values()) - (_LARGEST_EVENT - len(encoded(event)) - 4096)
    gone = 0
    for field in sorted(sizes, key=lambda field: sizes[field], reverse=True):
        if too_much <= 0:
            break
        del kept[field]
        too_much -= sizes[field]
        gone += 1
        if gone <= 5:
            notes.append(f"the detail {clipped(field, 100)} was left out: {sizes[field]} bytes")
    if gone > 5:
        notes.append(f"{gone - 5} further details were left out")
    if payload is not None:
        payload["custom_details"] = kept | ({"gameday_left_out": notes} if notes else {})
    return encoded(event), tuple(notes)


def _reason(answer: Answer) -> str:
    """Return PagerDuty's words: a message, and a list of what is wrong with the event."""
    said = answer.json()
    if isinstance(said, dict):
        errors = said.get("errors")
        parts = [said.get("message"), *(errors if isinstance(errors, list) else [errors])]
        if words := "; ".join(str(part) for part in parts if part):
            return words
    return answer.text


def _milliseconds(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")
