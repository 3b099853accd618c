"""JSON Schemas: of the files people write, and of what gameday prints for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.errors import UsageError
from gameday.model.json_form import JsonForm
from gameday.model.noun import Noun
from gameday.model.plan_record import PLAN
from gameday.model.programme import Programme
from gameday.model.result import RESULT, TASK
from gameday.model.scenario import Scenario
from gameday.model.system import System
from gameday.names import did_you_mean

KINDS = ("scenario", "system", "programme", "runbook", "result", "plan", "task")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PRINTED: Mapping[str, JsonForm[Any]] = {"result": RESULT, "plan": PLAN, "task": TASK}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file or of output; for a runbook, of its front matter.

    Raises:
        UsageError: there is no schema of that kind.
    """
    if kind == "scenario":
        return _scenario()
    if kind == "system":
        return _written(System)
    if kind == "programme":
        return _programme()
    if kind == "runbook":
        return _runbook()
    if kind in _PRINTED:
        return {"$schema": _DIALECT, **_PRINTED[kind].schema()}
    raise UsageError(
        f"there is no schema '{kind[:60]}' ({did_you_mean(kind, KINDS, what='kinds')})"
    )


def _written(noun: type[Noun]) -> dict[str, Any]:
    """Return the schema of a noun as people write it, with the two fields every file has."""
    found = noun.model_json_schema(by_alias=True)
    # Set by gameday when it reads the file; nobody writes it.
    found["properties"].pop("path", None)
    found["required"] = ["apiVersion", "kind", *found.get("required", [])]
    return {"$schema": _DIALECT, **found}


def _programme() -> dict[str, Any]:
    found = _written(Programme)
    targets = found["$defs"]["ProgrammeSpec"]["properties"]["targets"]
    ((pattern, terms),) = targets.pop("patternProperties").items()
    targets["propertyNames"] = {"pattern": pattern}
    # A target may be listed without terms: `sandbox:` and nothing behind it.
    targets["additionalProperties"] = {"anyOf": [terms, {"type": "null"}]}
    return found


def _scenario() -> dict[str, Any]:
    found = _written(Scenario)
    alert = found["$defs"]["Expect"]["properties"]["alert"]
    alert["anyOf"] = [
        {"const": "none"} if choice == {"type": "null"} else choice for choice in alert["anyOf"]
    ]
    return found


def _runbook() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "$schema": _DIALECT,
        "title": "Front matter of a runbook",
        "description": "YAML between '---' lines at the head of the Markdown file.",
        "type": "object",
        "properties": {
            "alert": {**text, "description": "Name of the alert it belongs to."},
            "service": {**text, "description": "Service the alert is about."},
            "owner": {
                "description": "Who keeps it right.",
                "anyOf": [
                    text,
                    {
                        "type": "object",
                        "properties": {"name": text, "team": text, "contact": text},
                        "additionalProperties": False,
                    },
                ],
            },
            "reviewed": {
                **text,
                "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                "description": "Day of the last review.",
            },
            "reviewed_by": {**text, "description": "The role that did it."},
            "review_every": {
                **text,
                "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|w)$",
                "description": "How long a review holds: 90d.",
            },
        },
        "required": ["alert", "service", "owner", "reviewed", "review_every"],
    }
