"""The pages of game days: for the facilitator, what goes on; for everybody, what is over."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from gameday.errors import UsageError
from gameday.ports import Role
from gameday.report.numbers import effects_in_words, response_in_words, score_parts
from gameday.report.progress import PHASES, reached, sentence
from gameday.server.console.guard import BASE, SessionGuard, headers
from gameday.server.console.live import Streams
from gameday.server.console.readings import Readings
from gameday.server.console.rendering import Renderer
from gameday.server.console.subject import Runs, RunView
from gameday.server.gate import Denied
from gameday.server.sessions import Session
from scoring.timeline import Kind


def routes(
    app: FastAPI,
    runs: Runs,
    guard: SessionGuard,
    renderer: Renderer,
    readings: Readings,
    streams: Streams,
) -> None:
    """Add the pages of game days to an application."""

    def is_hidden(session: Session, run: Any) -> bool:
        # Also that it goes on, and its name: a scenario is called after its fault.
        return run.ended_at is None and session.visitor.role is not Role.FACILITATOR

    async def seen(session: Session, run: str) -> RunView:
        shown = await runs.shown(run)
        if is_hidden(session, shown.record):
            raise UsageError(f"there is no run {run!r}; `gameday runs` lists them")
        return shown

    @app.get("/runs")
    async def listed(request: Request) -> Response:
        session = await guard.session(request)
        wanted = request.query_params.get("q", "").strip()[:200]
        found = [r for r in await runs.listed() if not is_hidden(session, r)]
        words = wanted.lower().split()
        shown = [
            r
            for r in found
            if all(w in f"{r.id} {r.scenario} {r.target} {r.verdict}".lower() for w in words)
        ]
        return renderer.page("runs.html", session, rows=shown, q=wanted)

    @app.get("/runs/{run}")
    async def one(run: str, request: Request) -> Response:
        session = await guard.session(request)
        return page("run.html", session, await seen(session, run))

    @app.get("/runs/{run}/live")
    async def live(run: str, request: Request) -> Response:
        session = await guard.session(request)
        return page("run_live.html", session, await seen(session, run))

    @app.get("/runs/{run}/events")
    async def events(run: str, request: Request) -> Response:
        session = await guard.facilitator(request)
        streams.refuse_if_full(session.visitor.id)
        await seen(session, run)

        async def pulse() -> str:
            return await streams.pulse(f"run/{run}", lambda: runs.pulse(run))

        async def allowed() -> bool:
            return await guard.is_in(request)

        found = streams.events(pulse, None, whom=session.visitor.id, allowed=allowed)
        return StreamingResponse(found, media_type="text/event-stream", headers=headers())

    @app.post("/runs/{run}/abort")
    async def abort(run: str, request: Request) -> Response:
        session, sent = await guard.form(request)
        if session.visitor.role is not Role.FACILITATOR:
            raise Denied(403, "only a facilitator aborts a game day")
        if sent.one("sure") != "yes":
            raise UsageError("tick the box first: everything is recovered and the run is over then")
        await runs.abort(run, session.visitor)
        return RedirectResponse(f"{BASE}/runs/{run}", 303, headers=headers())

    def page(template: str, session: Session, shown: RunView) -> Response:
        result = shown.result
        return renderer.page(
            template,
            session,
            run=shown,
            steps=_steps(shown),
            told=_told(shown),
            numbers=score_parts(result.score) if result else (),
            response=response_in_words(result) if result else (),
            mitigations=effects_in_words(result) if result else (),
        )


def _steps(run: RunView) -> list[tuple[str, Any, float | None]]:
    """Return every phase with its fact, if it has come, and its seconds from the injection."""
    injected = reached(run.facts, Kind.FAULT_INJECTED)
    steps = []
    for name, kind in PHASES:
        fact = reached(run.facts, kind)
        after = None
        if fact is not None and injected is not None:
            after = (fact.happened_at - injected.happened_at).total_seconds()
        steps.append((name, fact, after))
    return steps


def _told(run: RunView) -> list[tuple[Any, str]]:
    return [(f, words) for f in run.facts if (words := sentence(f))]
