"""Where pages wait to be fetched: ``python -m gameday.sandbox.pods mailbox --port N``.

Alertmanager runs inside the cluster and gameday outside, often behind a router: nothing can call
it. So Alertmanager's webhook is this process, which notes when each page arrived, and gameday asks
for what is new. What lies here is kept in memory, the newest `KEPT` only; ``box`` changes when the
process starts anew, and the numbers begin again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from gameday.sandbox.pods import releases
from gameday.sandbox.pods.service import FOLDER

KEPT = 500
BODY_LIMIT = 2 * 1024 * 1024
LONGEST_WAIT_SECONDS = 25.0


def _now() -> datetime:
    return datetime.now(UTC)


class Mailbox:
    """The newest pages, numbered as they came."""

    def __init__(self, *, now: Callable[[], datetime] = _now) -> None:
        self.box = secrets.token_hex(8)
        self._now = now
        self._letters: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._last = 0
        self._arrived = asyncio.Event()

    def put(self, payload: Any) -> int:
        """Keep a page and return its number."""
        self._last += 1
        arrived_at = self._now().isoformat()
        self._letters.append({"number": self._last, "arrived_at": arrived_at, "payload": payload})
        self._arrived.set()
        self._arrived = asyncio.Event()
        return self._last

    async def after(self, number: int, *, wait_seconds: float) -> dict[str, Any]:
        """Return what came after this number, at once or as soon as something comes.

        Args:
            number: below zero: nothing but the last number, to begin from.
            wait_seconds: how long to wait where there is nothing new.
        """
        if number >= 0 and number >= self._last and wait_seconds > 0:
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._arrived.wait()
            except TimeoutError:
                pass
        new = [] if number < 0 else [one for one in self._letters if one["number"] > number]
        return {
            "box": self.box,
            "last": self._last,
            "now": self._now().isoformat(),
            "letters": new,
        }


def create_app(mailbox: Mailbox, *, folder: Path) -> Starlette:
    """Return the application: the webhook, the letters, and the shop's history to download."""

    async def hook(request: Request) -> Response:
        raw = await request.body()
        if len(raw) > BODY_LIMIT:
            return JSONResponse({"error": f"more than {BODY_LIMIT} bytes"}, 413)
        try:
            payload = json.loads(raw)
        except ValueError:
            return JSONResponse({"error": "the body is not JSON"}, 400)
        return JSONResponse({"number": mailbox.put(payload)})

    async def letters(request: Request) -> Response:
        try:
            number = int(request.query_params.get("after", "-1"))
            wait = float(request.query_params.get("wait", "0"))
        except ValueError:
            return JSONResponse({"error": "after and wait are numbers"}, 400)
        wait = min(max(wait, 0.0), LONGEST_WAIT_SECONDS)
        return JSONResponse(await mailbox.after(number, wait_seconds=wait))

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"box": mailbox.box})

    async def bundle(_request: Request) -> Response:
        return FileResponse(folder / releases.BUNDLE, media_type="application/octet-stream")

    async def index(_request: Request) -> Response:
        return FileResponse(folder / releases.INDEX, media_type="application/json")

    return Starlette(
        routes=[
            Route("/hook", hook, methods=["POST"]),
            Route("/letters", letters),
            Route("/healthz", healthz),
            Route(f"/{releases.BUNDLE}", bundle),
            Route(f"/{releases.INDEX}", index),
        ]
    )


def main(options: Sequence[str]) -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.pods mailbox")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=9094)
    parser.add_argument("--folder", type=Path, default=Path(FOLDER))
    chosen = parser.parse_args(options)

    import uvicorn

    uvicorn.run(
        create_app(Mailbox(), folder=chosen.folder),
        host=chosen.host,
        port=chosen.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
