"""The incident-loop engine over HTTP: hooks in, incidents and deeplinks out.

Nothing is decided here: a request is admitted, read, handed to the engine, and its outcome or its
error becomes a status. Everything but health and deeplinks needs a token; a deeplink is its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from gameday.errors import Refused
from gameday.http.address import is_loopback
from gameday.http.keys import COOKIE, reading_for
from gameday.http.proof import PATH
from gameday.incidents.engine import Engine, NoSuchIncident
from gameday.incidents.links import VIEWS, Signer
from gameday.incidents.lookup import Lookup
from gameday.incidents.paging import LinkOf
from gameday.incidents.state import IncidentState
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
from gameday.server.embedding import NotTakenIn
from gameday.server.gate import Denied, Gate
from gameday.server.measures import Measures
from gameday.server.pagerduty import pagerduty_hook
from scoring.timeline import Kind

ARRIVED_AT = "x-gameday-arrived-at"
"""Header of a page that waited in a mailbox: when it arrived there (ISO 8601, with its zone)."""

FETCHED_WITHIN = timedelta(seconds=60)
"""A page is fetched within moments; what claims to be older or younger was not written by us."""

Mitigate = Callable[[str, Mapping[str, str], str], Awaitable[tuple[bool, str]]]
"""(name, parameters, by) → (whether it worked, what was done)."""

_IncidentId = Annotated[str, Path(alias="incident", max_length=200)]


MARKDOWN = "text/markdown; charset=utf-8"


def _arrived_at(said: str, now: datetime) -> datetime:
    """Return when a page arrived: at the mailbox where it came through one, else now."""
    try:
        arrived_at = datetime.fromisoformat(said).astimezone(UTC)
    except (ValueError, OverflowError):
        return now
    return arrived_at if abs(now - arrived_at) <= FETCHED_WITHIN else now


def service_app(
    engine: Engine,
    gate: Gate,
    signer: Signer,
    *,
    link_of: LinkOf,
    lookup: Lookup,
    pagerduty_secrets: Sequence[str] = (),
    ready: Callable[[], None] = lambda: None,
    version: str = "0",
    console: Console | None = None,
    has_hook_in_path: bool = False,
    mitigate: Mitigate | None = None,
) -> Measures:
    """Return the ASGI application of the service.

    Args:
        link_of: makes the deeplinks that an incident shows.
        lookup: what stands around the incidents: tools, runbooks, deploys.
        pagerduty_secrets: of PagerDuty's webhook subscriptions; without one that hook is closed.
        ready: raises `StoreError` where the store does not answer; called in a thread.
        console: the pages for people, mounted at ``/console``; None: there are none.
        has_hook_in_path: whether alerts may also come with their token in the path, from an
            Alertmanager whose settings take a URL and nothing else; a run's.
        mitigate: does what a responder asks for before there is a page, and so an incident; a
            run's.
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
    app.add_middleware(NotTakenIn)

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
        return await heard(request)

    async def heard(request: Request) -> Response:
        now = engine.now()
        arrived_at = _arrived_at(request.headers.get(ARRIVED_AT, ""), now)
        payload = await json_body(request, limit=HOOK_LIMIT)
        # Alertmanager sends again what was not taken.
        new = await engine.hook(payload, arrived_at=arrived_at, is_resent=True)
        return answer({"recorded": new})

    if has_hook_in_path:

        @app.post("/hooks/alertmanager/{token}", include_in_schema=False)
        async def by_path(token: str, request: Request) -> Response:
            await gate.admit(f"Bearer {token}", Role.WEBHOOK)
            return await heard(request)

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
        **documented(shapes.IncidentShape, 400, 401, 403, 404, 410, 503),
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

    @app.get(
        "/api/incidents/{incident}/deploys",
        summary="Show what went live before and during it",
        **documented(shapes.Deploys, 400, 401, 403, 404, 410, 503),
    )
    async def deploys(incident: _IncidentId, _by: Token = need(Role.OBSERVER)) -> Response:
        found = await lookup.deploys(await engine.state(incident))
        return answer(
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

    @app.get(
        "/api/incidents/{incident}/runbook",
        summary="Show the text of its runbook",
        response_class=Response,
        responses=problems(400, 401, 403, 404, 410, 503)
        | {200: {"description": "As its file has it.", "content": {"text/markdown": {}}}},
    )
    async def runbook(incident: _IncidentId, _by: Token = need(Role.OBSERVER)) -> Response:
        return runbook_of(await engine.state(incident))

    def runbook_of(state: IncidentState) -> Response:
        text = lookup.runbook_text(state.first.told.name)
        if not text:
            raise NoSuchIncident(f"no runbook here belongs to the alert {state.first.told.name!r}")
        return PlainTextResponse(text, media_type=MARKDOWN, headers=HEADERS)

    def answerable(state: IncidentState, by: Token) -> None:
        if by.role is Role.FACILITATOR and engine.is_performed(state):
            # Whoever plays the drill would be measured in place of the on-call.
            raise Denied(403, "a facilitator does not answer in place of a drill's on-call")

    def saying(
        path: str, kind: str, shape: type[BaseModel], summary: str, **fixed: object
    ) -> Callable[[str, Request, Token], Awaitable[Response]]:
        @app.post(
            f"/api/incidents/{{incident}}/{path}",
            summary=summary,
            operation_id=f"{path.replace('-', '_')}_incident",
            **documented(shapes.FactShape, 400, 401, 403, 404, 409, 410, 413, 503, body=shape),
        )
        async def said(
            incident: _IncidentId, request: Request, by: Token = need(Role.RESPONDER)
        ) -> Response:
            data = {**(await read(request, shape)), **fixed}
            answerable(await engine.state(incident), by)
            fact = await engine.say(incident, kind, data, by=by.name, source="responder")
            return answer(fact.to_json())

        return said

    saying("ack", Kind.ACKNOWLEDGED, shapes.NothingIn, "Say: I have it")
    saying("note", Kind.NOTED, shapes.NoteIn, "Put a note on record")
    saying("finding", Kind.FINDING, Finding, "Put on record what one step of the funnel showed")
    saying("step", Kind.RUNBOOK_STEP, shapes.StepIn, "Say that a runbook step was done, or skipped")
    saying("role", Kind.ROLE_TAKEN, shapes.RoleIn, "Say who is commander, on-call or scribe")
    saying("resolve", Kind.RESOLVED, shapes.ClosingIn, "Close it")
    saying("false-alarm", Kind.FALSE_ALARM, shapes.ClosingIn, "Close it: there was nothing")
    saying("merge", Kind.MERGED, shapes.MergeIn, "Close it: another incident is the same one")
    saying(
        "postmortem", Kind.POSTMORTEM_DRAFTED, shapes.PostmortemIn, "Say where the postmortem is"
    )

    @app.post(
        "/api/incidents/{incident}/mitigation",
        summary="Have a drill's mitigation done, or say what was done about a real incident",
        operation_id="mitigation_incident",
        **documented(
            shapes.FactShape, 400, 401, 403, 404, 409, 410, 413, 503, body=shapes.MitigationIn
        ),
    )
    async def mitigation(
        incident: _IncidentId, request: Request, by: Token = need(Role.RESPONDER)
    ) -> Response:
        sent = await read(request, shapes.MitigationIn)
        state = await engine.state(incident)
        answerable(state, by)
        if not engine.is_performed(state):
            kind = Kind.MITIGATION_APPLIED
            fact = await engine.say(incident, kind, sent, by=by.name, source="responder")
            return answer(fact.to_json())
        fact = await engine.mitigate(incident, sent["name"], sent["parameters"], by=by.name)
        if not fact.data["ok"]:
            why = fact.data["detail"]
            raise Refused(f"mitigation {sent['name']!r} was not applied: {why}")
        return answer(fact.to_json())

    if mitigate is not None:

        @app.post("/api/mitigation", include_in_schema=False)
        async def before_the_page(request: Request, by: Token = need(Role.RESPONDER)) -> Response:
            if by.role is Role.FACILITATOR:
                raise Denied(403, "a facilitator does not answer in place of a drill's on-call")
            sent = await read(request, shapes.MitigationIn)
            ok, detail = await mitigate(sent["name"], sent["parameters"], by.name)
            if not ok:
                raise Refused(f"mitigation {sent['name']!r} was not applied: {detail}")
            return answer({"data": {"ok": ok, "detail": detail}})

    # --- deeplinks ---------------------------------------------------------------------------

    @app.get(
        "/go/{token}",
        summary="Follow a deeplink of a page",
        status_code=302,
        response_class=Response,
        responses=problems(400, 403, 404, 410, 503) | {302: {"description": "Where it leads."}},
    )
    async def go(token: str, request: Request) -> Response:
        found, view = signer.read(token, now=engine.now())
        by = await gate.recognise(request.headers.get("authorization"))
        opener = await console.sessions.opener(request.cookies) if console else None
        known = by or opener
        roles = {Role.RESPONDER, Role.FACILITATOR}
        if engine.is_performed(await engine.state(found)):
            roles = {Role.RESPONDER}
        is_responder = known is not None and known.role in roles
        state = await engine.opened(found, view, by=known.name if known and is_responder else None)
        tools, url = lookup.destinations, lookup.destinations.tool(state, view)
        for_people = opener is not None or (by is None and not tools.is_open)
        # In a drill a responder's program is led to the tool itself, which it knows how to ask.
        chosen = None if by is not None and tools.is_open else tools.chosen(state, view)
        if chosen is not None:
            url = chosen
        elif console is not None and for_people:
            url = f"/console/incidents/{quote(state.id, safe='')}/{view}"
        elif url is None and view == "runbook" and tools.is_open:
            return runbook_of(state)
        where, key = url or f"/api/incidents/{quote(state.id)}", reading_for(url) if url else ""
        asked_as = request.url.hostname or ""
        # A cookie belongs to a host, whatever the port: with it the tool lets the browser read.
        # Where this machine was asked by another of its names, the address takes the key there.
        is_by_address = is_loopback(asked_as) and asked_as != urlsplit(where).hostname
        if key and is_by_address:
            where += f"{'&' if '?' in where else '?'}key={key}"
        answered = Response(status_code=302, headers={"location": where, **HEADERS})
        if key and not is_by_address:
            answered.set_cookie(COOKIE, key, httponly=True, samesite="lax")
        return answered

    @app.get(PATH, include_in_schema=False)
    async def proof(request: Request) -> Response:
        said = await gate.proof(request.query_params, request.scope.get("server"))
        if said is None:
            raise Denied(404, "no such token is known here")
        return Response(status_code=204, headers=dict(said) | HEADERS)

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
        @app.get("/console", include_in_schema=False)
        async def home() -> Response:
            return Response(status_code=303, headers={"location": "/console/", **HEADERS})

    return Measures(app, engine=engine)
