"""The bot's process stands by, is given its page, and is gone when it is told to leave."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import psutil
import pytest

from gameday.errors import PermanentDriverError
from gameday.house.processes.bot_process import BotProcess
from gameday.model.notification import Notification
from gameday.model.page import Links, Page
from gameday.testing.virtual import START, VirtualClock

pytestmark = pytest.mark.served

LINKS = Links(red="r", traces="t", profile="p", runbook="b")
NOTIFICATION = Notification(
    key="I",
    summary="",
    service="shop",
    source="prometheus",
    links=LINKS,
    page=Page(
        incident="http://127.0.0.1:9/incident",  # where nobody listens
        service="shop",
        slo="checkout-latency",
        alert="Burning",
        fired_at=START,
        burn_from=START,
        burn_until=START,
        links=LINKS,
    ),
)


def bot() -> BotProcess:
    return BotProcess(clock=VirtualClock(), token="t", at_home=lambda page: page)


def children() -> list[int]:
    """Our bots that are alive."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # a zombie too
            if "gameday.cli.bot" in child.cmdline():
                found.append(child.pid)
    return found


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_it_waits_for_its_page_from_the_beginning_and_is_the_one_who_gets_it() -> None:
    responder = bot()
    await responder.stand_by()
    (waiting,) = children()
    await responder.stand_by()

    await responder.page(NOTIFICATION)

    assert [waiting] == children()
    code, words = await asyncio.wait_for(responder.ended(), 60)
    assert (1, True) == (code, bool(words)), "nobody serves the incident of this page"
    await responder.leave()


async def test_one_that_is_not_paged_leaves_without_a_trace() -> None:
    responder = bot()
    await responder.stand_by()
    (waiting,) = children()

    await responder.leave()

    assert not psutil.pid_exists(waiting)
    await responder.stand_by()
    assert [] == children(), "nobody comes back after the game day"


async def test_one_that_died_while_it_waited_is_replaced_when_the_page_comes() -> None:
    responder = bot()
    await responder.stand_by()
    (waiting,) = children()
    os.kill(waiting, signal.SIGKILL)
    while is_alive(waiting):
        await asyncio.sleep(0.01)

    await responder.page(NOTIFICATION)

    (other,) = children()
    assert other != waiting
    await responder.leave()


async def test_nobody_answers_a_page_after_the_game_day() -> None:
    responder = bot()
    await responder.leave()

    with pytest.raises(PermanentDriverError, match="the game day is over"):
        await responder.page(NOTIFICATION)
