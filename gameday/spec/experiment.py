"""Chaos Toolkit experiments, as far as their shape can be judged without running anything.

Chaos Toolkit's own check imports the modules an experiment names; a file must be judged before
any code it points at is loaded. So this looks at the shape only.
"""

from __future__ import annotations

from typing import Any

from gameday.errors import Problem
from gameday.names import did_you_mean
from gameday.spec.document import Document, not_a_mapping
from gameday.spec.tree import FieldPath, quoted

_REQUIRED = ("title", "description", "method")
_TYPES = ("action", "probe")
_PROVIDERS = ("python", "http", "process")
_PROVIDER_NEEDS = {"python": ("module", "func"), "http": ("url",), "process": ("path",)}


def is_experiment(document: Document) -> bool:
    """Return whether this document looks like a Chaos Toolkit experiment."""
    data = document.data
    return isinstance(data, dict) and (
        "method" in data or "steady-state-hypothesis" in data or "rollbacks" in data
    )


def experiment_problems(document: Document) -> list[Problem]:
    """Return what is wrong with an experiment's shape; empty where Chaos Toolkit can read it."""
    problems = list(document.problems)
    data = document.data
    if not isinstance(data, dict):
        return [*problems, not_a_mapping(document)]
    for name in _REQUIRED:
        if not data.get(name) and not (name == "method" and data.get(name) == []):
            problems.append(document.problem((name,), "is missing", f"add {name}"))
    for name in ("method", "rollbacks"):
        problems += _activities(document, (name,), data.get(name))
    hypothesis = data.get("steady-state-hypothesis")
    if isinstance(hypothesis, dict):
        path: FieldPath = ("steady-state-hypothesis", "probes")
        problems += _activities(document, path, hypothesis.get("probes"))
    elif hypothesis is not None:
        problems.append(document.problem(("steady-state-hypothesis",), "must be a mapping"))
    configuration = data.get("configuration")
    if configuration is not None and not isinstance(configuration, dict):
        problems.append(document.problem(("configuration",), "must be a mapping of parameters"))
    return problems


def parameters_of(document: Document) -> list[str]:
    """Return the names of the parameters an experiment declares in its ``configuration``."""
    data = document.data
    configuration = data.get("configuration") if isinstance(data, dict) else None
    return list(configuration) if isinstance(configuration, dict) else []


def _activities(document: Document, path: FieldPath, value: Any) -> list[Problem]:
    if value is None:
        return []
    if not isinstance(value, list):
        return [document.problem(path, "must be a list of activities")]
    problems: list[Problem] = []
    for number, activity in enumerate(value):
        at = (*path, number)
        if not isinstance(activity, dict):
            problems.append(document.problem(at, f"{quoted(activity)} is no activity"))
        elif "ref" not in activity:
            problems += _activity(document, at, activity)
    return problems


def _activity(document: Document, at: FieldPath, activity: dict[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    if not activity.get("name"):
        problems.append(document.problem((*at, "name"), "is missing", "name the activity"))
    kind = activity.get("type")
    if kind not in _TYPES:
        hint = did_you_mean(str(kind), _TYPES, what="one of") if kind else "action or probe"
        message = f"{quoted(kind)} is no type of activity" if kind else "is missing"
        problems.append(document.problem((*at, "type"), message, hint))
    provider = activity.get("provider")
    at = (*at, "provider")
    if not isinstance(provider, dict):
        return [*problems, document.problem(at, "is missing", "provider: {type: python, …}")]
    kind = provider.get("type")
    if kind not in _PROVIDERS:
        problems.append(
            document.problem(
                (*at, "type"),
                f"{quoted(kind)} is no type of provider",
                did_you_mean(str(kind), _PROVIDERS, what="one of"),
            )
        )
    for name in _PROVIDER_NEEDS.get(str(kind), ()):
        if not provider.get(name):
            problems.append(document.problem((*at, name), "is missing", f"add {name}"))
    return problems
