"""PromQL judged without Prometheus: what we refuse, Prometheus refuses too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.spec import validate_file
from gameday.spec.openslo.promql import (
    Matcher,
    Selector,
    counter_selector,
    expression_fault,
    parsed_selector,
)

VALID = [
    "x",
    "sum(x)",
    'sum by (a) (rate(x{a="b",}[5m]))',
    "sum(rate(x[5m])) by (a) / on (a) group_left sum(y)",
    "x * on (a, b) group_left (c) y",
    "x / ignoring (a) y",
    "x offset 5m > bool 3",
    "x offset -1h30m",
    "time()",
    "vector(1) or x",
    "a and on () b unless c",
    "-x ^ 2",
    "- -x",
    "x @ start()",
    "x[5m] @ 1609746000.5",
    "max_over_time((x > 3)[1h:5m])",
    "rate(x[5m:])",
    'label_replace(x, "a", "$1", "b", "(.*)")',
    "x # the rest is a comment ) ] }",
    "sum without (a) (x) + 1e3 * .5 / 0x1F",
    "topk(3, x) == Inf",
    'x{a="}", b=\'"\'}',
    'count_values("v", x)',
    '{__name__=~"x.*"}',
    "histogram_quantile(0.9, sum by (le) (rate(x_bucket[1h30m])))",
    "x atan2 y",
    "(((x)))",
    "x\n+\ny",
    "sum(sum_over_time(x[1h])) % 3 != 2",
]
INVALID = {
    "": "ends where a value is missing",
    "  ": "ends where a value is missing",
    "sum(x": "has a '(' at character 4 that is not closed",
    "x)": "has a ')' at character 2 that nothing opened",
    "x]": "has a ']' at character 2 that nothing opened",
    "x }": "has a '}' at character 3 that nothing opened",
    "http requests": "lacks an operator before character 6",
    "1 2": "lacks an operator before character 3",
    "(x)(y)": "lacks an operator before character 4",
    '(x){a="b"}': "lacks an operator before character 4",
    "x +": "ends where a value is missing",
    "/ x": "has the operator '/' at character 1 without a value before it",
    "x ** y": "has the operator '*' at character 4 without a value before it",
    "x{a=b}": "has a label matcher that cannot be read at character 3",
    'x{a="b"': "has a label matcher that cannot be read at character 8",
    "rate(x[5 minutes])": "has a range at character 7 that cannot be read",
    "rate(x[5m)": "has a range at character 7 that cannot be read",
    "[5m]": "has a range at character 1 that cannot be read",
    '"abc': "has a quote at character 1 that is not closed",
    "x;": "cannot be read at character 2: ';'",
    "$x": "cannot be read at character 1: '$x'",
    "x & y": "cannot be read at character 3: '&'",
    "5x": "cannot be read at character 1: '5x'",
    "sum(,x)": "lacks a value before character 5",
    "max(x,)": "lacks a value before character 7",
    "()": "lacks a value before character 2",
    "x, y": "has a ',' outside a call at character 2",
    "(x, y)": "has a ',' outside a call at character 3",
    "a = b": "has an '=' outside braces at character 3; '==' compares",
    "x offset": "has 'offset' at character 3 without its time",
    "x @ now": "has '@' at character 3 without its time",
}


@pytest.mark.parametrize("query", VALID)
def test_an_expression_of_prometheus_passes(query: str) -> None:
    assert "" == expression_fault(query)


@pytest.mark.parametrize("query", ["rate(x[{{.window}}])", "max_over_time(x[{{.window}}:1m])"])
def test_a_window_to_be_filled_in_passes(query: str) -> None:
    assert "" == expression_fault(query)


@pytest.mark.parametrize(("query", "fault"), INVALID.items())
def test_what_is_plainly_wrong_is_named_with_its_place(query: str, fault: str) -> None:
    assert fault == expression_fault(query)


def test_an_endless_expression_is_not_read() -> None:
    assert "is too long" == expression_fault("x + " * 10_000)


@pytest.mark.parametrize(
    ("query", "selector"),
    [
        ("x", "x"),
        (' sum( x{a="b"} ) ', 'x{a="b"}'),
        ("sum(rate(x[{{.window}}]))", "x"),
        ("increase(x[{{.window}}])", "x"),
        ("sum(rate(x[5m]))", ""),
        ("sum by (a) (x)", ""),
        ("sum(x) + sum(y)", ""),
        ("sum(x) / (y)", ""),
        ("max(x)", ""),
    ],
)
def test_only_a_plain_sum_of_counters_is_a_selector(query: str, selector: str) -> None:
    assert selector == counter_selector(query)


def test_a_selector_is_taken_apart() -> None:
    found = parsed_selector('x{a="b\\"c",d=~"e|f",g!=\'h\', i!~"5.."}')

    assert (
        Selector(
            "x",
            (
                Matcher("a", "=", 'b"c'),
                Matcher("d", "=~", "e|f"),
                Matcher("g", "!=", "h"),
                Matcher("i", "!~", "5.."),
            ),
        )
        == found
    )
    assert parsed_selector("rate(x[5m])") is None


@pytest.mark.parametrize(
    ("op", "value", "given", "expected"),
    [
        ("=", "a", "a", True),
        ("=", "a", "", False),
        ("!=", "a", "", True),
        ("!=", "a", "a", False),
        ("=~", "5..", "503", True),
        ("=~", "5..", "5033", False),
        ("!~", "5..", "503", False),
        ("!~", "5..", "", True),
        ("=~", "(", "(", False),
        ("!~", "(", "(", False),
    ],
)
def test_a_matcher_matches_as_prometheus_does(
    op: str, value: str, given: str, expected: bool
) -> None:
    assert expected == Matcher("a", op, value).matches(given)


# --- against the real parser ----------------------------------------------------------------------


def refused_by_prometheus(queries: list[str], folder: Path) -> set[int]:
    """Return the numbers of the expressions promtool refuses."""
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not here; `make setup` installs Prometheus")
    rules = [{"record": f"r{n}", "expr": q} for n, q in enumerate(queries)]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    done = subprocess.run(
        [tool, "check", "rules", "--lint=none", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    return {n for n in range(len(queries)) if f'"r{n}"' in said or f"rule {n + 1}," in said}


@pytest.mark.usefixtures("monitoring")
def test_prometheus_takes_and_refuses_the_same(tmp_path: Path) -> None:
    queries = [*VALID, *(q for q in INVALID if q.strip())]

    refused = refused_by_prometheus(queries, tmp_path)

    ours = {n for n, query in enumerate(queries) if expression_fault(query)}
    assert ours == refused, [queries[n] for n in ours ^ refused]


PIECES = ["x", "sum", "(", ")", "by (a)", "+", "5m", "[5m]", "1", "{", "}", '{a="b"}', "and",
          "on (a)", ",", "offset 5m", "bool", "==", '"s"', " "]  # fmt: skip


@pytest.mark.usefixtures("monitoring")
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(" ".join),
        min_size=30,
        max_size=60,
    )
)
def test_nothing_we_refuse_is_taken_by_prometheus(tmp_path: Path, queries: list[str]) -> None:
    queries = [q for q in queries if q.strip()]

    refused = refused_by_prometheus(queries, tmp_path)

    ours = {n for n, query in enumerate(queries) if expression_fault(query)}
    assert not ours - refused, [queries[n] for n in ours - refused]


@pytest.mark.parametrize("written", ["{{.Window}}", "{{ .Window }}", "{{window}}", "{{.windows}}"])
def test_a_template_that_is_almost_the_window_is_told_what_it_should_be(
    tmp_path: Path, written: str
) -> None:
    source = "{metricSource: {type: Prometheus, spec: {query: 'sum(rate(x[WINDOW]))'}}}"
    path = tmp_path / "slo.yaml"
    path.write_text(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\n"
        "spec:\n  service: s\n  budgetingMethod: Occurrences\n"
        "  indicator:\n    metadata: {name: i}\n    spec:\n      ratioMetric:\n"
        "        counter: true\n"
        f"        good: {source.replace('WINDOW', written)}\n"
        f"        total: {source.replace('WINDOW', '{{.window}}')}\n"
        "  timeWindow: [{duration: 30d, isRolling: true}]\n  objectives: [{target: 0.999}]\n"
    )

    (problem,) = validate_file(path)

    assert "it should be {{.window}}" == problem.hint
    assert f"'{written}' is no template that gameday knows" == problem.message
