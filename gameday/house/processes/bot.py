"""The bot's process: ``python -m gameday.cli.bot`` with a page on standard input.

What it knows is the page; everything else it finds by following the page's links.
"""

from __future__ import annotations

import asyncio
import sys

from gameday.errors import GamedayError
from gameday.model.page import Page


def main() -> int:
    """Answer one page; return 0 when the work is done, 1 with one sentence when it cannot be."""
    from pydantic import ValidationError

    try:
        page = Page.model_validate_json(sys.stdin.buffer.read(1_000_000))
    except ValidationError as error:
        print(f"this is no page: {error.errors()[0]['msg']}", file=sys.stderr)
        return 1
    try:
        asyncio.run(_answer(page))
    except GamedayError as error:
        print(str(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _answer(page: Page) -> None:
    from gameday.drivers.clock import SystemClock
    from gameday.drivers.desk import HttpDesk
    from gameday.drivers.git import GitHistory
    from gameday.drivers.jaeger import JaegerTraces
    from gameday.drivers.prometheus import Prometheus
    from gameday.drivers.pyroscope import PyroscopeProfiles
    from gameday.responder.bot import Bot

    bot = Bot(
        desk=HttpDesk(page.incident),
        open_metrics=Prometheus,
        open_traces=JaegerTraces,
        open_profiles=PyroscopeProfiles,
        code=GitHistory(copies=page.code),
        clock=SystemClock(),
    )
    await bot.work(page)
