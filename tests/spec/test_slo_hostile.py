"""Whatever stands in an OpenSLO document, it is an SLO with rules, or refused in sentences."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import SpecError, UsageError
from gameday.rules.rule_tests import rule_tests
from gameday.rules.slo_rules import prometheus_rules
from gameday.spec.document import Document, parse_documents
from gameday.spec.slo import Referable, openslo_problems, slos_of

PAGE = (Path(__file__).parents[2] / "docs/slos.md").read_text(encoding="utf-8")
EXAMPLES = [
    parse_documents(example, "x.yaml")
    for example in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
NOWHERE = Referable(Path("nowhere"))

VALUES: list[Any] = [
    None, True, 0, 1, -1, 1.5, 99.9, 1e300, float("nan"), "", " ", "x", "a b", "5m", "0m", "1M",
    "999999Y", "1ms", "{{.window}}", "rate(x[{{.window}}])", 'x{a=~"("}', 'x{__name__="y"}',
    "x{} or\n# comment", "\u2028", "\x00", "\ud800", "Ω", "gte", "failure", "Timeslices",
    "RatioTimeslices", "page", [], {}, [None], [[]], {"a": None}, {"": {}},
    {"duration": "1h", "isRolling": True}, [{"target": 0.5}] * 3, {"gameday/min-events": "9" * 20},
    {"gameday.dev/no-data": "1w"}, "a" * 300,
]  # fmt: skip


def paths(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            found += paths(value, (*at, key))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Document, ...]:
    documents = list(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(documents) - 1))
        data = copy.deepcopy(documents[number].data)
        path = draw(st.sampled_from(paths(data)[1:]))
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()) and isinstance(holder, dict):
            holder[
                draw(st.sampled_from([*map(str, VALUES[10:16]), "op", "raw", "bad", "good"]))
            ] = holder.pop(path[-1])
        else:
            holder[path[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        documents[number] = Document("x.yaml", data, documents[number].lines)
    return tuple(documents)


@settings(
    max_examples=2 * settings.default.max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(mutated())
def test_a_document_with_anything_in_it_is_rules_or_sentences(
    documents: tuple[Document, ...],
) -> None:
    try:
        found = slos_of(documents, Path("x.yaml"), shelf=NOWHERE)
    except SpecError as error:
        assert error.problems
        assert all(p.message and "\n" not in str(p) for p in error.problems)
        return
    for slo in found:
        for scale in (1, 60):
            try:
                text = prometheus_rules(slo, time_scale=scale)
                tests = rule_tests(slo, rule_file="x.yaml", time_scale=scale)
            except UsageError:
                continue
            (group,) = yaml.safe_load(text)["groups"]
            assert f"slo-{slo.id}" == group["name"]
            for test in tests.values():
                assert yaml.safe_load(test)["tests"]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_no_single_value_anywhere_ends_in_a_traceback(value: Any) -> None:
    for example in EXAMPLES:
        for number, document in enumerate(example):
            for path in paths(document.data)[1:]:
                data = copy.deepcopy(document.data)
                holder = data
                for key in path[:-1]:
                    holder = holder[key]
                holder[path[-1]] = value
                changed = list(example)
                changed[number] = Document("x.yaml", data, document.lines)

                problems = openslo_problems(tuple(changed), Path("nowhere/x.yaml"))

                assert all(p.message for p in problems)


def test_a_name_that_breaks_lines_breaks_no_hint() -> None:
    slo = {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "a"},
        "spec": {"indicatorRef": "absent"},
    }
    sli = {"apiVersion": "openslo/v1", "kind": "SLI", "metadata": {"name": "x\ny"}, "spec": {}}
    documents = tuple(Document("x.yaml", d, {}) for d in (slo, sli))

    with pytest.raises(SpecError) as caught:
        slos_of(documents, Path("x.yaml"), shelf=NOWHERE)

    assert any("there is no SLI 'absent'" in p.message for p in caught.value.problems)
    assert all("\n" not in str(p) for p in caught.value.problems)
