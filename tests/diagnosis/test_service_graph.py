"""Whom a graph of calls accuses: a table of causes, and what holds for every graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.graph import FAR, TO_SIGMA, Accused, Course, Edge, accuse, deviation
from gameday.model.service_graph import Measure

ERRORS, DURATION, RATE = Measure.ERRORS, Measure.DURATION, Measure.RATE

QUIET = (0.050, 0.052, 0.048, 0.051, 0.049, 0.050, 0.053, 0.047)
"""Median 0.050, median distance 0.0015: 1.4826 times that is 0.0022, and 5 % of 50 ms is 0.0025."""


def course(measure: Measure, quiet: float, since: float) -> Course:
    """A number that scatters a little around what it is before and since."""
    scatter = [v / 0.050 for v in QUIET]
    return Course(measure, tuple(quiet * s for s in scatter), tuple(since * s for s in scatter))


def call(
    caller: str,
    callee: str,
    *,
    errors: float = 0.0,
    slow: float = 1.0,
    own_errors: float | None = None,
    own_slow: float | None = None,
    rate: float = 1.0,
    counts_itself: bool = True,
) -> Edge:
    """A call as both sides count it; who answers sees what the caller sees, unless it is said."""

    def seen(errors: float, slow: float) -> tuple[Course, ...]:
        return (
            course(RATE, 20, 20 * rate),
            course(ERRORS, 0, errors),
            course(DURATION, 0.05, 0.05 * slow),
        )

    own = seen(errors if own_errors is None else own_errors, slow if own_slow is None else own_slow)
    return Edge(caller, callee, seen(errors, slow), own if counts_itself else ())


# --- how far ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "quiet", "since", "expected"),
    [
        # (0.0625 - 0.050) / max(1.4826 * 0.0015, 0.05 * 0.050)
        (DURATION, QUIET, (0.0625,) * 3, 5.0),
        (DURATION, QUIET, (0.050,) * 3, 0.0),
        (DURATION, QUIET, (0.040,) * 3, -4.0),
        # median distance 2 ms: 0.010 / (1.4826 * 0.002)
        (DURATION, (0.008, 0.010, 0.012), (0.020,) * 3, 3.3725),
        # no scatter at all: the least that counts, 0.2 %
        (ERRORS, (0.0,) * 5, (0.01,) * 3, 5.0),
        # one odd minute of the quiet time hides nothing
        (ERRORS, (0.0, 0.0, 0.0, 0.0, 0.9), (0.01,) * 3, 5.0),
        (ERRORS, (0.0,) * 2, (0.01,) * 3, None),
        (ERRORS, (0.0,) * 3, (0.01,) * 2, None),
    ],
)
def test_how_far_is_told_in_robust_standard_deviations(
    measure: Measure, quiet: tuple[float, ...], since: tuple[float, ...], expected: float | None
) -> None:
    found = deviation(Course(measure, quiet, since))

    assert (expected is None) == (found is None)
    assert expected is None or expected == pytest.approx(found, rel=1e-4)


VALUES = st.lists(st.floats(0.001, 10), min_size=3, max_size=20).map(tuple)


@given(VALUES, VALUES, st.floats(0.1, 100))
def test_the_unit_of_a_duration_changes_nothing_where_it_scatters(
    quiet: tuple[float, ...], since: tuple[float, ...], unit: float
) -> None:
    least = 0.02  # from where on a twentieth of it is more than a millisecond, in either unit
    quiet = tuple(v + least / min(unit, 1) for v in quiet)
    one = deviation(Course(DURATION, quiet, since))
    other = deviation(
        Course(DURATION, tuple(v * unit for v in quiet), tuple(v * unit for v in since))
    )

    assert one == pytest.approx(other, rel=1e-6, abs=1e-6)


@given(VALUES, VALUES, st.floats(0, 10))
def test_what_is_worse_never_deviates_less(
    quiet: tuple[float, ...], since: tuple[float, ...], more: float
) -> None:
    before = deviation(Course(DURATION, quiet, since))
    after = deviation(Course(DURATION, quiet, tuple(v + more for v in since)))

    assert before is not None and after is not None and after >= before


@given(VALUES, st.floats(100, 1e9))
def test_less_than_half_of_the_quiet_time_may_be_anything_and_hides_nothing(
    quiet: tuple[float, ...], odd: float
) -> None:
    strays = (odd,) * ((len(quiet) - 1) // 2)
    widest = max(TO_SIGMA * (max(quiet) - min(quiet)), 0.05 * max(quiet), 0.001)
    since = (max(quiet) + FAR * widest,) * 3

    found = deviation(Course(DURATION, (*quiet, *strays), since))

    assert found is not None and found >= FAR - 1e-6


# --- whom -------------------------------------------------------------------------------------

SHOP = ("storefront", "checkout", "inventory", "db")


def chain(*calls: Edge) -> Sequence[Edge]:
    """The shop's calls, with these in the place of those that are well, and two beside."""
    well = [call(a, b) for a, b in pairwise(SHOP)]
    well += [call("storefront", "search"), call("ads", "inventory")]
    said = {(c.caller, c.callee): c for c in calls}
    return [said.pop((c.caller, c.callee), c) for c in well] + list(said.values())


