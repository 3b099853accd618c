"""Pictures out of telemetry, with positions worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gameday.diagnosis.stacks import Leaf
from gameday.model.signals import Deploy, Frame, Profile, Span, Stack, Trace
from gameday.server.console.pictures import MOST_SPANS, axis, flame, waterfall

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def span(id: str, parent: str | None, begins: int, lasts: int, **more: object) -> Span:
    return Span(
        trace_id="t",
        span_id=id,
        parent_id=parent,
        name=f"span {id}",
        kind="server",
        service="shop",
        started_at=NOON + timedelta(milliseconds=begins),
        duration=timedelta(milliseconds=lasts),
        **more,  # type: ignore[arg-type]
    )


def test_a_waterfall_stands_in_the_order_of_the_calls_in_percent_of_the_request() -> None:
    trace = Trace(
        "t",
        (
            span("a", None, 0, 200),
            span("b", "a", 20, 100),
            span("d", "a", 150, 40),
            span("c", "b", 30, 80),
        ),
    )

    fall = waterfall(trace, frozenset({"c"}))

    assert [(b.label, b.left, b.width, b.depth) for b in fall.bars] == [
        ("span a", 0.0, 100.0, 0),
        ("span b", 10.0, 50.0, 1),
        ("span c", 15.0, 40.0, 2),
        ("span d", 75.0, 20.0, 1),
    ]
    assert [b.label for b in fall.bars if b.is_bulk] == ["span c"]


def test_a_span_that_outlives_its_request_stays_inside_the_picture() -> None:
    trace = Trace("t", (span("a", None, 0, 100), span("b", "a", 90, 500)))

    assert [(b.left, b.width) for b in waterfall(trace, frozenset()).bars][1] == (90.0, 10.0)


def test_a_trace_that_calls_itself_is_drawn_once() -> None:
    trace = Trace("t", (span("a", "b", 0, 100), span("b", "a", 0, 50)))

    assert len(waterfall(trace, frozenset()).bars) == 2


def test_a_very_wide_trace_says_how_much_is_not_shown() -> None:
    spans = [span("a", None, 0, 100), *(span(f"s{n}", "a", n, 1) for n in range(60))]

    fall = waterfall(Trace("t", tuple(spans)), frozenset())

    assert (len(fall.bars), fall.hidden) == (MOST_SPANS, 61 - MOST_SPANS)


def test_a_flame_graph_adds_up_what_is_shared_and_marks_the_leaf() -> None:
    main, work, wait = Frame("main", "a.py", 1), Frame("work", "a.py", 2), Frame("wait", "b.py", 3)
    profile = Profile(
        (Stack((main, work), timedelta(seconds=1)), Stack((main, wait), timedelta(seconds=3)))
    )

    drawn = flame(profile, Leaf("wait", "b.py", 3, 0.75))

    assert {b.function: (b.row, b.left, b.width, b.is_leaf) for b in drawn.boxes} == {
        "all": (0, 0.0, 100.0, False),
        "main": (1, 0.0, 100.0, False),
        "wait": (2, 0.0, 75.0, True),
        "work": (2, 75.0, 25.0, False),
    }
    assert drawn.rows == 3


@pytest.mark.parametrize("profile", [Profile(()), Profile((Stack((), timedelta(0)),))])
def test_a_profile_that_saw_nothing_has_no_picture(profile: Profile) -> None:
    assert flame(profile, None).boxes == ()


def test_an_axis_puts_deploys_onset_and_page_in_order() -> None:
    deploy = Deploy("shop", "c0ffee1234", NOON)

    marks = axis(
        [deploy],
        onset=NOON + timedelta(seconds=50),
        paged_at=NOON + timedelta(seconds=75),
        now=NOON + timedelta(seconds=100),
    )

    assert [(m.kind, m.left) for m in marks] == [
        ("deploy", 2.0),
        ("onset", 50.0),
        ("page", 74.0),
        ("now", 98.0),
    ]
