"""What an open page hears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from gameday.server.console.live import MOST, Streams


async def said_first(events: AsyncIterator[str], count: int) -> list[str]:
    found = []
    async for event in events:
        found.append(event)
        if len(found) == count:
            break
    await events.aclose()  # type: ignore[attr-defined]  # a generator's
    return found


async def pulse() -> str:
    return "triggered/1"


async def burn() -> Mapping[str, Any]:
    return {"rates": {"5m": 21.5, "6h": None}}


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def test_a_page_hears_at_once_how_things_stand() -> None:
    streams = Streams()

    first = await said_first(streams.events(pulse, burn, allowed=yes), 3)

    assert first[1:] == [
        'event: changed\ndata: {"pulse": "triggered/1"}\n\n',
        'event: burn\ndata: {"rates": {"5m": 21.5, "6h": null}}\n\n',
    ]


async def test_a_stream_ends_with_its_session() -> None:
    streams = Streams()

    heard = [event async for event in streams.events(pulse, burn, allowed=no)]

    assert [e.partition("\n")[0] for e in heard] == ["retry: 1000", "event: changed"]


async def test_streams_end_when_the_server_goes_down() -> None:
    streams = Streams()
    streams.close()

    assert [event async for event in streams.events(pulse, burn, allowed=yes)] == [
        "retry: 1000\n\n"
    ]


async def test_there_are_no_more_streams_than_can_be_looked_after() -> None:
    streams = Streams()
    opened = [streams.events(pulse, None, allowed=yes) for _ in range(MOST)]
    for events in opened:
        await anext(events)

    assert streams.is_full
    for events in opened:
        await events.aclose()  # type: ignore[attr-defined]  # a generator's
    assert not streams.is_full


async def test_many_pages_about_one_incident_cost_one_look() -> None:
    looks = []

    async def look() -> str:
        looks.append(1)
        return "triggered/1"

    streams = Streams()
    seen = {await streams.pulse("an incident", look) for _ in range(10)}

    assert (seen, len(looks)) == ({"triggered/1"}, 1)
