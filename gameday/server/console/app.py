"""The console as an ASGI application of its own, mounted at ``/console`` by both servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from gameday.diagnosis.instruments import Instruments
from gameday.errors import GamedayError, Pruned, Refused, UsageError
from gameday.http.origin import is_from_elsewhere
from gameday.incidents.engine import NoSuchIncident
from gameday.ports import Role
from gameday.server.body import TooLarge
from gameday.server.console import incident_pages, lesson_pages, run_pages
from gameday.server.console.forms import fields_of
from gameday.server.console.guard import (
    BASE,
    SessionGuard,
    SignInFirst,
    headers,
    own_path,
    to_sign_in,
    with_cookies,
)
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.lessons import StoredLessons
from gameday.server.console.live import Streams
from gameday.server.console.readings import Readings
from gameday.server.console.rendering import Renderer, plotly_js
from gameday.server.console.subject import Runs
from gameday.server.gate import Denied
from gameday.server.sessions import Sessions

ASSETS = Path(__file__).parent / "assets"
WEEK = 7 * 86400

_STATUS = (
    (NoSuchIncident, 404),
    (Pruned, 410),
    (TooLarge, 413),
    (UsageError, 400),
    (Refused, 409),
)


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages stand on.

    Attributes:
        lessons: what was learned; None: there are no pages of it, as in a run's console.
        by_link: whether a secret in a link signs in: a run's, which is gone with the run.
    """

    incidents: EngineIncidents
    runs: Runs
    sessions: Sessions
    instruments: Instruments
    now: Callable[[], datetime]
    lessons: StoredLessons | None = None
    by_link: bool = False
    streams: Streams = field(default_factory=Streams)


def console_app(console: Console) -> FastAPI:
    """Return the application; it is to be mounted at ``/console``."""
    app = FastAPI(
        title="gameday console",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    guard = SessionGuard(console.sessions, acting=console.incidents.acting)
    renderer = Renderer(now=console.now, has_lessons=console.lessons is not None)
    readings = Readings(console.instruments, now=console.now)
    _explain_errors(app, renderer)
    _doors(app, console, guard, renderer)
    _assets(app)
    incident_pages.routes(app, console.incidents, guard, renderer, readings, console.streams)
    run_pages.routes(app, console.runs, guard, renderer, readings, console.streams)
    if console.lessons is not None:
        lesson_pages.routes(app, console.lessons, guard, renderer)
    return app


def _doors(app: FastAPI, console: Console, guard: SessionGuard, renderer: Renderer) -> None:
    sessions = console.sessions

    @app.get("/")
    async def home(request: Request) -> Response:
        session = await guard.session(request)
        where = f"{BASE}/incidents"
        if console.by_link:  # there is one run, and at most one incident
            if session.visitor.role is Role.FACILITATOR:
                found = await console.runs.listed()
                where = f"{BASE}/runs/{found[0].id}" if found else where
            else:
                rows = await console.incidents.listed(limit=1, only_open=True)
                where = f"{where}/{rows[0].id}" if rows else where
        return RedirectResponse(where, status_code=303, headers=headers())

    @app.get("/sign-in")
    async def ask(request: Request) -> Response:
        back = own_path(request.query_params.get("next", ""))
        return renderer.page("sign_in.html", None, back=back, by_link=console.by_link)

    @app.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        if is_from_elsewhere(request.headers):
            raise Denied(403, "sign in from this server's own page")
        sent = await fields_of(request)
        found = await sessions.begin(sent.one("token"))
        back = own_path(sent.one("next"))
        if found is None:
            return renderer.page(
                "sign_in.html",
                None,
                status=401,
                back=back,
                by_link=console.by_link,
                error="This token is not in force, or opens no page.",
            )
        return with_cookies(RedirectResponse(back, 303, headers=headers()), found[1])

    @app.get("/enter/{secret}")
    async def by_link(secret: str) -> Response:
        found = await sessions.begin(secret) if console.by_link else None
        if found is None:
            raise Denied(403, "this link opens nothing; is it of a run that goes on?")
        response = RedirectResponse(f"{BASE}/", status_code=303, headers=headers())
        return with_cookies(response, found[1])

    @app.get("/whoami")
    async def whoami(request: Request) -> Response:
        session = await sessions.of(request.cookies)
        return JSONResponse({"in": session is not None}, headers=headers())

    @app.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        await guard.form(request)
        response = RedirectResponse(f"{BASE}/sign-in", status_code=303, headers=headers())
        return with_cookies(response, sessions.end())


def _assets(app: FastAPI) -> None:
    kept = {"cache-control": f"public, max-age={WEEK}, immutable"} | {
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
    }

    @app.get("/assets/{version}/{name}")
    async def asset(version: str, name: str) -> Response:
        kinds = {"console.css": "text/css", "console.js": "text/javascript"}
        if name == "plotly.js":
            return FileResponse(plotly_js(), media_type="text/javascript", headers=kept)
        if name not in kinds:
            raise HTTPException(404, "there is no such file")
        return FileResponse(ASSETS / name, media_type=kinds[name], headers=kept)


def _explain_errors(app: FastAPI, renderer: Renderer) -> None:
    def sorry(status: int, words: str) -> Response:
        return renderer.page("sorry.html", None, status=status, code=status, words=words)

    @app.exception_handler(SignInFirst)
    async def sign_in(request: Request, _: SignInFirst) -> Response:
        return to_sign_in(request)

    @app.exception_handler(Denied)
    async def deny(_: Request, denied: Denied) -> Response:
        return sorry(denied.status, str(denied))

    @app.exception_handler(GamedayError)
    async def explain(_: Request, error: GamedayError) -> Response:
        status = next((s for kind, s in _STATUS if isinstance(error, kind)), 503)
        return sorry(status, str(error))

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> Response:
        return sorry(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def misfit(_: Request, __: RequestValidationError) -> Response:
        return sorry(400, "the request cannot be read")

    @app.exception_handler(Exception)
    async def fault(_: Request, __: Exception) -> Response:
        return sorry(500, "gameday has a fault; its log has more")
