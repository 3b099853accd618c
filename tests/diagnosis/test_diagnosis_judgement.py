"""The responder's pure parts: links, exclusive times, profiles, RED readings, deploys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gameday.diagnosis import changes, red, stacks
from gameday.diagnosis.exclusive import Hop, deepest_failure, parts_of
from gameday.diagnosis.links import Dashboard, ProfileView, TraceSearch
from gameday.diagnosis.remedy import check_of
from gameday.diagnosis.suspicion import accuse
from gameday.model.page import RedShape, Step
from gameday.model.signals import Deploy, Frame, Profile, Sample, Series, Span, Stack, Trace

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def span(
    id: str,
    parent: str | None,
    service: str,
    start: float,
    end: float,
    *,
    peer: str = "",
    error: bool = False,
) -> Span:
    return Span(
        trace_id="t",
        span_id=id,
        parent_id=parent,
        name=id,
        kind="client" if peer else "server",
        service=service,
        started_at=NOON + timedelta(seconds=start),
        duration=timedelta(seconds=end - start),
        error=error,
        attributes={"peer.service": peer} if peer else {},
    )


def trace(*spans: Span) -> Trace:
    return Trace("t", tuple(sorted(spans, key=lambda s: s.started_at)))


def times(of: Trace) -> dict[str, float]:
    return {str(p): round(part.time.total_seconds(), 3) for p, part in parts_of(of).items()}


def test_a_dashboard_link_gives_the_base_url_and_what_draws_each_signal() -> None:
    dashboard = Dashboard.parse(
        "http://prometheus:9090/prefix/graph?g1.expr=b%2Fc&g1.signal=duration"
        "&g0.expr=rate(a%5B5s%5D)&g0.signal=rate&g0.tab=0"
    )

    drawn = {red.Signal.RATE: "rate(a[5s])", red.Signal.DURATION: "b/c"}
    assert Dashboard("http://prometheus:9090/prefix", drawn) == dashboard


def test_what_an_expression_draws_is_said_by_the_link_and_not_guessed() -> None:
    dashboard = Dashboard.parse(
        "http://prometheus/graph?g0.expr=sum(x_seconds_bucket)&g1.expr=a&g1.signal=speed"
        "&g2.signal=rate"
    )

    assert Dashboard("http://prometheus", {}) == dashboard


def test_trace_and_profile_links_give_their_windows() -> None:
    search = TraceSearch.parse(
        "http://store/search?service=shop&start=1767614400000000&end=1767614460500000"
        "&minDuration=1.5s"
    )
    view = ProfileView.parse("http://store/pyroscope?query=x&from=1767614400000&until=oops")

    assert ("http://store", "shop", NOON) == (search.base, search.service, search.since)
    assert NOON + timedelta(seconds=60.5) == search.until
    assert timedelta(seconds=1.5) == search.min_duration
    assert (NOON, None) == (view.since, view.until)


def test_exclusive_time_is_what_children_do_not_cover() -> None:
    of = trace(
        span("root", None, "a", 0, 1),
        span("call", "root", "a", 0.1, 0.9, peer="b"),
        span("served", "call", "b", 0.2, 0.8),
        span("one", "served", "b", 0.3, 0.5, peer="db"),
        span("two", "served", "b", 0.4, 0.7, peer="db"),
    )

    assert {"a": 0.2, "a → b": 0.2, "b": 0.2, "b → db": 0.5} == times(of)


def test_work_after_the_caller_gave_up_does_not_count() -> None:
    of = trace(
        span("root", None, "a", 0, 5, error=True),
        span("call", "root", "a", 0, 5, peer="b", error=True),
        span("served", "call", "b", 0.1, 9),
        span("one", "served", "b", 0.1, 9, peer="db"),
    )

    assert 4.9 == times(of)["b → db"]


def test_a_trace_that_is_its_own_parent_ends() -> None:
    assert {"a": 1.0} == times(trace(span("x", "x", "a", 0, 1)))


def test_the_deepest_failure_is_the_one_below_which_nothing_failed() -> None:
    of = trace(
        span("root", None, "a", 0, 1, error=True),
        span("first", "root", "a", 0.1, 0.2, peer="b", error=True),
        span("again", "root", "a", 0.3, 0.9, peer="b", error=True),
        span("served", "again", "b", 0.4, 0.8),
    )

    found = deepest_failure(of)

    assert found is not None
    assert "again" == found.span_id
    assert deepest_failure(trace(span("fine", None, "a", 0, 1))) is None


def test_without_traces_nobody_is_accused() -> None:
    assert accuse([], []) is None


def test_what_is_slow_every_day_is_not_accused() -> None:
    quiet = trace(span("root", None, "a", 0, 0.09), span("c", "root", "a", 0, 0.08, peer="b"))
    bad = trace(span("root", None, "a", 0, 0.15), span("c", "root", "a", 0, 0.08, peer="b"))

    suspect = accuse([bad] * 5, [quiet] * 5)

    assert suspect is not None
    assert Hop("a") == suspect.place
    assert 1.0 == suspect.bulk_ratio


def frame(function: str, file: str, line: int = 1) -> Frame:
    return Frame(function, file, line)


OUTER = frame("serve", "/releases/abcdef1/chassis/server.py")


def test_the_widest_own_leaf_is_named_also_below_a_library_and_a_comprehension() -> None:
    profile = Profile(
        (
            Stack(
                (OUTER, frame("price", "/releases/abcdef1/a.py", 3), frame("sha", "<frozen x>")),
                timedelta(seconds=2),
            ),
            Stack(
                (
                    OUTER,
                    frame("price", "/releases/abcdef1/a.py", 9),
                    frame("price.<locals>.<listcomp>", "/releases/abcdef1/a.py", 9),
                ),
                timedelta(seconds=3),
            ),
            Stack((OUTER, frame("pack", "/releases/abcdef1/b.py")), timedelta(seconds=4)),
            Stack((frame("gc", "/opt/else.py"),), timedelta(seconds=1)),
        )
    )

    reading = stacks.read(profile, revision="abcdef1")

    assert reading is not None and reading.working is not None
    assert ("price", 9, 0.5) == (
        reading.working.function,
        reading.working.line,
        reading.working.share_ratio,
    )
    assert 0 == reading.talking_ratio


def test_stacks_that_talk_to_somebody_are_kept_apart() -> None:
    library = "/venv/lib/python3.11/site-packages/psycopg/cursor.py"
    profile = Profile(
        (
            Stack(
                (
                    OUTER,
                    frame("fetch", "/releases/abcdef1/db.py"),
                    frame("Cursor.execute", library),
                    frame("Connection.wait", "/releases/abcdef1/db.py"),
                ),
                timedelta(seconds=3),
            ),
            Stack((OUTER, frame("http", "/releases/abcdef1/http/client.py")), timedelta(seconds=1)),
        )
    )

    reading = stacks.read(profile, revision="abcdef1")

    assert reading is not None
    assert 0.75 == reading.talking_ratio
    assert reading.talking is not None and "Connection.wait" == reading.talking.function
    assert reading.working is not None and "http" == reading.working.function


def test_an_empty_profile_says_nothing() -> None:
    assert stacks.read(Profile(()), revision=None) is None


def test_a_release_path_becomes_a_repository_path() -> None:
    assert "a/b.py" == stacks.repository_path("/x/releases/abc/a/b.py", "abc")
    assert "/x/a/b.py" == stacks.repository_path("/x/a/b.py", "abc")
    assert "/x/a/b.py" == stacks.repository_path("/x/a/b.py", None)


def drawn(
    signal: red.Signal, values: dict[str, list[float]], code: str = "200"
) -> tuple[red.Signal, list[Series]]:
    return signal, [
        Series(
            {"region": region, "code": code},
            tuple(Sample(NOON + timedelta(seconds=i), v) for i, v in enumerate(numbers)),
        )
        for region, numbers in values.items()
    ]


def reading(*of: tuple[red.Signal, list[Series]], start: float = 0) -> red.RedReading:
    return red.read(
        dict(of),
        span=red.BurnSpan(NOON - timedelta(seconds=start), NOON, NOON + timedelta(seconds=60)),
        now=NOON + timedelta(seconds=60),
        short_window=timedelta(seconds=5),
    )


def test_a_trouble_in_one_region_is_not_that_of_the_neighbour_who_feels_it_a_little() -> None:
    found = reading(
        drawn(
            red.Signal.DURATION,
            {"here": [0.02] * 40 + [0.4] * 20, "there": [0.02] * 40 + [0.05] * 20},
        )
    )

    assert ("here", ("duration",), RedShape.PLATEAU) == (
        found.region(),
        found.moved(),
        found.shape(),
    )
    assert NOON + timedelta(seconds=40) == found.onset()


def test_failures_that_had_no_series_before_are_counted_from_the_rate() -> None:
    signal, failing = drawn(red.Signal.RATE, {"here": [4.0] * 20}, code="503")
    late = [
        Series(s.labels, tuple(Sample(x.at + timedelta(seconds=40), x.value) for x in s.samples))
        for s in failing
    ]
    _, fine = drawn(red.Signal.RATE, {"here": [8.0] * 40 + [4.0] * 20, "there": [8.0] * 60})

    found = reading((signal, [*fine, *late]))

    assert ("errors",) == found.moved()
    assert "here" == found.region()
    assert ("errors", 0.0, 0.5) == (
        found.movements[0].signal,
        found.movements[0].before,
        found.movements[0].after,
    )


def test_what_came_and_went_before_is_neither_onset_nor_region_of_the_present_trouble() -> None:
    before = [0.02] * 10 + [0.5] * 12 + [0.02] * 20

    found = reading(
        drawn(
            red.Signal.DURATION, {"here": [*before, *[0.4] * 15], "there": [*before, *[0.02] * 15]}
        )
    )

    assert "here" == found.region()
    assert NOON + timedelta(seconds=42) == found.onset()


def test_noise_moves_nothing() -> None:
    noisy = [0.02 + 0.001 * (i % 7) for i in range(60)]
    noisy[30] = 0.3

    assert () == reading(drawn(red.Signal.DURATION, {"here": noisy, "there": noisy})).moved()


def test_a_service_that_was_just_started_has_not_moved() -> None:
    rising = [1.0, 2.0, 4.0, 6.0, 8.0, *[8.0] * 40]

    assert () == reading(drawn(red.Signal.RATE, {"here": rising}), start=30).moved()
    assert ("rate",) == reading(drawn(red.Signal.RATE, {"here": [1.0] * 9 + rising})).moved()


def test_only_a_deploy_of_that_service_and_region_before_the_onset_counts() -> None:
    deploys = [
        Deploy("shop", "a" * 40, NOON - timedelta(hours=1)),
        Deploy("shop", "b" * 40, NOON - timedelta(seconds=30), region="here"),
        Deploy("shop", "b" * 40, NOON + timedelta(seconds=30), region="there"),
        Deploy("other", "b" * 40, NOON - timedelta(seconds=20)),
    ]

    def live(region: str | None) -> Deploy | None:
        return changes.went_live(
            deploys, service="shop", revision="b" * 7, region=region, onset=NOON
        )

    assert deploys[1] == live("here") == live(None)
    assert live("there") is None
    assert deploys[0] == changes.before(deploys, deploys[1], region="here")
    assert changes.before(deploys, deploys[0], region=None) is None


@pytest.mark.parametrize(
    ("id", "text", "step"),
    [
        ("read-profile", "Open the profile of one of those traces", Step.PROFILE),
        ("check-changes", "Who changed that function last?", Step.BLAME),
        ("a1", "Open slow traces", Step.TRACE),
        ("a2", "Open the RED dashboard", Step.RED),
        ("a3", "Ask the neighbours", None),
    ],
)
def test_a_check_is_known_by_its_name_and_else_by_its_words(
    id: str, text: str, step: Step | None
) -> None:
    assert step is check_of(id, text)
