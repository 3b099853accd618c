"""The HTTP face of one incident."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import ValidationError

from gameday.errors import DriverError, GamedayError, UsageError
from gameday.model.page import Finding

if TYPE_CHECKING:
    from gameday.incidents import Incident
    from gameday.server.console import Console

MARKDOWN = "text/markdown; charset=utf-8"

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes of a request body that are read; Alertmanager's largest real pages are far below."""


ARRIVED_AT = "x-gameday-arrived-at"
"""Header of a page that waited in a mailbox: when it arrived there (ISO 8601, with its zone)."""

FETCHED_WITHIN = timedelta(seconds=60)
"""A page is fetched within moments; what claims to be older or younger was not written by us."""


def _arrived_at(said: str, now: datetime) -> datetime:
    """Return when a page arrived: at the mailbox where it came through one, else now."""
    try:
        arrived_at = datetime.fromisoformat(said).astimezone(UTC)
    except ValueError:
        return now
    return arrived_at if abs(now - arrived_at) <= FETCHED_WITHIN else now


def incident_app(incident: Incident, *, hook_token: str, console: Console | None = None) -> FastAPI:
    """Return the application that serves one incident.

    Every path carries an unguessable token: the webhook its own, deeplinks another, everything a
    responder uses the incident's. Wrong tokens get 404, so that nothing is confirmed to a guesser.

    Args:
        console: the pages for people; None: there are none.
    """
    app = FastAPI(title="gameday incident", docs_url=None, redoc_url=None, openapi_url=None)

    def known(token: str, wanted: str) -> bool:
        return secrets.compare_digest(token.encode(), wanted.encode())

    def no() -> JSONResponse:
        return JSONResponse({"error": "no such incident"}, status_code=404)

    async def body(request: Request) -> dict[str, Any]:
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > BODY_LIMIT:
                raise UsageError(f"the body is larger than {BODY_LIMIT} bytes")
        try:
            parsed = json.loads(raw or b"{}")
        except (ValueError, RecursionError) as error:
            raise UsageError("the body is not JSON") from error
        if not isinstance(parsed, dict):
            raise UsageError("the body is not a JSON object")
        return parsed

    @app.exception_handler(GamedayError)
    async def explain(_request: Request, error: GamedayError) -> JSONResponse:
        status = 400 if isinstance(error, UsageError) else 503
        return JSONResponse({"error": str(error)}, status_code=status)

    @app.post("/hooks/alertmanager/{token}")
    async def alertmanager(token: str, request: Request) -> Response:
        now = incident.now()
        arrived_at = _arrived_at(request.headers.get(ARRIVED_AT, ""), now)
        if not known(token, hook_token):
            return no()
        facts = incident.receive(await body(request), arrived_at=arrived_at)
        return JSONResponse({"recorded": len(facts)})

    @app.get("/go/{token}/{link}")
    async def go(token: str, link: str, request: Request) -> Response:
        if not known(token, incident.link_token):
            return no()
        if link == "runbook.md":
            return PlainTextResponse(incident.runbook, media_type=MARKDOWN)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and known(secret, incident.token):
            where = incident.open_link(link)
        else:
            opener = await console.sessions.opener(request.cookies) if console else None
            is_responder = (
                console is not None
                and opener is not None
                and opener.role in console.incidents.acting
            )
            where = incident.open_link(link, attributed=is_responder)
            if where and opener is not None:
                # No tool of this run has pages for people as good as the console's own.
                where = f"/console/incidents/drill/{link}"
        return RedirectResponse(where, status_code=302) if where else no()

    @app.get("/incidents/{token}")
    async def show(token: str) -> Response:
        return JSONResponse(incident.summary()) if known(token, incident.token) else no()

    @app.get("/incidents/{token}/runbook.md")
    async def runbook(token: str) -> Response:
        if not known(token, incident.token):
            return no()
        return PlainTextResponse(incident.runbook, media_type=MARKDOWN)

    @app.get("/incidents/{token}/deploys")
    async def deploys(token: str) -> Response:
        if not known(token, incident.token):
            return no()
        try:
            found = await incident.deploys()
        except DriverError as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        return JSONResponse(
            {
                "deploys": [
                    {
                        "service": d.service,
                        "revision": d.revision,
                        "deployed_at": d.deployed_at.isoformat(),
                        "region": d.region,
                        "summary": d.summary,
                    }
                    for d in found
                ]
            }
        )

    @app.post("/incidents/{token}/ack")
    async def ack(token: str) -> Response:
        if not known(token, incident.token):
            return no()
        return JSONResponse(incident.acknowledge().to_json())

    @app.post("/incidents/{token}/findings")
    async def findings(token: str, request: Request) -> Response:
        if not known(token, incident.token):
            return no()
        try:
            finding = Finding.model_validate(await body(request))
        except ValidationError as error:
            raise UsageError(f"not a finding: {error.errors()[0]['msg']}") from error
        return JSONResponse(incident.report(finding).to_json())

    @app.post("/incidents/{token}/steps")
    async def steps(token: str, request: Request) -> Response:
        if not known(token, incident.token):
            return no()
        sent = await body(request)
        fact = incident.tick(
            str(sent.get("step", "")), done=bool(sent.get("done")), note=str(sent.get("note", ""))
        )
        return JSONResponse(fact.to_json())

    @app.post("/incidents/{token}/mitigations")
    async def mitigations(token: str, request: Request) -> Response:
        if not known(token, incident.token):
            return no()
        sent = await body(request)
        parameters = sent.get("parameters") or {}
        if not isinstance(parameters, dict) or not sent.get("name"):
            raise UsageError("a mitigation has a `name` and an object `parameters`")
        ok, detail = await incident.mitigate(
            str(sent["name"]), {str(k): str(v) for k, v in parameters.items()}
        )
        return JSONResponse({"ok": ok, "detail": detail}, status_code=200 if ok else 409)

    if console is not None:
        from gameday.server.console import console_app

        app.mount("/console", console_app(console))

        @app.get("/")
        async def home() -> Response:
            return RedirectResponse("/console/", status_code=303)

    return app
