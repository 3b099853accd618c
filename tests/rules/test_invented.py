"""Series are made up for any usual selector, and only where they prove something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.slo import Ratio
from gameday.rules.invented import Counts, InventedSeries, counters_for, example, series_for
from gameday.spec.openslo.promql import Matcher, Selector, parsed_selector


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("5..", "5xx"),
        ("2..|4..", "2xx"),
        ("(a|b)c+", "ac"),
        ("[^x]\\d{3}", "a000"),
        ("prod-.*", "prod-"),
        ("(?:GET|POST)", "GET"),
        ("(?P<name>a)b", "ab"),
        ("^a{2,}$", "aa"),
        ("[[a]|b", None),
        ("[]]", "]"),
        ("a\\.b|c", "a.b"),
        ("(a\\)|b)", "a)"),
        ("[0-9]+ms", "0ms"),
        ("", ""),
        ("(", None),
        ("[[:alpha:]]+", None),
        ("a(?=b)", None),
        ("\\", None),
    ],
)
def test_a_text_is_found_that_an_expression_matches(pattern: str, text: str | None) -> None:
    assert text == example(pattern)


@given(st.text(st.sampled_from("ab0.*+?|()[]{}^$\\d-,3"), max_size=12))
def test_whatever_is_found_matches(pattern: str) -> None:
    found = example(pattern)

    assert found is None or Matcher("", "=~", pattern).matches(found)


def counted(part: str, total: str) -> dict[str, Counts] | None:
    found = counters_for(Ratio(total=total, good=part))
    return None if found is None else {str(s): counts for s, counts in found.items()}


@pytest.mark.parametrize(
    ("good", "total", "expected"),
    [
        ("good", "total", {"good{}": Counts.GOOD, "total{}": Counts.ALL}),
        (
            'x{code!~"5.."}',
            "x",
            {"x{}": Counts.GOOD, 'x{code="5xx"}': Counts.BAD},
        ),
        (
            'x{code=~"2..|4..",job="a"}',
            'x{job="a"}',
            {'x{code="2xx",job="a"}': Counts.GOOD, 'x{job="a"}': Counts.BAD},
        ),
        (
            'x{s="ok"}',
            'x{s=~"ok|failed"}',
            {'x{s="ok"}': Counts.GOOD, 'x{s="failed"}': Counts.BAD},
        ),
        (
            'x_bucket{le="0.1",code!="500"}',
            "x_count",
            {'x_bucket{le="0.1"}': Counts.GOOD, "x_count{}": Counts.ALL},
        ),
        (
            'x{a="1",a!="2"}',
            'x{a!=""}',
            {'x{a="1"}': Counts.GOOD, 'x{a="other"}': Counts.BAD},
        ),
    ],
)
def test_counters_are_made_up_that_the_selectors_tell_apart(
    good: str, total: str, expected: dict[str, Counts]
) -> None:
    assert expected == counted(good, total)


@pytest.mark.parametrize(
    ("good", "total"),
    [
        ("x", "x"),
        ('x{a="b"}', 'x{a="b"}'),
        ('x{a=~".*"}', "x"),
        ('x{a=~"("}', "x"),
        ("x", 'x{a="b"}'),
        ('x{a="b",a="c"}', "x"),
        ("good", 'total{a=~"("}'),
        ("rate(x[5m])", "y"),
    ],
)
def test_nothing_is_made_up_where_nothing_could_be_told_apart(good: str, total: str) -> None:
    assert counted(good, total) is None


def test_bad_events_are_counted_as_bad() -> None:
    found = counters_for(Ratio(total="x", bad='x{code=~"5.."}'))

    assert found is not None
    assert {'x{code="5xx"}': Counts.BAD, "x{}": Counts.GOOD} == {
        str(s): counts for s, counts in found.items()
    }


def test_a_series_is_written_as_promtool_reads_it() -> None:
    selector = parsed_selector('x{a="q\\"\\\\\\n",b=""}')
    assert selector is not None

    series = series_for(selector)

    assert 'x{a="q\\"\\\\\\n"}' == str(series)
    assert not InventedSeries("y", {}).meets(Selector("x"))
