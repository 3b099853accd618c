"""Whatever a file holds, only a `SpecError` comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gameday.errors import Problem, SpecError, UsageError
from gameday.quantity import QuantityError, duration, ratio, share_or_count, written
from gameday.spec import Catalogue, check_runbook, parse_runbook, validate_file
from gameday.spec.document import Document, parse_documents
from gameday.spec.scenario import scenario_of
from gameday.spec.slo import selector_fault, slos_of

HERE = Path(__file__).parent
CATALOGUE = Catalogue((HERE / "catalogue",))

QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

WORDS = [
    "apiVersion", "gameday/v1", "openslo/v1", "kind", "Scenario", "SLO", "metadata", "name", "spec",
    "slo", "faults", "experiment", "slow-downstream", "with", "duration", "5m", "50%", "expect",
    "alert", "none", "theory", "within", "objectives", "target", "99.9", "indicator", "query",
    "timeWindow", "x{a=\"b\"}", "method", "provider", "path", "~", "null", "true", "1e999", "-1",
    "9" * 400, "&a", "*a", "!!python/object:x", "<<", "? ", "- ", ": ", "[", "]", "{", "}", ",",
    "|", ">", "'", '"', "#", "---", "...", "%YAML 1.1", "\t", "\n", "\n  ", "\n    ", "\n\t", " ",
    "﻿", "\u2028", "\x85", "é", "\U0001f600", "{region?}", "**a**:", "`gameday mitigate x y=z`",
    "→", "(service: any)", "```", "## Fixes", "## Likely causes", "- [ ] ",
]  # fmt: skip

yamlish = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
spaced = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(
    ["target", "regions", "slo", "steadyState", "faults", "blastRadius", "abort", "expect",
     "responder", "runbook", "rubric", "indicator", "timeWindow", "objectives", "service"]
)  # fmt: skip


def is_explained(problem: Problem) -> bool:
    return bool(problem.message) and "\n" not in str(problem) and problem.line >= 0


@QUICK
@given(st.binary(max_size=300) | yamlish.map(str.encode) | spaced.map(str.encode))
def test_any_bytes_give_problems_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for ending in ("yaml", "md", "json"):
        path = folder / f"hostile.{ending}"
        path.write_bytes(raw)

        problems = validate_file(path, catalogue=CATALOGUE)

        assert all(is_explained(p) for p in problems)


@QUICK
@given(yamlish | spaced)
def test_a_text_is_data_or_a_spec_error(text: str) -> None:
    try:
        documents = parse_documents(text, "x.yaml")
    except SpecError as error:
        assert error.problems
    else:
        assert all(isinstance(d, Document) for d in documents)


@QUICK
@given(st.dictionaries(fields, values, max_size=6))
def test_any_values_in_a_scenario_or_an_slo_give_problems_and_no_traceback(
    spec: dict[str, object],
) -> None:
    for version, kind in (("gameday/v1", "Scenario"), ("openslo/v1", "SLO")):
        data = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
        document = Document("x.yaml", data, {(): 1})
        if kind == "SLO":
            try:
                slos_of((document,), Path("x.yaml"))
            except SpecError as error:
                assert all(is_explained(p) for p in error.problems)
        else:
            scenario, problems = scenario_of(document)
            assert (scenario is None) == bool(problems)
            assert all(is_explained(p) for p in problems)


@QUICK
@given(yamlish | spaced | st.text())
def test_any_markdown_is_a_runbook_or_a_spec_error(text: str) -> None:
    try:
        book = parse_runbook(text, "x.md")
    except SpecError as error:
        assert error.problems
    else:
        steps = [s.id for s in (*book.first_checks, *book.fixes)]
        assert len(steps) == len(set(steps))
    assert all(is_explained(p) for p in check_runbook(text, "x.md"))


@QUICK
@given(st.text() | st.sampled_from(WORDS) | st.floats() | st.integers() | st.none())
@example("1" * 5000 + "s")
@example("999999999999999w")
@example("0x10")
@example(float("nan"))
def test_a_quantity_is_read_or_refused(value: object) -> None:
    for read in (duration, ratio, share_or_count):
        try:
            read(value)
        except QuantityError as error:
            assert error.message


@given(st.timedeltas(min_value=duration("0s"), max_value=duration("3660d")))
def test_a_duration_written_is_read_back_the_same(value: object) -> None:
    exact = duration(value)

    assert exact == duration(written(exact))


@QUICK
@given(st.text() | yamlish)
def test_a_selector_is_judged_whatever_it_is(text: str) -> None:
    assert isinstance(selector_fault(text), str)


@QUICK
@given(st.text(max_size=50) | yamlish)
def test_a_name_is_found_or_refused(name: str) -> None:
    for find in (CATALOGUE.scenario, CATALOGUE.experiment, CATALOGUE.runbook, CATALOGUE.slo):
        try:
            assert find(name)
        except (UsageError, SpecError) as error:
            assert str(error)
