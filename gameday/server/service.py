"""The incident-loop engine over HTTP: hooks in, incidents and deeplinks out.

Nothing is decided here: a request is admitted, read, handed to the engine, and its outcome or its
error becomes a status. Everything but health and deeplinks needs a token; a deeplink is its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from gameday.errors import GamedayError, PlanRefused, UsageError
from gameday.incident import Finding
from gameday.loop.engine import Engine, NoSuchIncident
from gameday.loop.line import Word
from gameday.loop.links import VIEWS, LinkRefused, Signer, destination
from gameday.loop.paging import LinkOf
from gameday.ports import Role, Token
from gameday.server import shapes
from gameday.server.body import HOOK_LIMIT, WORD_LIMIT, TooLarge, json_body, whole_text
from gameday.server.gate import Denied, Gate
from gameday.server.measures import Measures
from scoring.timeline import Kind

_STATUS: Sequence[tuple[type[GamedayError], int]] = (
    (NoSuchIncident, 404),
    (LinkRefused, 403),
    (TooLarge, 413),
    (UsageError, 400),
    (PlanRefused, 409),
)
"""What an error of the engine means to a client; anything else: come back later, 503."""

_WORDS = {
    400: "The request cannot be read.",
    401: "There is no token, or none that is in force.",
    403: "The token does not open this.",
    404: "There is no such incident.",
    409: "It cannot be done as the incident stands.",
    413: "The body is too large.",
    503: "It could not be written down; send it again.",
}

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_IncidentId = Annotated[str, Path(alias="incident", max_length=200)]


def service_app(
    engine: Engine,
    gate: Gate,
    signer: Signer,
    *,
    link_of: LinkOf,
    templates: Mapping[str, str] | None = None,
    ready: Callable[[], None] = lambda: None,
    version: str = "0",
) -> Measures:
    """Return the ASGI application of the service.

    Args:
        link_of: makes the deeplinks that an incident shows.
        templates: where each deeplink leads, see `gameday.loop.links.destination`.
        ready: raises `StoreError` where the store does not answer; called in a thread.
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
    _explain_errors(app)

    def need(role: Role) -> Any:
        async def admitted(request: Request) -> Token:
            return await gate.admit(request.headers.get("authorization"), role)

        return Depends(admitted)

    # --- hooks -------------------------------------------------------------------------------

    @app.post(
        "/hooks/alertmanager",
        summary="Hand in alerts, as Alertmanager's webhook (version 4)",
        **_documented(shapes.Recorded, 400, 401, 403, 413, 503, body=shapes.WebhookIn),
    )
    async def alertmanager(request: Request, _by: Token = need(Role.WEBHOOK)) -> Response:
        return _json({"recorded": await engine.hook(await json_body(request, limit=HOOK_LIMIT))})

    @app.post(
        "/hooks/deploy",
        summary="Say that something went live",
        **_documented(shapes.FactShape, 400, 401, 403, 413, 503, body=shapes.DeployIn),
    )
    async def deploy(request: Request, by: Token = need(Role.WEBHOOK)) -> Response:
        sent = await _read(request, shapes.DeployIn)
        return _json((await engine.deploy(sent, by=by.name)).to_json())

    # --- incidents ---------------------------------------------------------------------------

    @app.get(
        "/api/incidents",
        summary="List incidents",
        **_documented(shapes.Incidents, 400, 401, 403, 503),
    )
    async def incidents(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        open: Annotated[bool, Query(description="Only open ones.")] = False,
        _by: Token = need(Role.OBSERVER),
    ) -> Response:
        rows = await engine.listed(limit=limit, only_open=open)
        return _json(
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
        **_documented(shapes.IncidentShape, 400, 401, 403, 404, 503),
    )
    async def incident(incident: _IncidentId, _by: Token = need(Role.OBSERVER)) -> Response:
        state = await engine.state(incident)
        deploys = await engine.deploys(state.service)
        links = {view: link_of(state.id, view, state.paged_at) for view in VIEWS}
        shown = state.to_json() | {"links": links, "deploys": [d.to_json() for d in deploys[-50:]]}
        return _json(shown)

    def saying(
        path: str, kind: str, shape: type[BaseModel], summary: str, **fixed: object
    ) -> Callable[[str, Request, Token], Awaitable[Response]]:
        @app.post(
            f"/api/incidents/{{incident}}/{path}",
            summary=summary,
            operation_id=f"{path.replace('-', '_')}_incident",
            **_documented(shapes.FactShape, 400, 401, 403, 404, 409, 413, 503, body=shape),
        )
        async def said(
            incident: _IncidentId, request: Request, by: Token = need(Role.RESPONDER)
        ) -> Response:
            data = {**(await _read(request, shape)), **fixed}
            fact = await engine.say(incident, kind, data, by=by.name, source="responder")
            return _json(fact.to_json())

        return said

    saying("ack", Kind.ACKNOWLEDGED, shapes.NothingIn, "Say: I have it")
    saying("note", Word.NOTED, shapes.NoteIn, "Put a note on record")
    saying("finding", Kind.FINDING, Finding, "Put on record what one step of the funnel showed")
    saying("mitigation", Kind.MITIGATION_APPLIED, shapes.MitigationIn, "Say what was done")
    saying("role", Word.ROLE_TAKEN, shapes.RoleIn, "Say who is commander, on-call or scribe")
    saying("resolve", Word.RESOLVED, shapes.ClosingIn, "Close it")
    saying("false-alarm", Word.FALSE_ALARM, shapes.ClosingIn, "Close it: there was nothing")
    saying("merge", Word.MERGED, shapes.MergeIn, "Close it: another incident is the same one")
    saying(
        "postmortem", Kind.POSTMORTEM_DRAFTED, shapes.PostmortemIn, "Say where the postmortem is"
    )

    # --- deeplinks ---------------------------------------------------------------------------

    @app.get(
        "/go/{token}",
        summary="Follow a deeplink of a page",
        status_code=302,
        response_class=Response,
        responses=_problems(400, 403, 404, 503) | {302: {"description": "Where it leads."}},
    )
    async def go(token: str, request: Request) -> Response:
        found, view = signer.read(token, now=engine.now())
        by = await gate.recognise(request.headers.get("authorization"))
        is_responder = by is not None and by.role in (Role.RESPONDER, Role.FACILITATOR)
        state = await engine.opened(found, view, by=by.name if by and is_responder else None)
        where = destination(state, view, templates or {})
        return Response(status_code=302, headers={"location": where, **_HEADERS})

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
        responses=_problems(503),
    )
    async def readyz() -> Response:
        await asyncio.to_thread(ready)
        return PlainTextResponse("ready\n")

    @app.get(
        "/metrics",
        summary="How the service itself does, for Prometheus",
        response_class=PlainTextResponse,
        responses=_problems(401, 403, 503),
    )
    async def metrics(request: Request, _by: Token = need(Role.OBSERVER)) -> Response:
        measures: Measures = request.state.measures
        return Response(measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get(
        "/openapi.json",
        summary="This document",
        responses=_problems(401, 403, 503) | {200: {"description": "OpenAPI 3.1"}},
    )
    async def openapi(_by: Token = need(Role.OBSERVER)) -> Response:
        return _json(document(app))

    return Measures(app, engine=engine)


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: every status a route can answer with is in it."""
    described = app.openapi()
    components = described.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path in described["paths"].values():
        for operation in path.values():
            # A request that does not fit is answered with 400 and a sentence, like all others.
            operation["responses"].pop("422", None)
            if "401" in operation["responses"]:
                operation["security"] = [{"token": []}]
    for unused in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(unused, None)
    return described


def _explain_errors(app: FastAPI) -> None:
    @app.exception_handler(GamedayError)
    async def explain(_request: Request, error: GamedayError) -> JSONResponse:
        status = next((s for kind, s in _STATUS if isinstance(error, kind)), 503)
        again = {"retry-after": "1"} if status == 503 else {}
        return _json({"error": str(error)}, status=status, headers=again)

    @app.exception_handler(Denied)
    async def deny(_request: Request, denied: Denied) -> JSONResponse:
        headers = {"www-authenticate": "Bearer"} if denied.status == 401 else {}
        return _json({"error": str(denied)}, status=denied.status, headers=headers)

    @app.exception_handler(HTTPException)
    async def refuse(_request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        return _json({"error": str(error.detail)}, status=error.status_code, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def misfit(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _json({"error": _sentence(error.errors())}, status=400)

    @app.exception_handler(Exception)
    async def fault(_request: Request, _error: Exception) -> JSONResponse:
        return _json({"error": "gameday has a fault; its log has more"}, status=500)


async def _read(request: Request, shape: type[BaseModel]) -> dict[str, Any]:
    sent = whole_text(await json_body(request, limit=WORD_LIMIT))
    try:
        return shape.model_validate(sent).model_dump(mode="json")
    except ValidationError as error:
        raise UsageError(_sentence(error.errors())) from error


def _sentence(errors: Sequence[Any]) -> str:
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _json(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers={**_HEADERS, **(headers or {})})


def _documented(
    answer: type[BaseModel], *statuses: int, body: type[BaseModel] | None = None
) -> dict[str, Any]:
    said: dict[str, Any] = {"response_model": answer, "responses": _problems(*statuses)}
    if body is not None:
        schema = body.model_json_schema()
        definitions = schema.pop("$defs", {})
        said["openapi_extra"] = {
            "requestBody": {
                "required": bool(schema.get("required")),
                "content": {"application/json": {"schema": _inlined(schema, definitions)}},
            }
        }
    return said


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema without references: inside a document they would point elsewhere."""
    if isinstance(schema, list):
        return [_inlined(s, definitions) for s in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {k: _inlined(v, definitions) for k, v in schema.items()}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": shapes.Problem, "description": _WORDS[s]} for s in statuses}
