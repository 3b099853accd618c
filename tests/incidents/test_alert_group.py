"""What a group makes of its alerts: the same incidents, whatever the order they are told in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import UsageError
from gameday.incidents.alert_group import REOPEN_WITHIN, AlertGroup
from gameday.incidents.alerts import Alert, alerts_of, has_beat
from gameday.incidents.incident import QUIET
from gameday.incidents.state import State, state_of
from scoring.timeline import Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)
LINE = "storefront/checkout-latency"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


said = st.lists(
    st.tuples(
        st.sampled_from([Kind.ACKNOWLEDGED, Kind.NOTED, Kind.RESOLVED, Kind.UNACKNOWLEDGED]),
        st.integers(0, 300),
    ),
    max_size=6,
    unique=True,
)


def alert(
    fingerprint: str = "a", *, starts: float, ends: float | None = None, **labels: str
) -> Alert:
    return Alert(
        fingerprint=fingerprint,
        starts_at=at(starts),
        ends_at=None if ends is None else at(ends),
        received_at=at(ends if ends is not None else starts),
        labels={
            "service": "storefront",
            "slo": "checkout-latency",
            "severity": "page",
            **labels,
        },
        annotations={},
    )


def opened(incident: str, first: Alert, *, minutes: float = 0) -> Fact:
    return word(Kind.INCIDENT_OPENED, minutes, incident=incident, anchor=first.firing_id)


def word(kind: str, minutes: float, **data: Any) -> Fact:
    return Fact(
        id=f"{kind}-{minutes}-{sorted(data.items())}",
        kind=str(kind),
        happened_at=at(minutes),
        recorded_at=at(minutes),
        source="responder",
        data=data,
    )


def incidents(facts: Sequence[Fact], *, now: datetime = LATER) -> list[dict[str, Any]]:
    """Return what a group comes to, without the ids, which are drawn by chance."""
    return seen(AlertGroup(LINE, facts), now=now)


def seen(group: AlertGroup, *, now: datetime = LATER) -> list[dict[str, Any]]:
    """Return how a group's incidents stand at an instant."""
    return [state_of(s, group=LINE, now=now).to_json() for s in group.incidents()]


def only(facts: Sequence[Fact], *, now: datetime) -> Any:
    (found,) = AlertGroup(LINE, facts).incidents()
    return state_of(found, group=LINE, now=now)


alerts = st.lists(
    st.builds(
        lambda fingerprint, starts, lasts: [
            alert(fingerprint, starts=starts),
            *([alert(fingerprint, starts=starts, ends=starts + lasts)] if lasts else []),
        ],
        st.sampled_from("abc"),
        st.integers(0, 300),
        st.none() | st.integers(1, 60),
    ),
    max_size=8,
).map(lambda nested: [a for pair in nested for a in pair])


