"""The published schemas of what gameday prints: strict, whole, and kept to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gameday.cli.app import run
from gameday.model.plan_record import PlanRecord
from gameday.model.result import RunResult
from gameday.spec import schema

GOLDEN = Path(__file__).parents[1] / "model" / "golden"

FREE = {"configuration", "detail"}
"""What others define: an experiment its parameters, a responder the detail of a finding."""


def nodes(found: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema inside a schema, with the name of what it describes."""
    if not isinstance(found, dict):
        return
    yield name, found
    for key in ("properties", "$defs"):
        for inner, one in found.get(key, {}).items():
            yield from nodes(one, inner)
    for key in ("items", "additionalProperties"):
        yield from nodes(found.get(key), name)
    for one in found.get("anyOf", ()):
        yield from nodes(one, name)


@pytest.mark.parametrize("kind", ["result", "plan", "task"])
def test_a_printed_schema_has_no_holes(kind: str) -> None:
    for name, one in nodes(schema(kind)):
        assert {"type", "$ref", "anyOf", "enum", "const"} & set(one), name
        if one.get("type") == "object" and name not in FREE:
            assert one["additionalProperties"] is not True, name
        if one.get("type") == "array":
            assert "items" in one, name


@pytest.mark.parametrize("kind", ["result", "plan", "task"])
def test_a_printed_schema_says_what_every_field_means(kind: str) -> None:
    silent = [
        f"{name}.{field}"
        for name, one in nodes(schema(kind))
        for field, described in one.get("properties", {}).items()
        if not described.get("description")
    ]

    assert [] == silent


def test_a_result_keeps_to_the_published_schema(result: RunResult) -> None:
    jsonschema_rs.validate(schema("result"), result.to_json())


@pytest.mark.parametrize("name", ["result-v1", "result-v2"])
def test_an_old_result_keeps_to_the_published_schema_once_it_is_read(name: str) -> None:
    old = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))

    jsonschema_rs.validate(schema("result"), RunResult.from_json(old).to_json())


@pytest.mark.parametrize("name", ["plan-v1", "plan-v2"])
def test_an_old_plan_keeps_to_the_published_schema_once_it_is_read(name: str) -> None:
    old = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))

    jsonschema_rs.validate(schema("plan"), PlanRecord.from_json(old).to_json())


def test_each_task_keeps_to_the_schema_of_a_task(result: RunResult) -> None:
    for task in result.to_json()["tasks"]:
        jsonschema_rs.validate(schema("task"), task)


def test_a_result_with_a_field_too_many_or_too_few_does_not_pass(result: RunResult) -> None:
    whole = result.to_json()
    lacking = {name: value for name, value in whole.items() if name != "verdict"}

    assert not jsonschema_rs.is_valid(schema("result"), {**whole, "mood": "cheerful"})
    assert not jsonschema_rs.is_valid(schema("result"), lacking)


@pytest.mark.parametrize("kind", ["result", "plan", "task"])
def test_the_command_prints_the_schema(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["schema", kind])

    assert schema(kind) == json.loads(capsys.readouterr().out)