TABLE = [
    ("nothing downstream", [], Hop("storefront"), ("storefront",)),
    (
        "a database that is slow by its own account",
        [
            call("storefront", "checkout", slow=5),
            call("checkout", "inventory", slow=6),
            call("inventory", "db", slow=20),
        ],
        Hop("db"),
        SHOP,
    ),
    (
        "a database that counts nothing",
        [
            call("storefront", "checkout", slow=5),
            call("checkout", "inventory", slow=6),
            call("inventory", "db", slow=20, counts_itself=False),
        ],
        Hop("db"),
        SHOP,
    ),
    (
        "the way to it: it is well by its own account",
        [
            call("storefront", "checkout", slow=5),
            call("checkout", "inventory", slow=6, own_slow=1),
        ],
        Hop("checkout", "inventory"),
        SHOP[:3],
    ),
    (
        "one in the middle that works too long",
        [call("storefront", "checkout", slow=5)],
        Hop("checkout"),
        SHOP[:2],
    ),
    (
        "errors of one that others call too",
        [
            call("storefront", "checkout", errors=0.3),
            call("checkout", "inventory", errors=0.4),
            call("ads", "inventory", errors=0.4),
        ],
        Hop("inventory"),
        SHOP[:3],
    ),
    (
        "one that nobody answers any more",
        [call("storefront", "checkout", errors=0.5), call("checkout", "inventory", rate=0.0)],
        Hop("checkout", "inventory"),
        SHOP[:3],
    ),
    (
        "the worse of two",
        [call("storefront", "search", slow=2), call("storefront", "checkout", slow=4)],
        Hop("checkout"),
        SHOP[:2],
    ),
    (
        "what fails, and not what is only called less because of it",
        [call("storefront", "search", rate=0.0), call("storefront", "checkout", errors=0.5)],
        Hop("checkout"),
        SHOP[:2],
    ),
    (
        "trouble of another that is not on the way",
        [call("ads", "inventory", slow=9)],
        Hop("storefront"),
        SHOP[:1],
    ),
    (
        "a circle of calls",
        [call("storefront", "checkout", slow=4), call("checkout", "storefront", slow=9)],
        Hop("checkout"),
        SHOP[:2],
    ),
]


@pytest.mark.parametrize(
    ("calls", "place", "path"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_walk_ends_at_the_cause(calls: list[Edge], place: Hop, path: tuple[str, ...]) -> None:
    found = accuse(chain(*calls), "storefront")

    assert found is not None
    assert (place, path) == (found.place, found.path)


def test_what_deviates_is_told_with_both_times() -> None:
    found = accuse([call("storefront", "checkout", errors=0.4)], "storefront")

    assert found is not None
    assert (ERRORS, 0.0, 0.4) == (found.measure, found.before, pytest.approx(found.now))
    assert found.sigmas == pytest.approx(0.4 / 0.002)


def test_a_service_that_the_graph_does_not_know_is_accused_by_nobody() -> None:
    assert None is accuse(chain(), "billing")
    assert Accused(Hop("search"), ("search",)) == accuse(chain(), "search")


NAMES = st.sampled_from("abcdef")
CALLS = st.lists(
    st.builds(
        lambda a, b, errors, slow, rate: call(a, b, errors=errors, slow=slow, rate=rate),
        NAMES,
        NAMES,
        st.sampled_from([0.0, 0.001, 0.2]),
        st.sampled_from([1.0, 1.05, 3.0]),
        st.sampled_from([0.0, 1.0]),
    ).filter(lambda c: c.caller != c.callee),
    max_size=12,
    unique_by=lambda c: (c.caller, c.callee),
)


@given(CALLS, st.randoms(use_true_random=False))
def test_a_walk_goes_down_calls_and_never_twice_through_one_service(
    calls: list[Edge], random: object
) -> None:
    found = accuse(calls, "a")
    shuffled = list(calls)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert found == accuse(shuffled, "a")
    if found is None:
        assert not any("a" in (c.caller, c.callee) for c in calls)
        return
    pairs = {(c.caller, c.callee) for c in calls}
    assert "a" == found.path[0]
    assert len(found.path) == len(set(found.path))
    assert set(pairwise(found.path)) <= pairs
    assert found.path[-1] in (found.place.service, found.place.downstream)
    assert len(found.path) == 1 or found.sigmas >= FAR


@given(CALLS)
def test_where_every_call_is_as_before_only_the_service_itself_is_left(calls: list[Edge]) -> None:
    well = [
        replace(c, by_caller=call("a", "b").by_caller, by_callee=call("a", "b").by_callee)
        for c in calls
    ]

    found = accuse(well, "a")

    assert found is None or Accused(Hop("a"), ("a",)) == found
