"""Refuses what a page of another site asks for in the name of whoever looks at it."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers

from gameday.http.origin import is_taken_in
from gameday.server.answers import answer


class NotTakenIn:
    """An ASGI application that no page of another site may have in itself; links to it work.

    Nothing would be told to such a page anyway, and what changes something asks for a token. But
    the request would be made, with the cookies of whoever looks, and would count as theirs.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "http" and is_taken_in(Headers(scope=scope)):
            refusal = answer({"error": "a page of another site asked for this"}, status=403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
