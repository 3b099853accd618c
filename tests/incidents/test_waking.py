"""Who must be awake is awake: what begins anew pages anew, whatever the pager was told before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from test_incident_engine import DRILL, NOON, House, only, webhook

from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.testing.disk import Inline
from gameday.testing.phones import NightStore, Phones
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Kind


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


async def fired_and_acknowledged(house: House, engine: Engine, **labels: str) -> str:
    await engine.hook(webhook("a", **labels))
    await house.after(engine)
    id = (await engine.listed(limit=1, only_open=True))[0].id
    await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
    await house.after(engine)
    return id


async def cleared(house: House, engine: Engine, fingerprint: str = "a", **labels: str) -> None:
    house.clock.advance(timedelta(minutes=5))
    await engine.hook(webhook(fingerprint, ends=house.clock.now(), **labels))
    await house.after(engine)


async def fires_again(house: House, engine: Engine, fingerprint: str = "a", **labels: str) -> None:
    house.clock.advance(timedelta(minutes=5))
    await engine.hook(webhook(fingerprint, starts=house.clock.now(), **labels))
    await house.after(engine)


def pages(house: House, to: str = "on-call") -> list[str]:
    return [key for act, key, _ in house.bells[to].said if act == "page"]


@pytest.mark.parametrize("fingerprint", ["a", "another instance"])
async def test_an_alert_that_was_acknowledged_and_cleared_pages_when_it_fires_again(
    house: House, fingerprint: str
) -> None:
    async with house.engine().running() as engine:
        id = await fired_and_acknowledged(house, engine)
        await cleared(house, engine)
        await fires_again(house, engine, fingerprint)
        state = await only(engine)
        said = [act for act, _, _ in house.bells["on-call"].said]

    assert ["page", "acknowledge", "resolve", "page"] == said
    first, second = pages(house)
    # Another key, which no tool can take for the page it holds already.
    assert first == id != second
    assert ("triggered", None) == (state.state, state.acked_at)


async def test_what_fires_again_goes_to_the_rota_while_nobody_answers(house: House) -> None:
    async with house.engine().running() as engine:
        await fired_and_acknowledged(house, engine)
        await cleared(house, engine)
        await fires_again(house, engine)
        await house.after(engine, seconds=31)

    assert (2, 1) == (len(pages(house)), len(pages(house, "rota")))


async def test_it_pages_once_and_the_new_answer_ends_every_page(house: House) -> None:
    async with house.engine().running() as engine:
        id = await fired_and_acknowledged(house, engine)
        await cleared(house, engine)
        await fires_again(house, engine)
        await house.after(engine, seconds=10)
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="bob", source="responder")
        await house.after(engine, seconds=40)
        await engine.hook(webhook("b", starts=house.clock.now()))
        await house.after(engine, minutes=10)
    async with house.engine().running() as engine:
        await house.after(engine, minutes=1)

    assert 2 == len(pages(house))
    assert [] == pages(house, "rota")
    assert ("acknowledge", pages(house)[1], False) == house.bells["on-call"].said[-1]


async def test_a_page_whose_end_the_pager_has_not_heard_is_ended_beside_the_new_one(
    house: House,
) -> None:
    bell = house.bells["on-call"]
    async with house.engine().running() as engine:
        await fired_and_acknowledged(house, engine)
        bell.is_down = True
        await cleared(house, engine)
        bell.is_down = False
        await fires_again(house, engine)

    first, second = pages(house)
    ends = [key for act, key, _ in bell.said if act == "resolve"]
    assert [first] == ends
    assert first != second


async def test_an_alert_that_fires_anew_without_a_word_of_its_end_pages_anew(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await fired_and_acknowledged(house, engine)
        await fires_again(house, engine)

    assert 2 == len(pages(house))


async def test_a_ticket_that_somebody_has_does_not_keep_the_page_after_it_from_waking(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await fired_and_acknowledged(house, engine, severity="ticket")
        await fires_again(house, engine, "b")

    assert (1, []) == (len(pages(house)), pages(house, "rota"))


async def two_made_one(house: House, engine: Engine) -> tuple[str, str]:
    whole = await fired_and_acknowledged(house, engine, service="payments")
    await engine.hook(webhook("b"))
    await house.after(engine)
    rows = await engine.listed(limit=10, only_open=True)
    (part,) = [r.id for r in rows if r.id != whole]
    await engine.say(part, Kind.MERGED, {"into": whole}, by="ann", source="responder")
    await house.after(engine)
    return part, whole


async def test_a_merged_incident_that_fires_again_is_one_of_its_own_and_pages(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        part, _ = await two_made_one(house, engine)
        await cleared(house, engine, "b")
        await fires_again(house, engine, "b")
        state = await engine.state(part)
        listed = {r.id: r.state for r in await engine.listed(limit=10, only_open=True)}

    assert ("triggered", None) == (state.state, state.merged_into)
    assert "triggered" == listed[part]
    assert 2 == len([key for key in pages(house) if key.startswith(part)])


async def test_a_merged_incident_that_fires_on_when_the_other_is_over_wakes_somebody(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        part, _ = await two_made_one(house, engine)
        await house.after(engine, minutes=10)
        before = len([key for key in pages(house) if key.startswith(part)])
        await cleared(house, engine, "a", service="payments")
        await house.after(engine, seconds=1)
        after = len([key for key in pages(house) if key.startswith(part)])

    assert (1, 2) == (before, after)


async def chained(house: House, engine: Engine) -> tuple[str, str, str]:
    """Return three incidents that fire, of which the first is part of the second, and so on."""
    ids = []
    for service in ("search", "orders", "payments"):
        await engine.hook(webhook("a", service=service))
        await house.after(engine)
        rows = await engine.listed(limit=10, only_open=True)
        ids.append(next(row.id for row in rows if row.service == service))
    for part, whole in pairwise(ids):
        await engine.say(part, Kind.MERGED, {"into": whole}, by="ann", source="responder")
    await house.after(engine)
    return ids[0], ids[1], ids[2]


async def test_a_part_goes_with_what_its_whole_became_part_of(house: House) -> None:
    async with house.engine().running() as engine:
        part, middle, _ = await chained(house, engine)
        await cleared(house, engine, service="orders")
        before = await engine.state(part)
        await cleared(house, engine, service="payments")
        after = await engine.state(part)

    assert ("merged", middle) == (str(before.state), before.merged_into)
    assert ("triggered", None) == (str(after.state), after.merged_into)
    assert 2 == len([key for key in pages(house) if key.startswith(part)])


async def test_a_part_stays_with_its_whole_where_only_what_that_became_part_of_is_over(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        part, middle, _ = await chained(house, engine)
        await cleared(house, engine, service="payments")
        states = [await engine.state(id) for id in (part, middle)]

    assert ["merged", "triggered"] == [str(state.state) for state in states]


async def test_of_two_that_were_merged_in_turns_one_is_somebodys(house: House) -> None:
    async with house.engine().running() as engine:
        part, whole = await two_made_one(house, engine)
        data = {"text": "", "anyway": True}
        await engine.say(whole, Kind.RESOLVED, data, by="ann", source="responder")
        await house.after(engine, seconds=1)
        await engine.say(whole, Kind.MERGED, {"into": part}, by="ann", source="responder")
        await house.after(engine, seconds=1)
        states = [str((await engine.state(id)).state) for id in (part, whole)]

    assert ["triggered", "merged"] == states
    assert 2 == len([key for key in pages(house) if key.startswith(part)])


@pytest.mark.parametrize(("is_answered", "rings"), [(True, 0), (False, 1)])
async def test_what_is_answered_while_its_pager_is_away_rings_nobody_later(
    is_answered: bool, rings: int
) -> None:
    clock = VirtualClock(NOON)
    phones = Phones(clock)
    phones.is_away = True
    pagers = {"on-call": phones.driver(Random(1))}
    engine = Engine(NightStore(), clock=clock, paging=Paging(pagers), disk=Inline())

    async def night() -> None:
        async with engine.running():
            await engine.hook(webhook("a"))
            await clock.sleep(timedelta(seconds=5))
            if is_answered:
                id = (await only(engine)).id
                await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
            phones.is_away = False
            await clock.sleep(timedelta(minutes=3))

    await clock.run(night())

    assert rings == len(phones.wakes)


async def test_closing_what_was_over_wakes_nobody_about_what_had_been_merged_with_it(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        part, whole = await two_made_one(house, engine)
        await cleared(house, engine, "a", service="payments")
        await house.after(engine, seconds=1)
        await engine.say(part, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await house.after(engine, seconds=30)
        before = pages(house)
        await engine.say(whole, Kind.RESOLVED, {"text": ""}, by="ann", source="responder")
        await house.after(engine, seconds=1)

    assert before == pages(house)


async def test_a_drill_that_fires_again_pages_its_own_on_call_and_never_the_rota(
    house: House,
) -> None:
    house.drills = [DRILL]
    async with house.engine(run="run-1").running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        id = (await only(engine)).id
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="bot", source="responder")
        house.clock.advance(timedelta(minutes=1))
        await engine.hook(webhook("a", ends=house.clock.now()))
        await house.after(engine)
        house.clock.advance(timedelta(minutes=1))
        await engine.hook(webhook("a", starts=house.clock.now()))
        for _ in range(3):
            await house.after(engine, seconds=31)

    assert 2 == len(pages(house, "drill on-call"))
    assert [] == house.bells["rota"].said + house.bells["on-call"].said


async def test_the_rota_keeps_being_asked_about_what_outlives_a_drill_that_was_answered(
    house: House,
) -> None:
    house.drills = [DRILL]
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        id = (await only(engine)).id
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="bot", source="responder")
        house.drills = []
        house.clock.advance(DRILL.until - house.clock.now())
        await house.after(engine, seconds=1)
        await house.after(engine, seconds=1)
        unanswered = [act for act, _, _ in house.bells["rota"].said]
        await engine.hook(webhook("a", ends=house.clock.now()))
        await house.after(engine, seconds=1)

    assert ["page"] == unanswered
    assert "resolve" == house.bells["rota"].said[-1][0]
