"""Whom a handful of traces accuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.suspicion import accuse
from gameday.model.signals import Span, Trace

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def milliseconds(value: float) -> timedelta:
    return timedelta(milliseconds=value)


def reservation(number: int, *, starts: float, own: float, database: float) -> Trace:
    """Return a request to inventory: its own work first, then the wait for its database."""
    trace = f"{number:032x}"
    begin = NOON + milliseconds(starts)
    resource = {"cloud.region": "eu-west"}
    server = Span(
        trace_id=trace,
        span_id="a",
        parent_id=None,
        name="POST /reservations",
        kind="server",
        service="inventory",
        started_at=begin,
        duration=milliseconds(own + database),
        resource=resource,
    )
    query = Span(
        trace_id=trace,
        span_id="b",
        parent_id="a",
        name="UPDATE stock",
        kind="client",
        service="inventory",
        started_at=begin + milliseconds(own),
        duration=milliseconds(database),
        attributes={"peer.service": "db"},
        resource=resource,
    )
    return Trace(trace, (server, query))


QUIET = [reservation(n, starts=-9000 + 100 * n, own=1, database=2) for n in range(6)]


def test_requests_that_wait_while_another_keeps_the_process_busy_accuse_its_work() -> None:
    # Three wait for the database only because the process serves none of them meanwhile.
    bad = [
        reservation(100, starts=0, own=160, database=5),
        *(reservation(101 + n, starts=20 + n, own=10, database=110) for n in range(3)),
    ]

    suspect = accuse(bad, QUIET)

    assert suspect is not None
    assert Hop("inventory") == suspect.place


def test_a_wait_much_longer_than_the_work_beside_it_accuses_the_downstream() -> None:
    # A busy moment of the process does not explain two seconds.
    bad = [reservation(100 + n, starts=20 * n, own=60, database=2000) for n in range(4)]

    suspect = accuse(bad, QUIET)

    assert suspect is not None
    assert Hop("inventory", "db") == suspect.place


def test_a_wait_that_overlaps_no_work_accuses_the_downstream() -> None:
    bad = [
        reservation(100, starts=0, own=160, database=5),
        *(reservation(101 + n, starts=1000 + 200 * n, own=1, database=150) for n in range(3)),
    ]

    suspect = accuse(bad, QUIET)

    assert suspect is not None
    assert Hop("inventory", "db") == suspect.place
