"""Where the pages of a drill come in that a system's Alertmanager, or a Grafana, sends to it.

An address of its own, and one path on it: whoever may send pages reaches no console and no API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from gameday.errors import UsageError
from gameday.http.proof import hash_of
from gameday.incidents.alerts import alerts_of
from gameday.ports import Role, Token
from gameday.rules.alert_routes import HOOK
from gameday.server.answers import answer, explain_errors
from gameday.server.body import HOOK_LIMIT, json_body
from gameday.server.gate import Denied, Gate
from gameday.server.listening import listening
from gameday.server.process import listen
from gameday.settings import HookSettings

Take = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Takes what a webhook says; what it raises the sender hears, and sends it again."""

UNKNOWN = (
    "this is not the token that the settings name, `[hook] token`: send it as `Authorization:"
    " Bearer …` (`http_config: {authorization: {credentials: …}}` in Alertmanager's receiver)"
)


class PageDoor:
    """The address that pages are sent to, from when it is made until it is closed.

    Args:
        settings: where, and by which token.

    Raises:
        UsageError: the settings name no token, or the address is taken.
    """

    def __init__(self, settings: HookSettings) -> None:
        if not settings.token.get_secret_value():
            raise UsageError(
                "the system's pages are sent here by a webhook, and no token is set by which its"
                " sender is known: set `[hook] token` (GAMEDAY_HOOK_TOKEN)"
            )
        self._token = settings.token
        self._listener = listen(*settings.place, otherwise="set `[hook] listen`")

    def close(self) -> None:
        """Give the address back, also where nothing was ever served."""
        self._listener.close()

    @asynccontextmanager
    async def taking(
        self, take: Take, *, denied: Callable[[], None] = lambda: None
    ) -> AsyncIterator[None]:
        """Take what is sent, for as long as the context lasts, and close the address.

        Args:
            denied: called where somebody sends without the token.
        """
        async with listening(page_app(take, self._token, denied=denied), self._listener):
            yield


def page_app(take: Take, token: SecretStr, *, denied: Callable[[], None] = lambda: None) -> FastAPI:
    """Return the application that takes pages; see `PageDoor.taking`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    explain_errors(app)
    now = datetime.now(UTC)
    known = Token("pages", hash_of(token.get_secret_value()), Role.WEBHOOK, "pages", now)
    gate = Gate(lambda: [known])

    @app.post(HOOK)
    async def sent(request: Request) -> Response:
        if await gate.recognise(request.headers.get("authorization")) is None:
            denied()
            raise Denied(401, UNKNOWN)
        said = await json_body(request, limit=HOOK_LIMIT)
        alerts_of(
            said, received_at=datetime.now(UTC)
        )  # what is none is told so, and not sent again
        await take(said)
        return answer({"taken": True})

    return app
