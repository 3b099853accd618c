"""Chaos Toolkit experiments: read as Chaos Toolkit reads them, accepted where it accepts them.

`text` makes data of a file; `form` holds the experiment as a whole against what Chaos Toolkit
takes, `activity`, `tolerance` and `controls` its parts; `machine` adds what it names outside
itself: modules, functions, programs, variables. No code an experiment points at is run for any of
it: Chaos Toolkit's own check imports that code.

What it accepts and then falls over while it plays is refused too, and so is what would be lost on
the way: docs/experiments.md names every such difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gameday.errors import Problem
from gameday.spec.document import Document
from gameday.spec.experiment.activity import Known, check_activity
from gameday.spec.experiment.controls import named_controls
from gameday.spec.experiment.findings import Findings
from gameday.spec.experiment.form import form_problems
from gameday.spec.experiment.machine import absences, check_code, code_problems
from gameday.spec.experiment.text import experiment_document
from gameday.spec.tree import FieldPath

__all__ = [
    "absences",
    "action_absences",
    "action_problems",
    "actions_of",
    "experiment_document",
    "experiment_problems",
    "form_problems",
    "is_experiment",
    "notices_of",
    "parameters_of",
]


AS_HERE = {"strategy": "always"}
"""How the rollbacks of a runtime read that wants what gameday does."""


def is_experiment(document: Document) -> bool:
    """Return whether this document looks like a Chaos Toolkit experiment."""
    data = document.data
    return isinstance(data, dict) and (
        "method" in data or "steady-state-hypothesis" in data or "rollbacks" in data
    )


def experiment_problems(document: Document) -> list[Problem]:
    """Return why Chaos Toolkit would not play an experiment; empty where it would.

    That something is not on this machine is no such reason: see `absences`.
    """
    return form_problems(document) or code_problems(document)


def action_problems(
    document: Document, at: FieldPath, action: Mapping[str, Any], *, variables: Iterable[str]
) -> list[Problem]:
    """Return why Chaos Toolkit would not play one action, which stands alone in a document.

    Args:
        at: where it stands.
        action: as it would stand in a method.
        variables: that ``${…}`` may stand for.
    """
    said = Findings(document)
    check_activity(said, at, action, Known(variables=frozenset(variables)))
    if not said.problems:
        check_code(said, at, action)
    return said.problems


def action_absences(action: Mapping[str, Any]) -> list[str]:
    """Return what one action needs and this machine has not, each with what to do about it."""
    missing = absences(Document("", {"method": [action]}))
    return [f"{problem.message}: {problem.hint}" for problem in missing]


def notices_of(document: Document) -> list[str]:
    """Return what whoever plays an experiment should know of it; its form is right already.

    gameday holds a fault itself, between injection and recovery, with nothing of Chaos Toolkit
    running: what an experiment wants done around the whole of it is done around a part.
    """
    data = document.data
    said = []
    controls = named_controls(data)
    if controls:
        said.append(
            f"controls ({', '.join(controls)}) are called around the injection and again around the"
            " recovery, and not while the fault lasts: what must end the drill belongs under"
            " `abort` in the scenario"
        )
    runtime = data.get("runtime")
    differs = {**runtime} if isinstance(runtime, dict) else {}
    if differs.get("rollbacks") == AS_HERE:
        del differs["rollbacks"]
    if differs:
        said.append(
            f"its runtime ({', '.join(map(str, differs))}) is not followed: gameday asks for the"
            " steady state before the fault, and always takes the fault back"
        )
    said += [str(absence) for absence in absences(document)]
    return said


def parameters_of(document: Document) -> list[str]:
    """Return the names of the parameters an experiment declares in its ``configuration``."""
    data = document.data
    configuration = data.get("configuration") if isinstance(data, dict) else None
    return list(configuration) if isinstance(configuration, dict) else []


def actions_of(experiment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the actions in an experiment's method, those that it refers to by name included."""
    method = experiment["method"]
    probes = (experiment.get("steady-state-hypothesis") or {}).get("probes") or []
    named = {a["name"]: a for a in (*method, *probes) if a.get("name")}
    found = (named.get(a["ref"], a) if a.get("ref") else a for a in method)
    return [a for a in found if a.get("type") == "action"]
