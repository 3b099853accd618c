"""What the retention takes out of a group, and that whatever stays stays what it was."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_incident_engine import NOON, House, webhook

from gameday.errors import Pruned
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.engine import Engine
from gameday.incidents.retention import old_deploys, removals
from gameday.incidents.state import state_of
from gameday.model.retention import Removal
from scoring.timeline import Fact, Kind

GROUP = "storefront/checkout-latency"
DAY = timedelta(days=1)


@contextmanager
def opened() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        made = House(Path(folder))
        yield made
        made.store.close()


@pytest.fixture
def house() -> Iterator[House]:
    with opened() as made:
        yield made


def pruned(house: House, *, keep: timedelta = DAY) -> list[Removal]:
    """Take out of the one group what may go, as `gameday prune` does, and return it."""
    seen = house.store.last_number()
    facts = house.store.group_facts(GROUP)
    found = list(removals(GROUP, facts, now=house.clock.now(), keep=keep, may_go=lambda one: True))
    for removal in found:
        deleted = house.store.remove(removal, unless_beyond=seen)
        assert deleted.is_done
        seen = deleted.last
    return found


async def fired(house: House, engine: Engine, *alerts: str, **labels: str) -> None:
    """Let alerts fire, and clear some minutes later."""
    starts = house.clock.now()
    await engine.hook(webhook(*alerts, starts=starts, **labels))
    await house.after(engine, minutes=5)
    await engine.hook(webhook(*alerts, starts=starts, ends=house.clock.now(), **labels))
    await house.after(engine)


def standing(house: House) -> dict[str, object]:
    """Return how every incident stands by what the store holds, by its id."""
    group = AlertGroup(GROUP, house.store.group_facts(GROUP))
    now = house.clock.now()
    return {one.ids[0]: state_of(one, group=GROUP, now=now) for one in group.incidents()}


async def test_an_incident_goes_whole_and_its_line_says_when_and_why(house: House) -> None:
    async with house.engine().running() as engine:
        await fired(house, engine, "a", "b")
        (row,) = await engine.listed(limit=9, only_open=False)
        await engine.say(row.id, Kind.NOTED, {"text": "so"}, by="ann", source="responder")
        await house.after(engine, hours=80)

        (removal,) = pruned(house)

        (said,) = house.store.group_facts(GROUP)
        assert (Kind.PRUNED, 1, len(removal.facts)) == (
            said.kind,
            said.data["incidents"],
            said.data["facts"],
        )
        (line,) = house.store.incidents()
        assert (row.id, house.clock.now(), DAY) == (line.id, line.pruned_at, line.pruned_after)
        assert house.store.audit()
        with pytest.raises(
            Pruned, match=f"{row.id} was pruned on 2026-11-26 by the retention of 1"
        ):
            await engine.state(row.id)


async def test_what_is_open_stays_however_old_it_is(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine, hours=2000)

        assert [] == pruned(house)
        assert 1 == engine.open_incidents()


async def test_a_late_word_keeps_an_incident_as_long_again(house: House) -> None:
    async with house.engine().running() as engine:
        await fired(house, engine, "a")
        await house.after(engine, hours=79)
        (row,) = await engine.listed(limit=9, only_open=False)
        await engine.say(
            row.id, Kind.POSTMORTEM_DRAFTED, {"url": "https://x"}, by="ann", source="responder"
        )
        await house.after(engine, hours=23)
        assert [] == pruned(house)

        await house.after(engine, hours=2)
        assert 1 == len(pruned(house))


async def test_an_engine_that_holds_the_group_forgets_what_is_pruned(house: House) -> None:
    async with house.engine().running() as engine, house.engine().running() as other:
        await fired(house, engine, "a")
        await house.after(engine, hours=80)
        await engine.hook(webhook("b", starts=house.clock.now()))
        for one in (engine, other):
            await house.after(one)
        (old,) = [r for r in house.store.incidents() if r.state == "resolved"]
        rung = house.rung()

        pruned(house)

        for one in (engine, other):
            await house.after(one)
            assert 1 == one.open_incidents()
            with pytest.raises(Pruned):
                await one.state(old.id)
    assert rung == house.rung()


async def test_the_word_of_a_group_adds_up_what_went(house: House) -> None:
    async with house.engine().running() as engine:
        for _ in range(3):
            await fired(house, engine, "a")
            await house.after(engine, hours=80)
            pruned(house)

    (said,) = house.store.group_facts(GROUP)
    assert (3, NOON.isoformat()) == (said.data["incidents"], said.data["since"])
    assert said.data["facts"] > 6


async def test_news_of_a_group_since_it_was_read_keep_all_of_it(house: House) -> None:
    async with house.engine().running() as engine:
        await fired(house, engine, "a")
        await house.after(engine, hours=80)
        seen = house.store.last_number()
        facts = house.store.group_facts(GROUP)
        (removal,) = removals(
            GROUP, facts, now=house.clock.now(), keep=DAY, may_go=lambda one: True
        )
        await engine.hook(webhook("b", starts=house.clock.now()))
        before = house.store.group_facts(GROUP)

        assert not house.store.remove(removal, unless_beyond=seen).is_done
        assert before == house.store.group_facts(GROUP)


async def test_a_store_that_is_pruned_holds_no_more_after_days_than_it_did_before(
    house: House,
) -> None:
    facts: list[int] = []
    held: list[int] = []
    async with house.engine().running() as engine:
        for _ in range(8):
            for _ in range(4):
                await fired(house, engine, "a", "b", sev="SEV-3")
                await house.after(engine, hours=6)
            pruned(house)
            await house.after(engine)
            facts.append(len(house.store.group_facts(GROUP)))
            held.append(len(engine._memory._group_of))

    assert max(facts[4:]) <= max(facts[:4])
    assert max(held[4:]) <= max(held[:4])


def deployed(number: int, region: str) -> Fact:
    at = NOON + number * DAY
    return Fact(f"d{number}", Kind.DEPLOYED, at, at, "deploy", data={"region": region})


def test_of_old_deploys_the_one_that_is_live_stays() -> None:
    facts = [deployed(0, "eu"), deployed(1, "us"), deployed(2, "eu"), deployed(9, "eu")]

    removal = old_deploys("deploy:shop", facts, now=NOON + 10 * DAY, keep=5 * DAY)

    assert removal is not None
    assert ("d0", "d2") == removal.facts


ALERTS = st.sampled_from(["a", "b", "c"])
DOINGS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["fire", "clear", "clear all"]), ALERTS),
        st.tuples(st.sampled_from(["ack", "resolve", "false alarm", "prune"]), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from(["1", "20", "40", "3000"])),
    ),
    max_size=25,
)


@given(DOINGS)
def test_whatever_happened_what_stays_stands_as_before_and_nobody_is_paged(
    doings: list[tuple[str, str]],
) -> None:
    async def play(house: House) -> None:
        fires: dict[str, str] = {}
        async with house.engine().running() as engine:
            for doing, which in doings:
                await house.after(engine, minutes=1)
                if doing == "wait":
                    await house.after(engine, minutes=float(which))
                elif doing == "prune":
                    await looked_at_pruning(house, engine)
                else:
                    await done(house, engine, doing, which, fires)
            await house.after(engine, hours=90)
            await looked_at_pruning(house, engine)
            # What may not go by now is what fires on, or hangs on that.
            if not fires:
                assert [] == [f for f in house.store.group_facts(GROUP) if f.kind != Kind.PRUNED]

    with opened() as house:
        asyncio.run(play(house))


async def done(house: House, engine: Engine, doing: str, which: str, fires: dict[str, str]) -> None:
    now = house.clock.now()
    closings = {"resolve": Kind.RESOLVED, "false alarm": Kind.FALSE_ALARM}
    if doing == "fire":
        fires[which] = now.isoformat()
        await engine.hook(webhook(which, starts=now))
    elif doing.startswith("clear"):
        for alert in [which] if doing == "clear" else list(fires):
            began = fires.pop(alert, None)
            if began is not None:
                sent = webhook(alert, ends=now)
                sent["alerts"][0]["startsAt"] = began
                await engine.hook(sent)
    else:
        for row in await engine.listed(limit=9, only_open=True):
            kind = closings.get(doing, Kind.ACKNOWLEDGED)
            await engine.say(row.id, kind, {"anyway": True}, by="ann", source="responder")


async def looked_at_pruning(house: House, engine: Engine) -> None:
    await house.after(engine)
    before, rung = standing(house), house.rung()
    lines = {row.id for row in house.store.incidents()}

    gone = {id for removal in pruned(house) for id in removal.incidents}

    assert {id: state for id, state in before.items() if id not in gone} == standing(house)
    await house.after(engine)
    assert (rung, lines) == (house.rung(), {row.id for row in house.store.incidents()})
    for id, state in standing(house).items():
        assert state == await engine.state(id)
