"""The incident-loop engine over HTTP: hooks in, incidents and deeplinks out.

Nothing is decided here: a request is admitted, read, handed to the engine, and its outcome or its
error becomes a status. Everything but health and deeplinks needs a token; a deeplink is its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from gameday.incidents.engine import Engine
from gameday.incidents.links import VIEWS, Signer, destination
from gameday.incidents.paging import LinkOf
from gameday.model.page import Finding
from gameday.ports import Role, Token
from gameday.server import shapes
from gameday.server.answers import (
    HEADERS,
    answer,
    document,
    documented,
    explain_errors,
    problems,
    read,
)
from gameday.server.body import HOOK_LIMIT, json_body
from gameday.server.console import Console, console_app
from gameday.server.gate import Gate
from gameday.server.measures import Measures
from gameday.server.pagerduty import pagerduty_hook
from scoring.timeline import Kind

_IncidentId = Annotated[str, Path(alias="incident", max_length=200)]


def service_app(
    engine: Engine,
    gate: Gate,
    signer: Signer,
    *,
    link_of: LinkOf,
    templates: Mapping[str, str] | None = None,
    pagerduty_secrets: Sequence[str] = (),
    ready: Callable[[], None] = lambda: None,
    version: str = "0",
    console: Console | None = None,
) -> Measures:
    """Return the ASGI application of the service.

    Args:
        link_of: makes the deeplinks that an incident shows.
        templates: where each deeplink leads, see `gameday.incidents.links.destination`.
        pagerduty_secrets: of PagerDuty's webhook subscriptions; without one that hook is closed.
        ready: raises `StoreError` where the store does not answer; called in a thread.
        console: the pages for people, mounted at ``/console``; None: there are none.
    """
    app = FastAPI(
        title="gameday",
        version=version,
        description="The incident loop of gameday: alerts in, incidents and deeplinks out.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Such a redirect would lead wherever the request's Host header says.
        redirect_slashes=False,
    )
    explain_errors(app)

    def need(role: Role) -> Any:
        async def admitted(request: Request) -> Token:
            return await gate.admit(request.headers.get("authorization"), role)

        return Depends(admitted)

    # --- hooks -------------------------------------------------------------------------------

    @app.post(
        "/hooks/alertmanager",
        summary="Hand in alerts, as Alertmanager's webhook (version 4)",
        **documented(shapes.Recorded, 400, 401, 403, 413, 503, body=shapes.WebhookIn),
    )
    async def alertmanager(request: Request, _by: Token = need(Role.WEBHOOK)) -> Response:
        return answer({"recorded": await engine.hook(await json_body(request, limit=HOOK_LIMIT))})

    @app.post(
        "/hooks/deploy",
        summary="Say that something went live",
        **documented(shapes.FactShape, 400, 401, 403, 413, 503, body=shapes.DeployIn),
    )
    async def deploy(request: Request, by: Token = need(Role.WEBHOOK)) -> Response:
        sent = await read(request, shapes.DeployIn)
        return answer((await engine.deploy(sent, by=by.name)).to_json())

    pagerduty_hook(app, engine, secrets=pagerduty_secrets)

    # --- incidents ---------------------------------------------------------------------------

    @app.get(
        "/api/incidents",
        summary="List incidents",
        **documented(shapes.Incidents, 400, 401, 403, 503),
    )
    async def incidents(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        open: Annotated[bool, Query(description="Only open ones.")] = False,
        _by: Token = need(Role.OBSERVER),
    ) -> Response:
        rows = await engine.listed(limit=limit, only_open=open)
        return answer(
            {
                "incidents": [
                    {
                        "id": r.id,
                        "service": r.service,
                        "slo": r.slo,
                        "severity": r.severity,
                        "state": r.state,
                        "opened_at": r.opened_at.isoformat(),
                        "drill": r.drill,
                    }
                    for r in rows
                ]
            }
        )

    @app.get(
        "/api/incidents/{incident}",
        summary="Show an incident as it stands now",
        **documented(shapes.IncidentShape, 400, 401, 403, 404, 503),
    )
    async def incident(incident: _IncidentId, _by: Token = need(Role.OBSERVER)) -> Response:
        state = await engine.state(incident)
        deploys = await engine.deploys(state.service)
        links = {view: link_of(state.id, view, state.paged_at) for view in VIEWS}
        shown = state.to_json() | {
            "links": links,
            "deploys": [d.to_json() for d in deploys[-50:]],
        }
        return answer(shown)

    def saying(
        path: str, kind: str, shape: type[BaseModel], summary: str, **fixed: object
    ) -> Callable[[str, Request, Token], Awaitable[Response]]:
        @app.post(
            f"/api/incidents/{{incident}}/{path}",
            summary=summary,
            operation_id=f"{path.replace('-', '_')}_incident",
            **documented(shapes.FactShape, 400, 401, 403, 404, 409, 413, 503, body=shape),
        )
        async def said(
            incident: _IncidentId, request: Request, by: Token = need(Role.RESPONDER)
        ) -> Response:
            data = {**(await read(request, shape)), **fixed}
            fact = await engine.say(incident, kind, data, by=by.name, source="responder")
            return answer(fact.to_json())

        return said

    saying("ack", Kind.ACKNOWLEDGED, shapes.NothingIn, "Say: I have it")
    saying("note", Kind.NOTED, shapes.NoteIn, "Put a note on record")
    saying("finding", Kind.FINDING, Finding, "Put on record what one step of the funnel showed")
    saying("mitigation", Kind.MITIGATION_APPLIED, shapes.MitigationIn, "Say what was done")
    saying("role", Kind.ROLE_TAKEN, shapes.RoleIn, "Say who is commander, on-call or scribe")
    saying("resolve", Kind.RESOLVED, shapes.ClosingIn, "Close it")
    saying("false-alarm", Kind.FALSE_ALARM, shapes.ClosingIn, "Close it: there was nothing")
    saying("merge", Kind.MERGED, shapes.MergeIn, "Close it: another incident is the same one")
    saying(
        "postmortem", Kind.POSTMORTEM_DRAFTED, shapes.PostmortemIn, "Say where the postmortem is"
    )

    # --- deeplinks ---------------------------------------------------------------------------

    @app.get(
        "/go/{token}",
        summary="Follow a deeplink of a page",
        status_code=302,
        response_class=Response,
        responses=problems(400, 403, 404, 503) | {302: {"description": "Where it leads."}},
    )
    async def go(token: str, request: Request) -> Response:
        found, view = signer.read(token, now=engine.now())
        by = await gate.recognise(request.headers.get("authorization"))
        opener = await console.sessions.opener(request.cookies) if console else None
        known = by or opener
        is_responder = known is not None and known.role in (Role.RESPONDER, Role.FACILITATOR)
        state = await engine.opened(found, view, by=known.name if known and is_responder else None)
        where = destination(state, view, templates or {})
        if console is not None and not (templates or {}).get(view):
            where = f"/console/incidents/{quote(state.id, safe='')}/{view}"
        return Response(status_code=302, headers={"location": where, **HEADERS})

    # --- about itself ------------------------------------------------------------------------

    @app.get(
        "/healthz",
        summary="Answer while the process lives",
        response_class=PlainTextResponse,
    )
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get(
        "/readyz",
        summary="Answer while the store does",
        response_class=PlainTextResponse,
        responses=problems(503),
    )
    async def readyz() -> Response:
        await asyncio.to_thread(ready)
        return PlainTextResponse("ready\n")

    @app.get(
        "/metrics",
        summary="How the service itself does, for Prometheus",
        response_class=PlainTextResponse,
        responses=problems(401, 403, 503),
    )
    async def metrics(request: Request, _by: Token = need(Role.OBSERVER)) -> Response:
        measures: Measures = request.state.measures
        return Response(measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get(
        "/openapi.json",
        summary="This document",
        responses=problems(401, 403, 503) | {200: {"description": "OpenAPI 3.1"}},
    )
    async def openapi(_by: Token = need(Role.OBSERVER)) -> Response:
        return answer(document(app))

    if console is not None:
        app.mount("/console", console_app(console))

        @app.get("/", include_in_schema=False)
        async def home() -> Response:
            return Response(status_code=303, headers={"location": "/console/", **HEADERS})

    return Measures(app, engine=engine)
