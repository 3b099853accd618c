"""A storm of one service is one page, which stands for exactly the incidents it tells of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_incident_engine import DRILL, Bell, House, webhook

from gameday.errors import PermanentDriverError
from gameday.incidents.alerts import group_of
from gameday.incidents.calls import GATHER, MOST_ALONE
from gameday.incidents.engine import Engine
from gameday.incidents.pagerduty_events import PagerDutyEvent, parse
from gameday.incidents.retention import removals
from gameday.incidents.state import IncidentState
from gameday.model.notification import Notification, Receipt
from scoring.timeline import Fact, Kind


class Listening(Bell):
    """A pager that remembers what it was asked to say."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Notification] = []
        self.takes_nothing = False

    async def page(self, notification: Notification) -> Receipt:
        self.asked.append(notification)
        if self.takes_nothing:
            raise PermanentDriverError("the key is not known")
        return await super().page(notification)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.bells["on-call"] = Listening()
    yield made
    made.store.close()


def storm(house: House, numbers: Sequence[int], *, is_over: bool = False, **labels: str) -> Any:
    now = house.clock.now()
    alerts = []
    for number in numbers:
        made = webhook(f"f{number}", starts=now, slo=f"slo-{number}", **labels)
        alerts += made["alerts"]
    if is_over:
        for alert in alerts:
            alert |= {"status": "resolved", "endsAt": now.isoformat()}
            del alert["startsAt"]
    return {"alerts": alerts}


async def breaks(house: House, engine: Engine, *numbers: int, **labels: str) -> None:
    await engine.hook(storm(house, numbers, **labels))
    await house.after(engine)


async def eases(house: House, engine: Engine, *numbers: int) -> None:
    await engine.hook(storm(house, numbers, is_over=True))
    await house.after(engine)


def said(house: House, act: str, to: str = "on-call") -> list[str]:
    return [key for what, key, _ in house.bells[to].said if what == act]


async def states(engine: Engine) -> dict[str, IncidentState]:
    rows = await engine.listed(limit=100, only_open=False)
    return {row.slo: await engine.state(row.id) for row in rows}


def delivered(state: IncidentState) -> list[Fact]:
    return [w for w in state.events if w.kind == Kind.PAGE_DELIVERED]


def pagerdutys(house: House, kind: str, key: str) -> PagerDutyEvent:
    event = {
        "id": f"E-{kind}-{key}",
        "event_type": kind,
        "occurred_at": house.clock.now().isoformat(),
        "agent": {"id": "P1", "type": "user_reference", "summary": "Ann"},
        "data": {"id": "PD1", "type": "incident", "incident_key": key},
    }
    found = parse(json.dumps({"event": event}).encode(), webhook_id=f"W-{kind}-{key}")
    assert isinstance(found, PagerDutyEvent)
    return found


async def test_a_storm_is_one_page_that_says_of_what_and_stands_on_every_record(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(12))
        found = await states(engine)

    (asked,) = house.bells["on-call"].asked  # type: ignore[attr-defined]
    assert [asked.key] == said(house, "page")
    assert asked.summary.startswith("12 incidents of storefront, SEV-2, in one page; the first: ")
    assert 12 == asked.details["incidents"]
    assert sorted(s.id for s in found.values()) == sorted(asked.details["told_of"].split(", "))
    for state in found.values():
        (fact,) = delivered(state)
        assert (asked.key, 12) == (fact.data["key"], fact.data["shared"]["incidents"])


async def test_few_are_called_one_by_one(house: House) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(MOST_ALONE))
        found = await states(engine)

    assert sorted(s.id for s in found.values()) == sorted(said(house, "page"))


async def test_what_comes_while_a_storm_rings_is_gathered_and_paged_within_30_s(
    house: House,
) -> None:
    counts = []
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(MOST_ALONE))
        for number in range(MOST_ALONE, MOST_ALONE + 4):
            await breaks(house, engine, number)
            counts.append(len(said(house, "page")))
            house.clock.advance(timedelta(seconds=2))
        await house.after(engine, seconds=GATHER.total_seconds() - 8)
        found = await states(engine)

    assert [MOST_ALONE] * 4 == counts
    assert MOST_ALONE + 1 == len(said(house, "page"))
    late = [delivered(found[f"slo-{n}"])[0].data for n in range(MOST_ALONE, MOST_ALONE + 4)]
    assert {said(house, "page")[-1]} == {data["key"] for data in late}
    assert GATHER <= timedelta(seconds=30)