@settings(max_examples=3 * settings.default.max_examples)
@given(alerts, st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_and_any_repetition_of_alerts_gives_the_same_incidents(
    told: list[Alert], rng: random.Random, repeated: int
) -> None:
    facts = [a.to_fact() for a in told]
    shuffled = facts + rng.choices(facts, k=repeated) if facts else []
    rng.shuffle(shuffled)

    assert incidents(facts) == incidents(shuffled)


@settings(max_examples=2 * settings.default.max_examples)
@given(alerts, st.randoms(use_true_random=False))
def test_looking_at_a_line_between_two_alerts_changes_nothing(
    told: list[Alert], rng: random.Random
) -> None:
    rng.shuffle(told)
    looked_at = AlertGroup(LINE)
    for a in told:
        looked_at.add(a.to_fact())
        seen(looked_at)

    assert incidents([a.to_fact() for a in told]) == seen(looked_at)


def test_an_end_that_is_heard_with_a_beginning_comes_before_it_whenever_it_is_looked_at() -> None:
    told = [alert("a", starts=0), alert("b", starts=10), alert("a", starts=0, ends=10)]
    looked_at = AlertGroup(LINE)
    for a in told:
        looked_at.add(a.to_fact())
        (found,) = seen(looked_at)

    assert at(10).isoformat() == found["refired_at"]
    assert [found] == incidents([a.to_fact() for a in told])


def test_an_end_in_a_storm_is_taken_in_without_working_all_of_it_out_anew() -> None:
    group = AlertGroup(LINE, [alert(f"a{n}", starts=n / 1000).to_fact() for n in range(1000)])
    (before,) = group.incidents()
    for number in range(0, 1000, 2):
        group.add(alert(f"a{number}", starts=number / 1000, ends=60).to_fact())
    group.add(alert("another", starts=61).to_fact())
    (after,) = group.incidents()

    assert before is after
    assert (501, 1001) == (after.firing, len(after.firings))
    assert seen(group) == incidents(
        [
            *(alert(f"a{n}", starts=n / 1000).to_fact() for n in range(1000)),
            *(alert(f"a{n}", starts=n / 1000, ends=60).to_fact() for n in range(0, 1000, 2)),
            alert("another", starts=61).to_fact(),
        ]
    )


def test_an_id_that_is_heard_before_its_alert_finds_it_in_a_storm() -> None:
    anchor, other = alert("a", starts=1), alert("b", starts=0)
    group = AlertGroup(LINE)

    for fact in (opened("I", anchor), other.to_fact(), anchor.to_fact()):
        group.add(fact)
        group.incidents()

    assert [("I",)] == [s.ids for s in group.incidents()]


@given(alerts, said, st.randoms(use_true_random=False))
def test_words_and_alerts_in_any_order_give_the_same_incidents(
    told: list[Alert], words: list[tuple[str, int]], rng: random.Random
) -> None:
    # How it stands is kept until it changes, and until its quiet time is over.
    now = at(rng.uniform(0, 420))
    first = alert(starts=0)
    facts = [first.to_fact(), opened("I", first), *(a.to_fact() for a in told)]
    facts += [word(kind, minutes, incident="I", by="ann", text="") for kind, minutes in words]
    shuffled = rng.sample(facts, len(facts))
    looked_at = AlertGroup(LINE)
    for fact in shuffled:
        looked_at.add(fact)
        seen(looked_at)

    assert incidents(facts, now=now) == seen(looked_at, now=now)
    assert incidents(facts) == seen(looked_at)


@given(alerts)
def test_a_line_has_one_open_incident_at_most_and_loses_no_alert(told: list[Alert]) -> None:
    group = AlertGroup(LINE, [a.to_fact() for a in told])

    is_open = [s for s in group.incidents() if s.cleared_at is None]
    held = [e for s in group.incidents() for e in s.firings]
    fires = [e.told.fingerprint for e in held if e.ends_at is None]
    assert len(is_open) <= 1
    assert {a.fingerprint for a in told} == {e.told.fingerprint for e in held}
    assert sorted(set(fires)) == sorted(fires)


@given(alerts)
def test_a_line_knows_what_it_was_told(told: list[Alert]) -> None:
    group = AlertGroup(LINE)
    for a in told:
        group.add(a.to_fact())
        assert group.knows(a.to_fact())


@pytest.mark.parametrize(
    ("gap", "count"),
    [(QUIET - timedelta(seconds=1), 1), (QUIET, 1), (QUIET + timedelta(seconds=1), 2)],
)
def test_an_alert_after_a_long_silence_is_a_new_incident(gap: timedelta, count: int) -> None:
    minutes = 5 + gap.total_seconds() / 60
    told = [alert(starts=0, ends=5), alert("b", starts=minutes)]

    assert count == len(incidents([a.to_fact() for a in told]))


def test_the_reset_is_timed_from_the_alert_and_not_from_its_arrival() -> None:
    late = Alert("a", at(0), at(4), at(9), alert(starts=0).labels, {})

    state = only([alert(starts=0).to_fact(), late.to_fact()], now=at(10))

    assert (State.RECOVERED, at(4)) == (state.state, state.cleared_at)


def test_a_resolved_alert_that_was_never_heard_firing_counts_all_the_same() -> None:
    state = only([alert(starts=0, ends=3).to_fact()], now=at(4))

    assert (State.RECOVERED, at(0), at(3)) == (state.state, state.starts_at, state.cleared_at)


def closed(minutes: float, kind: Kind = Kind.RESOLVED) -> list[Fact]:
    first = alert(starts=0)
    return [
        first.to_fact(),
        opened("I", first),
        word(Kind.ACKNOWLEDGED, 1, incident="I", by="ann"),
        word(kind, minutes, incident="I", by="ann", text=""),
    ]


def test_an_alert_soon_after_the_closing_opens_the_incident_again_and_wants_a_new_ack() -> None:
    soon = 10 + REOPEN_WITHIN.total_seconds() / 60

    state = only([*closed(10), alert("b", starts=soon).to_fact()], now=at(soon))

    assert (State.TRIGGERED, at(soon), None) == (state.state, state.reopened_at, state.acked_at)


def test_a_storm_after_reopening_does_not_take_the_new_ack_back() -> None:
    facts = [
        *closed(10),
        alert("b", starts=11).to_fact(),
        word(Kind.ACKNOWLEDGED, 12, incident="I", by="bob"),
        alert("c", starts=13).to_fact(),
    ]

    state = only(facts, now=at(14))

    assert (State.ACKNOWLEDGED, at(12), at(11)) == (state.state, state.acked_at, state.reopened_at)


def test_what_opened_it_again_takes_later_alerts_in_for_as_long_as_it_fires() -> None:
    late = 12 + REOPEN_WITHIN.total_seconds() / 60
    told = [*closed(10), alert("b", starts=11).to_fact(), alert("c", starts=late).to_fact()]

    (incident,) = AlertGroup(LINE, told).incidents()

    assert 3 == len(incident.firings)


def test_an_alert_long_after_the_closing_is_a_new_incident_though_the_old_one_still_fires() -> None:
    late = 11 + REOPEN_WITHIN.total_seconds() / 60
    group = AlertGroup(LINE, [*closed(10), alert("b", starts=late).to_fact()])

    states = [state_of(s, group=LINE, now=at(late)).state for s in group.incidents()]
    assert [State.RESOLVED, State.TRIGGERED] == states


def test_a_false_alarm_owes_no_postmortem() -> None:
    state = only(closed(10, Kind.FALSE_ALARM), now=at(60 * 24 * 10))

    assert State.FALSE_ALARM == state.state
    assert {"not_applicable"} == {p.verdict(state.now) for p in state.phases}


def test_late_news_that_joins_two_incidents_keeps_the_older_id() -> None:
    first, second = alert("a", starts=0, ends=5), alert("b", starts=60)
    apart = [
        first.to_fact(),
        opened("old", first, minutes=1),
        second.to_fact(),
        opened("young", second, minutes=61),
    ]
    assert [("old",), ("young",)] == [s.ids for s in AlertGroup(LINE, apart).incidents()]

    joined = AlertGroup(LINE, [*apart, alert("c", starts=4, ends=50).to_fact()])

    assert [("old", "young")] == [s.ids for s in joined.incidents()]
    assert joined.incident_of("young") is joined.incident_of("old")


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("page", "SEV-2"),
        ("critical", "SEV-2"),
        ("SEV1", "SEV-1"),
        ("sev-3", "SEV-3"),
        ("sev-4", "SEV-4"),
        ("SEV-5", "SEV-5"),
        ("ticket", "SEV-3"),
        ("", "SEV-4"),
        ("info", "SEV-4"),
    ],
)
def test_what_an_alerts_label_means(label: str, severity: str) -> None:
    assert severity == only([alert(starts=0, severity=label).to_fact()], now=at(1)).severity


