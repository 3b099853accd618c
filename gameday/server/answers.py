"""How the service answers: JSON with safe headers, errors as statuses, and all of it documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from gameday.errors import GamedayError, Pruned, Refused, UsageError
from gameday.incidents.engine import NoSuchIncident
from gameday.incidents.links import LinkRefused
from gameday.server import shapes
from gameday.server.body import WORD_LIMIT, TooLarge, json_body, whole_text
from gameday.server.gate import Denied

_STATUS: Sequence[tuple[type[GamedayError], int]] = (
    (NoSuchIncident, 404),
    (LinkRefused, 403),
    (TooLarge, 413),
    (Pruned, 410),
    (UsageError, 400),
    (Refused, 409),
)
"""What an error of the engine means to a client; anything else: come back later, 503."""

_WORDS = {
    400: "The request cannot be read.",
    401: "There is no token (or signature), or none that is in force.",
    403: "The token does not open this.",
    404: "There is no such incident.",
    409: "It cannot be done as the incident stands.",
    410: "Its facts were deleted by the retention.",
    413: "The body is too large.",
    503: "It could not be written down; send it again.",
}

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: every status a route can answer with is in it."""
    described = app.openapi()
    components = described.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path in described["paths"].values():
        for operation in path.values():
            # A request that does not fit is answered with 400 and a sentence, like all others.
            operation["responses"].pop("422", None)
            if "401" in operation["responses"] and "security" not in operation:
                operation["security"] = [{"token": []}]
    for unused in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(unused, None)
    return described


def explain_errors(app: FastAPI) -> None:
    @app.exception_handler(GamedayError)
    async def explain(_request: Request, error: GamedayError) -> JSONResponse:
        status = next((s for kind, s in _STATUS if isinstance(error, kind)), 503)
        again = {"retry-after": "1"} if status == 503 else {}
        return answer({"error": str(error)}, status=status, headers=again)

    @app.exception_handler(Denied)
    async def deny(_request: Request, denied: Denied) -> JSONResponse:
        headers = {"www-authenticate": "Bearer"} if denied.status == 401 else {}
        return answer({"error": str(denied)}, status=denied.status, headers=headers)

    @app.exception_handler(HTTPException)
    async def refuse(_request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        return answer({"error": str(error.detail)}, status=error.status_code, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def misfit(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer({"error": _sentence(error.errors())}, status=400)

    @app.exception_handler(Exception)
    async def fault(_request: Request, _error: Exception) -> JSONResponse:
        return answer({"error": "gameday has a fault; its log has more"}, status=500)


async def read(request: Request, shape: type[BaseModel]) -> dict[str, Any]:
    sent = whole_text(await json_body(request, limit=WORD_LIMIT))
    try:
        return shape.model_validate(sent).model_dump(mode="json")
    except ValidationError as error:
        raise UsageError(_sentence(error.errors())) from error


def _sentence(errors: Sequence[Any]) -> str:
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def answer(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers={**HEADERS, **(headers or {})})


def documented(
    answer: type[BaseModel], *statuses: int, body: type[BaseModel] | None = None
) -> dict[str, Any]:
    said: dict[str, Any] = {"response_model": answer, "responses": problems(*statuses)}
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


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": shapes.Problem, "description": _WORDS[s]} for s in statuses}
