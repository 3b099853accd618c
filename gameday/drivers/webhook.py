"""Pages out to a webhook of your own, signed as Standard Webhooks asks for.

What is sent and how a receiver verifies it stands in docs/pagers.md.
Source: the Standard Webhooks specification (standardwebhooks.com), "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from gameday.errors import UsageError
from gameday.http.delivery import Answer, Delivery, Patience, encoded
from gameday.model.notification import Action, Notification, Receipt
from gameday.ports import Clock

__all__ = ["Webhook", "signature"]

_VERSION = 1
_PREFIX = "whsec_"
# The specification asks for 24 to 64 bytes of randomness.
_SHORTEST_SECRET = 24
_LONGEST_SAID = 1024


class Webhook:
    """One URL that takes our pages as JSON; fulfils `gameday.ports.Pager`.

    Any 2xx accepts. A message keeps its ``webhook-id`` however often it is sent, also by another
    process: a receiver that has seen the id need not act again.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        secrets: Sequence[str] = (),
        token: str = "",
        patience: Patience | None = None,
        rng: random.Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember the receiver; nothing is opened until the first page.

        Args:
            url: where it listens. Only its host is ever shown.
            secrets: it verifies with one of them; two while one is exchanged for another. Base64
                behind ``whsec_``, at least 24 bytes. Empty: not signed.
            token: sent as a bearer token; empty for none.
            patience: how long to try.
            rng: draws the pauses between tries.
            transport: another way than the network, for tests.

        Raises:
            UsageError: the URL, a secret or the token cannot be right.
        """
        self._keys = [_key(secret) for secret in secrets]
        self._token = token
        self._delivery = Delivery(
            self.name,
            url,
            clock=clock,
            secrets=[token, *secrets, *(secret.removeprefix(_PREFIX) for secret in secrets)],
            hides_url=True,
            # A signature may be seen; a bearer token may not.
            is_private=bool(token),
            patience=patience,
            rng=rng,
            transport=transport,
        )

    async def page(self, notification: Notification) -> Receipt:
        """Hand over the page."""
        return await self._send(Action.PAGE, notification)

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Say that a responder has it."""
        return await self._send(Action.ACKNOWLEDGE, notification)

    async def resolve(self, notification: Notification) -> Receipt:
        """Say that it is over."""
        return await self._send(Action.RESOLVE, notification)

    async def _send(self, action: Action, notification: Notification) -> Receipt:
        body = encoded(_message(action, notification))
        id = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
        answer = await self._delivery.send(
            notification.key,
            body,
            urgency=notification.urgency,
            headers=partial(self._headers, id, body),
            reason=_reason,
            is_wanted=notification.is_wanted,
        )
        return Receipt(
            pager=self.name,
            action=action,
            key=notification.key,
            accepted_at=answer.at,
            said=self._delivery.masked(answer.text)[:_LONGEST_SAID],
            tries=answer.tries,
        )

    def _headers(self, id: str, body: bytes, now: datetime) -> Mapping[str, str]:
        # Anew for each try: receivers refuse what was signed some minutes ago.
        timestamp = int(now.timestamp())
        headers = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
        if self._keys:
            headers["webhook-signature"] = " ".join(
                signature(key, id=id, timestamp=timestamp, body=body) for key in self._keys
            )
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        return headers


def signature(key: bytes, *, id: str, timestamp: int, body: bytes) -> str:
    """Return ``v1,`` and the base64 of an HMAC-SHA256 over ``id.timestamp.body``.

    Args:
        key: the secret's bytes, decoded.
        timestamp: seconds since 1970.
        body: the raw body.
    """
    content = b".".join((id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _SHORTEST_SECRET:
        raise UsageError(
            f"webhook: a signing secret is {_PREFIX} and the base64 of at least"
            f" {_SHORTEST_SECRET} random bytes; make one with"
            f" `echo {_PREFIX}$(openssl rand -base64 32)`"
        )
    return key


def _message(action: Action, notification: Notification) -> dict[str, Any]:
    happened_at = notification.happened_at
    return {
        "version": _VERSION,
        "type": f"incident.{action}",
        "key": notification.key,
        "summary": notification.headline,
        "severity": notification.severity,
        "service": notification.service,
        "source": notification.source,
        "drill": notification.drill,
        "happened_at": happened_at.astimezone(UTC).isoformat() if happened_at else None,
        "incident": notification.incident or None,
        "links": notification.links.model_dump(mode="json"),
        "details": notification.details,
    }


def _reason(answer: Answer) -> str:
    said = answer.json()
    if isinstance(said, dict):
        for field in ("error", "detail", "message"):
            if isinstance(said.get(field), str) and said[field]:
                return str(said[field])
    return answer.text
