"""What stands in front of every API of a sandbox.

An empty token stands for a place of its own, a pod, where the network says who comes.
"""

from __future__ import annotations

from typing import Any

from gameday.http.guard import HEADERS, LoopbackGuard, Reply, RequestHead

__all__ = ["TOKEN", "TokenGuard"]

TOKEN = "GAMEDAY_SANDBOX_TOKEN"
"""Variable in which a component is given the token; one without it asks for none."""


class TokenGuard:
    """An ASGI application behind its token.

    Args:
        token: opens everything; empty: nobody is asked for anything.
        reads: POSTs that only read, as the beginning of their paths.
        pushes: paths that take the token which only hands telemetry in.
        is_readable: whether the token that only reads opens what only reads.
    """

    def __init__(
        self,
        app: Any,
        *,
        token: str,
        reads: tuple[str, ...] = (),
        pushes: tuple[str, ...] = (),
        is_readable: bool = False,
    ) -> None:
        self._app = app
        self._guard = (
            LoopbackGuard(token, reads=reads, pushes=pushes, is_readable=is_readable)
            if token
            else None
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through, or say why not."""
        if scope["type"] == "lifespan" or self._guard is None:
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket; no API here has one
            await send({"type": "websocket.close", "code": 1008})
            return
        reply = self._guard.reply(
            RequestHead(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
                server=scope.get("server"),
            )
        )
        if reply is None:
            await self._app(scope, receive, _unframed(send))
        else:
            await _answer(send, reply)


def _unframed(send: Any) -> Any:
    own = [(k.encode(), v.encode()) for k, v in HEADERS.items()]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [(k, v) for k, v in message.get("headers", ()) if k.decode() not in HEADERS]
            message = {**message, "headers": kept + own}
        await send(message)

    return sending


async def _answer(send: Any, reply: Reply) -> None:
    body = reply.body
    sent = {"content-type": "application/json", "content-length": str(len(body)), **HEADERS}
    raw = [(k.encode(), v.encode("latin-1")) for k, v in {**sent, **reply.headers}.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