def test_the_worst_alert_gives_the_severity() -> None:
    told = [alert("a", starts=0, severity="ticket"), alert("b", starts=1, severity="page")]

    assert "SEV-2" == only([a.to_fact() for a in told], now=at(2)).severity


def test_phases_are_held_against_their_targets_and_name_who_is_late() -> None:
    first = alert(starts=0)
    facts = [
        first.to_fact(),
        opened("I", first),
        word(Kind.ACKNOWLEDGED, 0.4, incident="I", by="ann"),
        word(Kind.FINDING, 1.5, incident="I", by="ann", step="red"),
    ]

    state = only(facts, now=at(1.6))

    verdicts = {p.name: p.verdict(state.now) for p in state.phases}
    assert "met" == verdicts["acked"]
    assert "missed" == verdicts["red"]
    assert "pending" == verdicts["blame"]
    assert [("trace", "on-call")] == [(p.name, p.who) for p in state.late]
    assert {"on-call": "ann"} == state.roles


def test_a_webhook_is_read_with_unknown_and_absent_keys() -> None:
    payload = {
        "version": "4",
        "from_the_future": {"x": []},
        "alerts": [
            {"labels": {"alertname": "A", "service": "s/t", "slo": 7}, "more": None},
            {"status": "resolved", "fingerprint": "f", "startsAt": "2026-11-23T12:00:00Z"},
            {"labels": {"alertname": "Watchdog"}},
            {"labels": "no", "annotations": [1], "startsAt": "9999-12-31T23:59:59-23:00"},
        ],
    }

    first, second, third = alerts_of(payload, received_at=at(5))

    assert ("s/t", "7", "s%2Ft/7") == (first.service, first.slo, first.group)
    assert (at(5), None) == (first.starts_at, first.ends_at)
    assert (at(0), at(5), "f") == (second.starts_at, second.ends_at, second.fingerprint)
    assert ("unknown/unknown", at(5)) == (third.group, third.starts_at)
    assert has_beat(payload)