async def test_an_answer_in_the_pager_is_one_to_all_the_page_told_of_and_to_nothing_later(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        (key,) = said(house, "page")
        await breaks(house, engine, 8, 9)
        await engine.answered(pagerdutys(house, "incident.acknowledged", key))
        await house.after(engine)
        found = await states(engine)
        await house.after(engine, seconds=16)

    answered = {name for name, s in found.items() if s.acked_at is not None}
    assert {f"slo-{number}" for number in range(8)} == answered
    later = {found["slo-8"].id, found["slo-9"].id}
    assert later == set(said(house, "page")[1:])


async def test_an_answer_in_the_pager_is_none_to_what_began_anew_since_its_page_not_even_its_first(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        (key,) = said(house, "page")
        first = key.partition("/")[0]
        (slo,) = [name for name, s in (await states(engine)).items() if s.id == first]
        number = int(slo.removeprefix("slo-"))
        house.clock.advance(timedelta(minutes=1))
        await eases(house, engine, number)
        house.clock.advance(timedelta(minutes=1))
        await breaks(house, engine, number)
        await engine.answered(pagerdutys(house, "incident.acknowledged", key))
        found = await states(engine)

    anew = found.pop(slo)
    assert (first, None) == (anew.id, anew.acked_at)
    assert {"acknowledged"} == {str(s.state) for s in found.values()}
    (said_of_it,) = [w for w in anew.events if w.kind == Kind.PAGER_SAID]
    assert said_of_it.data["text"].startswith("about a page of before it began anew: ")


async def test_a_note_in_the_pager_stands_with_the_incident_whose_name_the_page_bears(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        (key,) = said(house, "page")
        await engine.answered(pagerdutys(house, "incident.acknowledged", key))
        note = pagerdutys(house, "incident.annotated", "")
        count = await engine.answered(replace(note, note="it is the cache"))
        found = await states(engine)

    noted = [s.id for s in found.values() if any(w.kind == Kind.NOTED for w in s.events)]
    assert (1, [key.partition("/")[0]]) == (count, noted)


async def test_a_repeat_of_the_pagers_answer_says_nothing_new(house: House) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        (key,) = said(house, "page")
        event = pagerdutys(house, "incident.acknowledged", key)
        counts = [await engine.answered(event) for _ in range(2)]

    assert [8, 0] == counts


async def test_whoever_answers_one_answers_the_page_and_every_record_says_so(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        one = (await states(engine))["slo-3"].id
        await engine.say(one, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await house.after(engine, minutes=10)
        found = await states(engine)

    assert {"acknowledged"} == {str(s.state) for s in found.values()}
    words = [w.data for s in found.values() for w in s.events if w.kind == Kind.ACKNOWLEDGED]
    assert {"ann"} == {w["by"] for w in words}
    assert [one] * 7 == [w["with"] for w in words if "with" in w]
    assert said(house, "page") == said(house, "acknowledge")
    assert [] == house.bells["rota"].said


@pytest.mark.parametrize("begins_anew", [False, True])
async def test_an_answer_to_a_page_on_nobodys_record_is_one_to_its_first_if_it_goes_on(
    house: House, begins_anew: bool
) -> None:
    """Its process died when the pager had taken it, and before that was written down."""
    async with house.engine().running() as engine:
        await breaks(house, engine, 0)
        first = (await states(engine))["slo-0"].id
        if begins_anew:
            house.clock.advance(timedelta(minutes=1))
            await eases(house, engine, 0)
            house.clock.advance(timedelta(minutes=1))
            await breaks(house, engine, 0)
        key = f"{first}/all-0be2f0ae1567"
        await engine.answered(pagerdutys(house, "incident.acknowledged", key))
        found = (await states(engine))["slo-0"]

    assert begins_anew is (found.acked_at is None)
    assert any(w.data.get("said") == "incident.acknowledged" for w in found.events)


async def test_a_shared_page_is_over_at_the_pager_when_the_last_it_told_of_is_over(
    house: House,
) -> None:
    ends = []
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        for numbers in (range(4), range(4, 7)):
            await eases(house, engine, *numbers)
            ends.append(said(house, "resolve"))
        await house.after(engine, minutes=40)
        ends.append(said(house, "resolve"))
    async with house.engine().running() as engine:
        await eases(house, engine, 7)
        await house.after(engine, seconds=5)

    assert [[], [], []] == ends
    assert said(house, "page") == said(house, "resolve")


async def test_a_restart_sends_nothing_again_and_knows_what_a_page_told_of(house: House) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
    async with house.engine().running() as engine:
        await house.after(engine, seconds=5)
        (key,) = said(house, "page")
        await engine.answered(pagerdutys(house, "incident.acknowledged", key))
        await house.after(engine, minutes=1)
        found = await states(engine)

    assert {"acknowledged"} == {str(s.state) for s in found.values()}
    assert [] == house.bells["rota"].said


async def test_a_storm_that_nobody_answers_goes_to_the_rota_in_one_page(house: House) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        await house.after(engine, seconds=31)

    assert (1, 1) == (len(said(house, "page")), len(said(house, "page", "rota")))


async def test_what_fires_again_is_heard_though_the_page_that_told_of_it_is_open(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        one = (await states(engine))["slo-3"].id
        await engine.say(one, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        house.clock.advance(timedelta(minutes=1))
        await eases(house, engine, 3)
        house.clock.advance(timedelta(minutes=1))
        await breaks(house, engine, 3)

    first, second = said(house, "page")
    assert first != second
    assert second.startswith(one)


async def test_nothing_worse_and_no_other_service_hides_in_a_shared_page(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(
            {
                "alerts": [
                    *storm(house, range(8))["alerts"],
                    *storm(house, [20], sev="SEV-1")["alerts"],
                    *storm(house, [21], service="payments")["alerts"],
                ]
            }
        )
        await house.after(engine)
        found = await states(engine)

    alone = {delivered(found[name])[0].data["key"] for name in ("slo-20", "slo-21")}
    assert {found["slo-20"].id, found["slo-21"].id} == alone
    assert 3 == len(said(house, "page"))


async def test_what_outlives_a_drill_is_in_no_page_with_what_was_never_one(house: House) -> None:
    house.drills = [DRILL]
    async with house.engine().running() as engine:
        await engine.hook(webhook("drill"))
        house.drills = []
        house.clock.advance(DRILL.until - house.clock.now() + timedelta(seconds=1))
        await breaks(house, engine, *range(8))
        await house.after(engine, seconds=31)
        found = await states(engine)

    keys = {name: delivered(s)[-1].data["key"] for name, s in found.items()}
    drills = keys.pop("checkout-latency")
    assert drills not in keys.values()


async def test_a_page_that_may_have_been_taken_is_sent_again_under_its_key(house: House) -> None:
    bell = house.bells["on-call"]
    async with house.engine().running() as engine:
        bell.is_down = True
        await breaks(house, engine, *range(8))
        tried = bell.asked[0].key  # type: ignore[attr-defined]
        await eases(house, engine, 0, 1, 2)
        bell.is_down = False
        await house.after(engine, seconds=6)

    assert [tried] == said(house, "page")


async def test_a_page_that_is_tried_again_tells_of_the_same_whatever_became_of_some(
    house: House,
) -> None:
    bell = house.bells["on-call"]
    assert isinstance(bell, Listening)
    async with house.engine().running() as engine:
        bell.is_down = True
        await breaks(house, engine, *range(8))
        found = await states(engine)
        one, other = found["slo-3"].id, found["slo-5"].id
        await engine.say(one, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await eases(house, engine, 0, 1, 2)
        bell.is_down = False
        await house.after(engine, seconds=6)
        found = await states(engine)

    first, again = bell.asked
    assert first.key == again.key
    told = [set(str(asked.details["told_of"]).split(", ")) for asked in (first, again)]
    assert told[0] == told[1] >= {one, other}
    assert again.summary.startswith("8 incidents of storefront, SEV-2, in one page")
    # The rest of them, each on its record, and no other.
    assert {f"slo-{n}" for n in (4, 5, 6, 7)} == {n for n, s in found.items() if delivered(s)}
    assert [8] * 4 == [w.data["shared"]["incidents"] for s in found.values() for w in delivered(s)]


async def test_what_asks_again_alone_by_a_key_of_several_tells_of_all_of_them(
    house: House,
) -> None:
    bell = house.bells["on-call"]
    assert isinstance(bell, Listening)
    async with house.engine().running() as engine:
        bell.is_down = True
        await breaks(house, engine, *range(8))
        one = (await states(engine))["slo-3"].id
        await engine.say(one, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        house.clock.advance(timedelta(seconds=1))
        await engine.answered(pagerdutys(house, "incident.unacknowledged", one))
        bell.is_down = False
        await house.after(engine)  # the others wait for their next try
        found = await states(engine)

    first, again = bell.asked
    assert first.key == again.key
    told = [set(str(asked.details["told_of"]).split(", ")) for asked in (first, again)]
    assert told[0] == told[1]
    assert ["slo-3"] == [name for name, s in found.items() if delivered(s)]


async def test_a_page_that_may_have_been_taken_keeps_its_key_though_it_failed_before(
    house: House,
) -> None:
    bell = house.bells["on-call"]
    assert isinstance(bell, Listening)
    async with house.engine().running() as engine:
        bell.is_down, bell.takes_nothing = True, True
        await breaks(house, engine, *range(8))
        bell.takes_nothing = False
        await house.after(engine, seconds=6)
        tried = bell.asked[-1].key
        found = await states(engine)
        bell.is_down = False
        await house.after(engine, seconds=12)

    of_it = {
        w.data.get("key") for s in found.values() for w in s.events if w.kind == Kind.PAGE_FAILED
    }
    assert {None, tried} == of_it
    assert said(house, "page") == [tried]


async def test_an_answer_to_a_page_whose_first_is_pruned_is_one_to_the_others(house: House) -> None:
    async with house.engine().running() as engine:
        await breaks(house, engine, *range(8))
        (key,) = said(house, "page")
        first = key.partition("/")[0]
        (slo,) = [name for name, s in (await states(engine)).items() if s.id == first]
        await eases(house, engine, int(slo.removeprefix("slo-")))
        await house.after(engine, hours=80)
        group = group_of("storefront", slo)
        seen = house.store.last_number()
        (removal,) = removals(
            group,
            house.store.group_facts(group),
            now=house.clock.now(),
            keep=timedelta(days=1),
            may_go=lambda one: True,
        )
        assert house.store.remove(removal, unless_beyond=seen).is_done
        await house.after(engine)

        count = await engine.answered(pagerdutys(house, "incident.acknowledged", key))

    assert 7 == count
