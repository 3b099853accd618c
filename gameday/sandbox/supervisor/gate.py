"""The gate before Prometheus and Alertmanager, which know no rights: who is in may do everything.

Both ask for a password that only the supervisor has. What others are to see of them passes through
here, where reading is all there is: a browser may be let in and still nothing changes.
"""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gameday.http.guard import PROMETHEUS_READS
from gameday.http.proof import Bearer

USER = "gameday"
"""Whose password it is."""

_PASSED_ON = ("accept", "accept-encoding", "content-type", "if-none-match", "if-modified-since")
_NOT_PASSED_BACK = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_NOT_PASSED_BACK |= {"access-control-allow-origin", "access-control-allow-methods"}


class ReadingGate:
    """A way in that only reads, to one tool.

    Args:
        url: of the tool itself; password: its own.
    """

    def __init__(self, url: str, *, password: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, auth=Bearer(password, basic=USER), timeout=30, trust_env=False
        )

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[Route("/{path:path}", self._pass, methods=["GET", "HEAD", "POST"])]
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _pass(self, request: Request) -> Response:
        path = request.url.path
        if request.method == "POST" and path not in PROMETHEUS_READS:
            return JSONResponse({"error": "this is for reading alone"}, 403)
        try:
            answer = await self._http.request(
                request.method,
                httpx.URL(path=path, query=request.scope["query_string"] or None),
                headers={n: request.headers[n] for n in _PASSED_ON if n in request.headers},
                content=await request.body(),
            )
        except httpx.HTTPError as error:
            return JSONResponse({"error": f"it does not answer: {type(error).__name__}"}, 502)
        headers = {
            k: v
            for k, v in answer.headers.items()
            if k not in _NOT_PASSED_BACK and k != "content-encoding"
        }
        return Response(answer.content, answer.status_code, headers)