@pytest.mark.parametrize("payload", [{}, {"alerts": None}, {"alerts": [1]}, {"alerts": {}}])
def test_what_is_no_webhook_is_refused_with_a_sentence(payload: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is the sender Alertmanager"):
        alerts_of(payload, received_at=NOON)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["labels", "annotations", "startsAt", "endsAt", "status", "fingerprint", "generatorURL"]
        ),
        json_values,
    )
)
def test_no_alert_however_strange_breaks_the_reader_or_the_store(raw: dict[str, Any]) -> None:
    for found in alerts_of({"alerts": [raw]}, received_at=NOON):
        fact = found.to_fact()
        assert found == Alert.from_fact(fact)
        assert "\0" not in fact.id
        fact.id.encode()


def firing(fingerprint: str, *, starts: float, heard: float | None = None, **labels: str) -> Fact:
    told = alert(fingerprint, starts=starts, **labels)
    return replace(told, received_at=at(starts if heard is None else heard)).to_fact()


def cleared(fingerprint: str, *, starts: float, ends: float, heard: float | None = None) -> Fact:
    told = alert(fingerprint, starts=starts, ends=ends)
    return replace(told, received_at=at(ends if heard is None else heard)).to_fact()


def acked(minutes: float) -> Fact:
    return word(Kind.ACKNOWLEDGED, minutes, incident="I", by="ann")


@pytest.mark.parametrize(
    ("told", "refired"),
    [
        pytest.param([cleared("a", starts=0, ends=5), firing("a", starts=10)], 10, id="cleared"),
        pytest.param([cleared("a", starts=0, ends=5), firing("b", starts=10)], 10, id="another"),
        pytest.param([firing("b", starts=4), cleared("a", starts=0, ends=5)], None, id="overlap"),
        pytest.param(
            [cleared("a", starts=0, ends=5), firing("b", starts=4, heard=6)], 6, id="heard late"
        ),
        pytest.param([firing("a", starts=6)], 6, id="a clearing that was never told"),
        pytest.param(
            [cleared("a", starts=0, ends=5, heard=10), firing("a", starts=6, heard=10)],
            10,
            id="both in one webhook",
        ),
        pytest.param(
            [firing("b", starts=1), firing("a", starts=6), cleared("a", starts=6, ends=7)],
            None,
            id="one of two",
        ),
    ],
)
def test_what_fires_after_all_that_was_heard_has_cleared_fires_anew(
    told: list[Fact], refired: float | None
) -> None:
    first = alert("a", starts=0)

    state = only([first.to_fact(), opened("I", first), acked(1), *told], now=at(15))

    assert (refired is None) == (state.acked_at is not None)
    assert (None if refired is None else at(refired)) == state.refired_at
    assert (State.ACKNOWLEDGED if refired is None else State.TRIGGERED) == state.state


def test_a_ticket_that_was_acknowledged_is_no_answer_to_the_page_after_it() -> None:
    first = alert("t", starts=0, severity="ticket")

    state = only([first.to_fact(), opened("I", first), acked(1), firing("a", starts=9)], now=at(10))

    assert (None, at(9)) == (state.acked_at, state.unanswered_since)


@given(st.permutations(range(6)))
def test_when_it_fired_anew_is_the_same_in_whatever_order_it_is_told(order: list[int]) -> None:
    told = [
        firing("a", starts=0),
        cleared("a", starts=0, ends=5),
        firing("b", starts=4),
        cleared("b", starts=4, ends=8, heard=9),
        firing("a", starts=11),
        cleared("b", starts=4, ends=7, heard=8),
    ]

    (incident,) = AlertGroup(LINE, [told[n] for n in order]).incidents()

    assert at(11) == incident.refired_at()
