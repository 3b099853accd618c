"""Postmortems: drafted from the store, brought together with edits, frozen with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from closed_incident import NOON, RUN, closed_incident, ended_drill

from gameday.errors import PermanentDriverError, Refused, UsageError
from gameday.house.lessons.impact import Impacts, read_impact
from gameday.house.lessons.owed import owed_postmortems
from gameday.house.lessons.postmortems import (
    draft_anew,
    freeze,
    note_near_miss,
    objections,
    subject_of,
)
from gameday.house.lessons.runs import learn_from_runs
from gameday.incidents.engine import Engine
from gameday.learning.accusation import accusations_in
from gameday.learning.merge import MINE
from gameday.model.postmortem import Impact, IncidentStory, PostmortemKind
from gameday.model.severity import IncidentSeverity
from gameday.model.signals import Sample, Series
from gameday.model.slo import Slo
from gameday.ports import RunRecord
from gameday.testing.memory import MemoryStore
from gameday.testing.virtual import VirtualClock
from scoring.slo import Objective, workbook_windows
from scoring.timeline import Kind

LATER = NOON + timedelta(hours=1)
DAY = timedelta(days=1)


async def unmeasured(_: IncidentStory) -> Impact:
    return Impact("the counters are gone")


async def measured(_: IncidentStory) -> Impact:
    return Impact("", 0.031, 260, 640, 0.01, 30, 0.5)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def drafted(store: MemoryStore, id: str, now: datetime = LATER) -> str:
    subject = await subject_of(store, id, now=now, measure=unmeasured)
    return draft_anew(store, subject).postmortem.text


async def test_a_draft_tells_what_is_on_record_and_nobodys_name(store: MemoryStore) -> None:
    id = await closed_incident(store)

    subject = await subject_of(store, id, now=LATER, measure=measured)

    text = subject.fresh.text
    for words in (
        "# Postmortem: Checkouts take too long",
        "| Severity | SEV-2 |",
        "| Resolved | 2026-11-23 12:12 |",
        "| To be published by | 2026-11-25 12:12 |",
        "It lasted 6 min 40 s, from the first alert to the last one's end.",
        "3.1 % of the error budget of the whole period was spent (allowed: 1 % of the events of 30",
        "260 of 640 requests failed or were too slow (40.6 %).",
        "Prometheus held 50 % of the history",
        "| the page was acknowledged | 20 s | 30 s | met |",
        "| RED was read | not on record | 60 s | missed |",
        "inventory depends on db for every request",
        "went live 2 min 30 s before the alert",
        "failover-db was applied at 12:05:10.0",
        "- drain-region did not work (",
        "closed: “the standby serves”",
    ):
        assert words in text
    assert "Ada" not in text


async def test_a_draft_accuses_nobody_and_lacks_only_what_people_know(store: MemoryStore) -> None:
    id = await closed_incident(store)

    text = await drafted(store, id)

    assert [] == list(accusations_in(text))
    assert "they forgot the index" in text  # as evidence, in quotation marks
    assert text.startswith("# Postmortem")
    waiting = [reason for reason in objections(text) if "waits for an answer" not in reason]
    assert [] == waiting


async def test_an_unknown_cost_is_said_with_its_reason(store: MemoryStore) -> None:
    id = await closed_incident(store)

    assert "What it cost is unknown: the counters are gone." in await drafted(store, id)


async def test_what_a_person_wrote_stays_when_a_newer_draft_comes(store: MemoryStore) -> None:
    id = await closed_incident(store)
    first = await drafted(store, id)
    edited = first.replace(
        "_To be answered in the review: what could as well have gone differently?_",
        "It was noon, and not the middle of the night.",
    )
    newer = await subject_of(store, id, now=LATER, measure=measured)

    found = draft_anew(store, newer, edited=edited)

    assert [] == list(found.conflicts)
    assert "It was noon, and not the middle of the night." in found.postmortem.text
    assert "260 of 640 requests" in found.postmortem.text
    assert "the counters are gone" not in found.postmortem.text
    again = draft_anew(store, newer)
    assert found == again


async def test_where_both_changed_the_same_both_stand_and_it_cannot_be_published(
    store: MemoryStore,
) -> None:
    id = await closed_incident(store)
    first = await drafted(store, id)
    newer = await subject_of(store, id, now=LATER, measure=measured)

    found = draft_anew(
        store, newer, edited=first.replace("the counters are gone", "the counters were lost")
    )

    assert 1 == len(found.conflicts)
    assert MINE in found.postmortem.text
    assert "the counters were lost" in found.postmortem.text
    assert any(
        "two versions of one place" in reason for reason in objections(found.postmortem.text)
    )


async def test_what_breaks_off_between_file_and_store_is_brought_together_once_more(
    store: MemoryStore,
) -> None:
    id = await closed_incident(store)
    edited = (await drafted(store, id)).replace("# Postmortem: ", "# What we learned: ")
    newer = await subject_of(store, id, now=LATER, measure=measured)
    files: list[str] = []

    def write(text: str) -> None:
        files.append(text)
        if len(files) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draft_anew(store, newer, edited=edited, write=write)
    found = draft_anew(store, newer, edited=files[0], write=write)

    assert [] == list(found.conflicts)
    assert files[0] == files[1] == found.postmortem.text
    assert "# What we learned: " in found.postmortem.text


async def test_published_it_is_frozen_with_its_facts_and_files_what_it_asks_for(
    store: MemoryStore,
) -> None:
    id = await closed_incident(store)
    text = (await drafted(store, id)) + "\n- [ ] Watch the replication lag\n"
    subject = await subject_of(store, id, now=LATER, measure=unmeasured)
    known = store.postmortem(id)
    assert known is not None

    record, items = freeze(
        store, known, text, facts=subject.facts, url="", by="somebody", now=LATER
    )

    assert (text, LATER) == (record.text, record.published_at)
    assert {str(Kind.PAGE_RECEIVED), str(Kind.RESOLVED)} <= {f["kind"] for f in record.evidence}
    assert [("Watch the replication lag", "prevent", "P2", (f"incident {id}",))] == [
        (i.title, i.kind, i.priority, i.found_in) for i in items
    ]
    with pytest.raises(Refused, match="published already"):
        freeze(store, record, text, facts=(), url="", by="somebody", now=LATER)
    with pytest.raises(Refused, match="stays as it is"):
        draft_anew(store, subject)


async def test_what_is_filed_stands_in_the_next_draft_and_is_not_filed_twice(
    store: MemoryStore,
) -> None:
    id = await closed_incident(store)
    subject = await subject_of(store, id, now=LATER, measure=unmeasured)
    known = draft_anew(store, subject).postmortem
    text = known.text.replace("## Action items\n", "## Action items\n\n- Watch the lag\n")
    _, first = freeze(store, known, text, facts=(), url="", by="somebody", now=LATER)

    again = await subject_of(store, id, now=LATER, measure=unmeasured)
    other = replace(known, id="other", text=again.fresh.text)
    store.put_postmortem(other, known=None)
    _, second = freeze(store, other, other.text, facts=(), url="", by="x", now=LATER)

    assert f"| Watch the lag | prevent | to be named | 2026-11-30 | {first[0].id} |" in (
        again.fresh.text
    )
    assert () == tuple(second)


async def test_an_incident_that_goes_on_has_no_postmortem_yet(store: MemoryStore) -> None:
    clock = VirtualClock(NOON)
    engine = Engine(store, clock=clock)
    async with engine.running():
        alert = {"service": "a", "slo": "b", "severity": "SEV-1", "alertname": "X"}
        await engine.hook(
            {
                "alerts": [
                    {
                        "status": "firing",
                        "fingerprint": "x",
                        "labels": alert,
                        "startsAt": NOON.isoformat(),
                    }
                ]
            }
        )
        await engine.tick()
        (row,) = await engine.listed(limit=1, only_open=True)

        with pytest.raises(Refused, match=f"{row.id} goes on.*incident resolve"):
            await subject_of(store, row.id, now=clock.now(), measure=unmeasured)
        await engine.say(row.id, Kind.FALSE_ALARM, {}, by="x", source="responder")
        with pytest.raises(Refused, match="was a false alarm"):
            await subject_of(store, row.id, now=clock.now(), measure=unmeasured)


@pytest.mark.parametrize("about", [RUN, "last", "the incident"])
async def test_a_drill_is_told_by_what_its_run_measured_with_the_items_it_filed(
    store: MemoryStore, about: str
) -> None:
    incident = await ended_drill(store, is_resolved=True)
    now = datetime.now(UTC)
    (item, *_) = learn_from_runs(store, now=now)

    subject = await subject_of(
        store, incident if about == "the incident" else about, now=now, measure=unmeasured
    )

    found = subject.fresh
    assert (incident, PostmortemKind.DRILL) == (found.id, found.kind)
    assert "260 of 640 events were bad" in found.text
    assert item.id in found.text
    assert "## Surprises" in found.text
    assert [] == list(accusations_in(found.text))


async def test_a_drill_whose_run_is_not_in_this_store_is_told_by_its_incident(
    store: MemoryStore,
) -> None:
    incident = await ended_drill(store, is_resolved=True)

    class Elsewhere(MemoryStore):
        def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
            return ()

    elsewhere = Elsewhere()
    elsewhere.__dict__.update(store.__dict__)

    subject = await subject_of(elsewhere, incident, now=datetime.now(UTC), measure=unmeasured)

    assert f"| Kind | drill of run {RUN} |" in subject.fresh.text
    assert "It was a drill, made on purpose." in subject.fresh.text


async def test_what_is_not_there_is_told_in_words(store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="there is no run 'nope'"):
        await subject_of(store, "nope", now=LATER, measure=unmeasured)


async def test_those_that_wake_people_owe_one_and_are_late_after_a_day_or_two(
    store: MemoryStore,
) -> None:
    clock = VirtualClock(NOON)
    first = await closed_incident(store, clock, severity="SEV-1")
    clock.advance(timedelta(hours=2))
    second = await closed_incident(store, clock, severity="SEV-2")
    clock.advance(timedelta(hours=2))
    await closed_incident(store, clock, severity="SEV-3")
    now = clock.now()

    def late(days: float) -> Sequence[str]:
        owed = owed_postmortems(store, store, now=now + days * DAY)
        return [one.incident.id for one in owed if one.is_late(now + days * DAY)]

    assert [[], [first], [first, second], []] == [late(days) for days in (0.5, 1.5, 2.5, 31)]
    await drafted(store, first, now)
    assert [first] == late(1.5)
    known = store.postmortem(first)
    assert known is not None
    freeze(store, known, known.text, facts=(), url="", by="x", now=now)
    assert [] == late(1.5)


def test_a_near_miss_is_a_postmortem_that_nobody_owes(store: MemoryStore) -> None:
    found = note_near_miss(
        store,
        "The disk was full by one percent",
        service="inventory",
        severity=IncidentSeverity.SEV_2,
        told="The operator forgot to look.",
        now=NOON,
    )

    assert (PostmortemKind.NEAR_MISS, None) == (found.kind, found.due_at)
    assert found == store.postmortem(found.id)
    assert [] == list(accusations_in(found.text))
    assert "“The operator forgot to look.”" in found.text


# --- what it cost -------------------------------------------------------------------------------


class Metrics:
    """A Prometheus that answers queries for what fails and for everything."""

    def __init__(self, good: float | None, total: float | None, *, is_down: bool = False) -> None:
        self._values = {"good": good, "all": total}
        self._is_down = is_down

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        if self._is_down:
            raise PermanentDriverError("Prometheus does not answer")
        value = self._values["good" if "good" in query else "all"]
        if value is None:
            return []
        steps = round((until - since) / step)
        samples = tuple(Sample(since + n * step, value) for n in range(steps + 1))
        return [Series({}, samples)]


def slo(**changes: object) -> Slo:
    period = timedelta(days=30)
    fields = {
        "id": "checkout-latency",
        "service": "storefront",
        "objective": Objective(0.99, period),
        "good_query": "good_total",
        "total_query": "all_total",
        "windows": workbook_windows(period),
    }
    return Slo(**{**fields, **changes})


async def cost(metrics: Metrics, one: Slo | None = None) -> Impact:
    return await read_impact(
        metrics, one or slo(), scale=1, since=NOON, until=NOON + timedelta(minutes=6)
    )


async def test_the_cost_is_counted_from_the_first_alert_to_the_end() -> None:
    found = await cost(Metrics(600.0, 1000.0))

    assert (400.0, 1000.0, 1.0) == (found.bad_events, found.all_events, found.history_ratio)
    # The whole period at this traffic allows 1 % of its slots' thousand events each.
    assert found.budget_spent_ratio is not None
    assert 0 < found.budget_spent_ratio < 1


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (Metrics(None, None), "Prometheus holds no events of that time"),
        (Metrics(1, 1, is_down=True), "Prometheus does not answer"),
    ],
)
async def test_what_cannot_be_counted_is_unknown_with_the_reason(
    metrics: Metrics, reason: str
) -> None:
    assert reason == (await cost(metrics)).unknown


async def test_an_slo_without_counters_has_an_unknown_cost() -> None:
    found = await cost(Metrics(1, 1), slo(good_query="", total_query=""))

    assert "the events of this SLO are not counted by two counters" == found.unknown


async def test_without_a_prometheus_the_cost_is_unknown(store: MemoryStore) -> None:
    id = await closed_incident(store)
    subject = await subject_of(store, id, now=LATER, measure=Impacts(None).of)

    assert "no Prometheus is known: set GAMEDAY" in subject.fresh.text
