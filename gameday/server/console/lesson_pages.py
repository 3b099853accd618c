"""The pages of what was learned; they are read, and change nothing."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from gameday.server.console.guard import SessionGuard
from gameday.server.console.lessons import StoredLessons
from gameday.server.console.rendering import Renderer


def routes(app: FastAPI, lessons: StoredLessons, guard: SessionGuard, renderer: Renderer) -> None:
    """Add the pages of lessons to an application."""

    @app.get("/lessons")
    async def listed(request: Request) -> Response:
        session = await guard.session(request)
        return renderer.page(
            "lessons.html",
            session,
            postmortems=await lessons.postmortems(),
            items=await lessons.open_items(),
        )

    @app.get("/lessons/postmortems/{id}")
    async def postmortem(id: str, request: Request) -> Response:
        session = await guard.session(request)
        return renderer.page("postmortem.html", session, one=await lessons.postmortem(id))

    @app.get("/lessons/items/{id}")
    async def item(id: str, request: Request) -> Response:
        session = await guard.session(request)
        found, changes = await lessons.item(id)
        return renderer.page("item.html", session, item=found, changes=changes)
