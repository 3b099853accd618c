"""What an open page hears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from gameday.server.console.live import MOST, MOST_EACH, Streams
from gameday.server.gate import Denied


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

    first = await said_first(streams.events(pulse, burn, whom="ann", allowed=yes), 3)

    assert first[1:] == [
        'event: changed\ndata: {"pulse": "triggered/1"}\n\n',
        'event: burn\ndata: {"rates": {"5m": 21.5, "6h": null}}\n\n',
    ]


async def test_a_stream_ends_with_its_session() -> None:
    streams = Streams()

    heard = [event async for event in streams.events(pulse, burn, whom="ann", allowed=no)]

    assert [e.partition("\n")[0] for e in heard] == ["retry: 1000", "event: changed"]


async def test_streams_end_when_the_server_goes_down() -> None:
    streams = Streams()
    streams.close()

    assert [event async for event in streams.events(pulse, burn, whom="ann", allowed=yes)] == [
        "retry: 1000\n\n"
    ]


@pytest.mark.parametrize(
    ("visitors", "limit", "status"), [(1, MOST_EACH, 429), (MOST, MOST, 503)], ids=["one", "all"]
)
async def test_there_are_no_more_streams_than_can_be_looked_after(
    visitors: int, limit: int, status: int
) -> None:
    streams = Streams()

    def whom(number: int) -> str:
        return str(number % visitors)

    opened = [streams.events(pulse, None, whom=whom(n), allowed=yes) for n in range(limit)]
    for number, events in enumerate(opened):
        streams.refuse_if_full(whom(number))
        await anext(events)

    with pytest.raises(Denied) as denied:
        streams.refuse_if_full(whom(0))
    assert status == denied.value.status
    late = streams.events(pulse, None, whom=whom(0), allowed=yes)
    assert [] == [event async for event in late]
    for events in opened:
        await events.aclose()  # type: ignore[attr-defined]  # a generator's
    streams.refuse_if_full(whom(0))


async def test_many_pages_about_one_incident_cost_one_look() -> None:
    looks = []

    async def look() -> str:
        looks.append(1)
        return "triggered/1"

    streams = Streams()
    seen = {await streams.pulse("an incident", look) for _ in range(10)}

    assert (seen, len(looks)) == ({"triggered/1"}, 1)
