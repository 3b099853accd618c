"""Strangers' time: an alert opens, pages and closes, however and by whomever it is dated."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.alerts import MOST_LABELS, Alert, alerts_of
from gameday.incidents.duties import Act, duties
from gameday.incidents.incident import QUIET
from gameday.incidents.routing import Drill
from gameday.incidents.state import IncidentState, State, state_of
from scoring.timeline import Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS = {"alertname": "Burn", "service": "storefront", "slo": "latency", "severity": "page"}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def told(
    seconds: float, *, starts: object = None, ends: object = None, over: bool = False, **more: Any
) -> Alert:
    """Return an alert as a webhook that comes this long after noon tells of it."""
    raw = {
        "status": "resolved" if over else "firing",
        "labels": LABELS,
        "fingerprint": "f",
        "startsAt": starts.isoformat() if isinstance(starts, datetime) else starts,
        "endsAt": ends.isoformat() if isinstance(ends, datetime) else ends,
        **more,
    }
    (found,) = alerts_of({"alerts": [raw]}, received_at=at(seconds))
    return found


def group_of(*alerts: Alert) -> AlertGroup:
    """Return the group with its incidents opened."""
    group = AlertGroup("storefront/latency", [a.to_fact() for a in alerts])
    for number, found in enumerate(group.incidents()):
        name = f"I{number}"
        opened = Fact(
            id=f"{name}/opened",
            kind=Kind.INCIDENT_OPENED,
            happened_at=found.paged_at,
            recorded_at=found.paged_at,
            source="engine",
            data={"incident": name, "anchor": found.first.told.firing_id},
        )
        group.add(opened)
    return group


def states(group: AlertGroup, seconds: float) -> Sequence[IncidentState]:
    return [state_of(i, group=group.name, now=at(seconds)) for i in group.incidents()]


def is_paged(incident: IncidentState) -> bool:
    return any(d.act is Act.PAGE for d in duties(incident, now=incident.now))


DATES: Mapping[str, object] = {
    "1970": "1970-01-01T00:00:00Z",
    "yesterday": at(-86_400),
    "a minute ahead": at(60),
    "tomorrow": at(86_400),
    "8999": "8999-01-01T00:00:00Z",
    "9999": "9999-12-31T23:59:59Z",
    "Go's zero time": "0001-01-01T00:00:00Z",
    "no date": None,
}


@pytest.mark.parametrize("starts", DATES.values(), ids=DATES.keys())
@pytest.mark.parametrize("ends", DATES.values(), ids=DATES.keys())
def test_an_alert_of_any_date_opens_pages_and_closes(starts: object, ends: object) -> None:
    firing, over = told(0, starts=starts), told(600, starts=starts, ends=ends, over=True)

    (opened,) = states(group_of(firing), 1)
    (closed,) = states(group_of(firing, over), 600 + QUIET.total_seconds() + 1)

    assert (State.TRIGGERED, True) == (opened.state, is_paged(opened))
    assert (State.RESOLVED, 0) == (closed.state, closed.firing)
    assert closed.cleared_at is not None
    assert closed.cleared_at <= at(600)


@pytest.mark.parametrize("starts", DATES.values(), ids=DATES.keys())
def test_a_person_can_close_an_alert_of_any_date_and_the_next_real_one_pages(
    starts: object,
) -> None:
    group = group_of(told(0, starts=starts), told(60, starts=starts, over=True))
    group.add(
        Fact(
            id="resolved",
            kind=Kind.RESOLVED,
            happened_at=at(90),
            recorded_at=at(90),
            source="responder",
            data={"incident": "I0", "by": "ann"},
        )
    )
    (closed,) = states(group, 100)

    group.add(told(3600, starts=at(3590), fingerprint="real").to_fact())

    assert State.RESOLVED == closed.state
    *_, last = states(group, 3601)
    assert (State.TRIGGERED, True) == (last.state, is_paged(last))


@pytest.mark.parametrize("starts", DATES.values(), ids=DATES.keys())
def test_what_its_sender_said_is_on_record_and_told_where_it_is_not_believed(
    starts: object,
) -> None:
    alert = told(0, starts=starts)

    (incident,) = states(group_of(alert), 1)

    assert alert == Alert.from_fact(alert.to_fact())
    is_dated = isinstance(starts, datetime) or str(starts)[:4] in ("1970", "8999")
    said = alert.to_fact().data["starts_at"]
    assert is_dated == (said is not None)
    shown = incident.to_json()["alerts"][0]["remarks"]
    assert is_dated == any("check the clock of its sender" in remark for remark in shown)
    assert abs(incident.starts_at - NOON) <= timedelta(minutes=30)


def test_an_alert_that_says_it_began_long_ago_joins_nothing_that_was_over_before_it_was_heard() -> (
    None
):
    old = [told(0, starts=NOON), told(60, starts=NOON, ends=at(60), over=True)]

    ids = [
        i.first.told.fingerprint
        for i in group_of(
            *old, told(7200, starts="1970-01-01T00:00:00Z", fingerprint="late")
        ).incidents()
    ]

    assert ["f", "late"] == ids


def test_no_drill_explains_an_alert_that_says_it_began_before_it() -> None:
    drill = Drill("run", "storefront", "latency", frozenset(), at(-60), at(3600))

    explained = [drill.explains(told(0, starts=s)) for s in (at(-3600), at(-5), at(60))]

    assert [False, True, True] == explained


# --- one state for each fingerprint --------------------------------------------------------------

T = 3600.0


def firing(seconds: float, starts: float | None) -> Alert:
    return told(seconds, starts=None if starts is None else at(starts))


def over(seconds: float, starts: float | None, ends: float | None) -> Alert:
    return told(
        seconds,
        starts=None if starts is None else at(starts),
        ends=None if ends is None else at(ends),
        over=True,
    )


STORIES: Mapping[str, tuple[Sequence[Alert], Sequence[tuple[float, float | None]]]] = {
    "Grafana says that it began when it ended": (
        [firing(T - 590, T - 600), over(T, T - 30, T - 30)],
        [(T - 600, T - 30)],
    ),
    "two Alertmanagers date the beginning a moment apart": (
        [firing(10, 0), firing(12, 1), over(300, 0, 290)],
        [(0, 290)],
    ),
    "two Alertmanagers date the end a moment apart": (
        [firing(10, 0), over(300, 0, 290), over(301, 0.5, 291)],
        [(0, 291)],
    ),
    "the end carries no beginning": ([firing(10, 0), over(300, None, 290)], [(0, 290)]),
    "the end carries no date at all": ([firing(10, 0), over(300, None, None)], [(0, 300)]),
    "nothing is dated": ([firing(10, None), firing(70, None), over(300, None, None)], [(10, 300)]),
    "an end before an undated beginning": ([firing(10, None), over(300, 0, 5)], [(10, 10)]),
    "the first end was lost": (
        [firing(10, 0), firing(610, 600), over(700, 600, 690)],
        [(0, 600), (600, 690)],
    ),
    "it fires twice": (
        [firing(10, 0), over(70, 0, 60), firing(610, 600), over(700, 600, 690)],
        [(0, 60), (600, 690)],
    ),
    "it fires again": (
        [firing(10, 0), over(70, 0, 60), firing(610, 600)],
        [(0, 60), (600, None)],
    ),
    "an end that nobody saw begin": ([over(70, 0, 60)], [(0, 60)]),
    "a second one that nobody saw begin": (
        [firing(10, 0), over(70, 0, 60), over(610, 500, 600)],
        [(0, 60), (500, 600)],
    ),
}


@pytest.mark.parametrize(("alerts", "firings"), STORIES.values(), ids=STORIES.keys())
def test_an_alerts_state_belongs_to_its_fingerprint_however_it_is_told(
    alerts: Sequence[Alert], firings: Sequence[tuple[float, float | None]]
) -> None:
    rng = random.Random(len(alerts))
    wanted = [(at(starts), None if ends is None else at(ends)) for starts, ends in firings]
    for _ in range(10):
        shuffled = rng.sample(alerts, len(alerts))

        group = AlertGroup("storefront/latency", [a.to_fact() for a in shuffled])

        found = [(e.starts_at, e.ends_at) for i in group.incidents() for e in i.firings]
        assert wanted == sorted(found, key=lambda one: one[0])


def test_what_a_drill_explains_is_no_firing_of_what_it_does_not() -> None:
    from dataclasses import replace

    drill = replace(firing(10, 0), drill="run")

    group = AlertGroup("storefront/latency", [drill.to_fact(), firing(700, 600).to_fact()])

    assert {"run", None} == {i.drill for i in group.incidents()}


def test_an_alert_that_carries_no_date_is_not_another_one_each_time_it_is_told() -> None:
    group = AlertGroup("storefront/latency", [firing(10, None).to_fact()])

    assert group.knows(firing(70, None).to_fact())
    group.add(over(300, None, None).to_fact())
    assert not group.knows(firing(400, None).to_fact())


# --- what is cut ---------------------------------------------------------------------------------


def many(**labels: str) -> dict[str, str]:
    return {**{f"label_{n:02}": "x" for n in range(66)}, **labels}


def test_what_decides_is_read_before_labels_are_cut_and_the_cut_is_told() -> None:
    alert = told(0, starts=NOON, labels=many(**LABELS, environment="production"))

    assert ("storefront", "latency", "Burn") == (alert.service, alert.slo, alert.name)
    assert "production" == alert.labels["environment"]
    assert MOST_LABELS == len(alert.labels)
    (incident,) = states(group_of(alert), 1)
    assert is_paged(incident)
    (remark,) = incident.to_json()["alerts"][0]["remarks"]
    assert remark.startswith("it has 7 labels and annotations beyond the 64")


def test_two_alerts_that_differ_in_a_label_beyond_the_limit_are_two() -> None:
    found = [
        told(0, starts=NOON, labels=many(zone=zone), fingerprint=None).fingerprint
        for zone in ("a", "b")
    ]

    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("said", "count"), [(7, 7), (0, 0), (-1, 0), (None, 0), ("7", 0), (True, 1), (1 << 80, 10**9)]
)
def test_alerts_that_the_sender_left_out_are_told(said: object, count: int) -> None:
    raw = {"labels": LABELS, "fingerprint": "f"}

    (alert,) = alerts_of({"alerts": [raw], "truncatedAlerts": said}, received_at=NOON)

    assert count == alert.alerts_left_out
    assert alert == Alert.from_fact(alert.to_fact())
    assert bool(count) == any("left" in remark for remark in alert.remarks)
