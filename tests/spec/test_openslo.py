"""The corners of OpenSLO: what is missing, what is almost right, and what a selector is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import SpecError
from gameday.spec.document import Document, parse_documents
from gameday.spec.slo import selector_fault, slos_of

WHOLE = (Path(__file__).parent / "catalogue/slos/checkout.yaml").read_text(encoding="utf-8")


def paths(data: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    if isinstance(data, dict | list):
        for key, value in entries:
            found += paths(value, (*at, key)) if isinstance(value, dict | list) else [(*at, key)]
    return found


def parsed() -> Document:
    return parse_documents(WHOLE, "x.yaml")[0]


def without(path: tuple[str | int, ...]) -> Document:
    document = parsed()
    data = copy.deepcopy(document.data)
    holder = data
    for part in path[:-1]:
        holder = holder[part]
    del holder[path[-1]]
    return Document(document.file, data, document.lines)


OPTIONAL = {"type"}
NEEDED = [p for p in paths(parsed().data) if p[-1] not in OPTIONAL and "metadata" not in p[1:]]


@pytest.mark.parametrize("path", NEEDED, ids=str)
def test_nothing_an_slo_needs_may_be_missing(path: tuple[str | int, ...]) -> None:
    with pytest.raises(SpecError) as caught:
        slos_of((without(path),), Path("x.yaml"))

    assert all(p.field and p.hint for p in caught.value.problems), str(caught.value)


def test_the_same_id_twice_is_refused_with_both_lines() -> None:
    documents = parse_documents(WHOLE + "---\n" + WHOLE, "x.yaml")

    with pytest.raises(SpecError) as caught:
        slos_of(documents, Path("x.yaml"))

    (problem,) = caught.value.problems
    assert "it already stands in line 3" == problem.hint


@pytest.mark.parametrize(
    "query",
    [
        "x",
        " ns:x_total ",
        'x{a="b"}',
        'x{a="b",c!~"5..",}',
        "x{a='b'}",
        'x{a="}\\"[5m]"}',
        "x{}",
        'x{\n  a="b",\n  c="d  e"\n}',
    ],
)
def test_a_plain_selector_is_accepted(query: str) -> None:
    assert "" == selector_fault(query)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("rate(x[5m])", "is an expression with a function, not a selector"),
        ("sum by (a) (x)", "is an expression with a function, not a selector"),
        ("x[5m]", "has a range, which gameday adds itself"),
        ('x{a="b"} / y', "goes on after the selector with '/ y'"),
        ("x offset 5m", "goes on after the selector with 'offset 5m'"),
        ('{a="b"}', "names no metric before the braces"),
        ("", "names no metric"),
        ("x{a=b}", "has a label matcher that cannot be read at character 3"),
        ('x{a="b"', "has a label matcher that cannot be read at character 8"),
        ("x" * 5000, "is too long for a selector"),
    ],
)
def test_anything_else_is_refused_with_the_reason(query: str, fault: str) -> None:
    assert fault == selector_fault(query)


def test_space_inside_a_label_value_is_kept() -> None:
    text = WHOLE.replace("query: total", "query: 'total{a=\"b  c\"}'")

    (slo,) = slos_of(parse_documents(text, "x.yaml"), Path("x.yaml"))

    assert 'total{a="b  c"}' == slo.total_query


def labelled(labels: Any) -> Document:
    document = parsed()
    data = copy.deepcopy(document.data)
    data["metadata"]["labels"] = labels
    return Document(document.file, data, document.lines)


def test_labels_are_read_as_prometheus_takes_them() -> None:
    labels = {"team": "shop", "app.kubernetes.io/name": "x", "tier": ["web", "edge"], "2nd": "y"}

    slo = slos_of((labelled(labels),), Path("x.yaml"))[0]

    assert {
        "team": "shop",
        "app_kubernetes_io_name": "x",
        "tier": "web,edge",
        "_2nd": "y",
    } == slo.labels


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        ({"team": 7}, "put it in quotes"),
        ({"a-b": "x", "a.b": "y"}, "call it otherwise"),
        ({"__name__": "x"}, "call it otherwise"),
    ],
)
def test_a_label_that_prometheus_cannot_take_is_named(labels: dict[str, Any], hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        slos_of((labelled(labels),), Path("x.yaml"))

    assert [hint] == [p.hint for p in caught.value.problems]
