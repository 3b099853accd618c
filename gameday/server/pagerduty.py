"""PagerDuty's webhooks (v3), in: who sends them is proven by their signature, not by a token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response

from gameday.errors import UsageError
from gameday.incidents.engine import Engine
from gameday.incidents.pagerduty_events import (
    ID_HEADER,
    LARGEST,
    SIGNATURE_HEADER,
    NoEvent,
    PagerDutyEvent,
    parse,
    verify,
)
from gameday.server import shapes
from gameday.server.answers import answer, documented
from gameday.server.body import raw_body
from gameday.server.gate import Denied
from gameday.settings import variable

SETTING = variable("service", "pagerduty_webhook_secret")


def pagerduty_hook(app: FastAPI, engine: Engine, *, secrets: Sequence[str]) -> None:
    """Add the route that PagerDuty calls.

    Args:
        secrets: of the webhook subscriptions, several while one is exchanged; without any nobody
            can prove to be PagerDuty, and the route is closed.
    """

    @app.post(
        "/hooks/pagerduty",
        summary="Hand in what was done in PagerDuty, as its webhook (v3)",
        **_described(),
    )
    async def pagerduty(request: Request) -> Response:
        if not secrets:
            raise Denied(403, f"PagerDuty's webhooks are off: set {SETTING} to their secret")
        raw = await raw_body(request, limit=LARGEST)
        if not verify(raw, request.headers.get(SIGNATURE_HEADER), secrets):
            raise Denied(
                401, f"{SIGNATURE_HEADER} does not sign this body: is {SETTING} the right secret?"
            )
        event: PagerDutyEvent | NoEvent = parse(raw, webhook_id=request.headers.get(ID_HEADER))
        if isinstance(event, NoEvent):
            raise UsageError(event.reason)
        return answer({"recorded": await engine.answered(event)})


def _described() -> dict[str, Any]:
    said = documented(shapes.Recorded, 400, 401, 403, 413, 503, body=shapes.PagerDutyIn)
    said["openapi_extra"]["parameters"] = [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": description,
            "schema": {"type": "string"},
        }
        for name, required, description in (
            (SIGNATURE_HEADER, True, "`v1=` and the HMAC-SHA256 of the raw body, in hex."),
            (ID_HEADER, False, "The same for every try of one delivery."),
        )
    ]
    # The signature is the proof; a bearer token is not asked for.
    said["openapi_extra"]["security"] = []
    return said
