"""The bot's process: ``python -m gameday.cli.bot`` waits for a page on standard input.

It has brought along what it works with before it is paged. What it knows is the page, and beside
it the token that lets it speak for the on-call, and what lets it read where the links lead;
everything else it finds by following the page's links.
"""

from __future__ import annotations

import asyncio
import json
import sys

from pydantic import ValidationError

from gameday.diagnosis.renamed import RenamedProfiles, RenamedTraces
from gameday.drivers.clock import SteadyClock
from gameday.drivers.desk import HttpDesk
from gameday.drivers.git import GitHistory
from gameday.drivers.prometheus import Prometheus
from gameday.drivers.pyroscope import PyroscopeProfiles
from gameday.errors import GamedayError
from gameday.house.targets.instruments import traces_at
from gameday.http.credentials import Credentials
from gameday.http.keys import learn
from gameday.model.page import Page
from gameday.model.toolbox import Instrument, Toolbox
from gameday.ports import ProfileSource, SignalSource, TraceSource
from gameday.responder.bot import Bot


def main() -> int:
    """Answer one page; return 0 when the work is done, 1 with one sentence when it cannot be."""
    try:
        text = sys.stdin.buffer.read(1_000_000)
        if not text:
            return 0  # a game day without a page
        said = json.loads(text)
        page, token = Page.model_validate(said["page"]), str(said["token"])
        toolbox = Toolbox.model_validate(said.get("toolbox") or {})
        learn({str(url): str(key) for url, key in dict(said.get("keys") or {}).items()})
    except ValidationError as error:
        print(f"this is no page: {error.errors()[0]['msg']}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, KeyError) as error:
        print(f"a page and a token are expected: {error!r}", file=sys.stderr)
        return 1
    try:
        asyncio.run(_answer(page, token, toolbox))
    except GamedayError as error:
        print(str(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _answer(page: Page, token: str, toolbox: Toolbox) -> None:
    def metrics(url: str) -> SignalSource:
        return Prometheus(url, credentials=_shown_to(toolbox.at(url)))

    def traces(url: str) -> TraceSource:
        told = toolbox.at(url)
        store = traces_at(url, is_tempo=told.is_tempo, credentials=_shown_to(told))
        return RenamedTraces(store, told.names, region=told.region)

    def profiles(url: str) -> ProfileSource:
        pyroscope = PyroscopeProfiles(url, credentials=_shown_to(toolbox.at(url)))
        return RenamedProfiles(pyroscope, toolbox.at(url).names)

    bot = Bot(
        desk=HttpDesk(page.incident, token=token),
        open_metrics=metrics,
        open_traces=traces,
        open_profiles=profiles,
        code=GitHistory(),
        clock=SteadyClock(),
        toolbox=toolbox,
    )
    await bot.work(page)


def _shown_to(instrument: Instrument) -> Credentials:
    return Credentials(instrument.headers, instrument.ca, instrument.cert, instrument.key)
