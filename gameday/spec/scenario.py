"""A file under ``scenarios/`` → `gameday.model.scenario.Scenario`, or every reason why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gameday.errors import Problem, SpecError, UsageError
from gameday.model.scenario import Scenario, TargetKind, kind_of
from gameday.names import did_you_mean
from gameday.spec.catalogue import Catalogue
from gameday.spec.document import Document, only, read_documents
from gameday.spec.experiment import (
    experiment_document,
    experiment_problems,
    parameters_of,
)
from gameday.spec.fields import noun_of
from gameday.spec.runbook import read_runbook
from gameday.spec.system import read_system
from gameday.spec.tree import FieldPath, quoted

_EXAMPLES = {
    "alert": "write alert: {severity: page, within: theory}, or alert: none for silence",
    "recovered": "write recovered: {within: theory}",
    "faults": "write '- experiment: …' below it",
}


def read_scenario(path: Path | str, *, catalogue: Catalogue | None = None) -> Scenario:
    """Return the scenario of a file, checked down to the files it refers to.

    Args:
        catalogue: where SLOs, experiments, runbooks and rubrics are looked for; by default the
            working directory, the scenario's surroundings and what gameday ships.

    Raises:
        SpecError: every problem found, with file, line, field and the nearest valid name.
    """
    path = Path(path)
    document = only(read_documents(path))
    scenario, problems = scenario_of(document)
    problems += _reference_problems(document, catalogue or Catalogue.around(path))
    if problems or scenario is None:
        raise SpecError(sorted(problems, key=lambda p: p.line))
    return scenario.model_copy(update={"path": path})


def scenario_of(document: Document) -> tuple[Scenario | None, list[Problem]]:
    """Return the scenario a document declares, without following its references, and problems."""
    return noun_of(document, Scenario, examples=_EXAMPLES)


# --- what the scenario refers to -----------------------------------------------------------------


def _reference_problems(document: Document, catalogue: Catalogue) -> list[Problem]:
    """Return what is wrong with the files a scenario names; works on what could be read of it."""
    data = document.data
    spec = data.get("spec") if isinstance(data, dict) else None
    if not isinstance(spec, dict):
        return []
    problems: list[Problem] = []
    for name, find in (
        ("slo", catalogue.slo),
        ("runbook", lambda name: read_runbook(catalogue.runbook(name))),
        ("rubric", catalogue.rubric),
        ("system", lambda name: _system(name, catalogue)),
    ):
        value = spec.get(name)
        if isinstance(value, str) and value:
            problems += _lookup_problems(document, ("spec", name), find, value)
    faults = spec.get("faults")
    for number, fault in enumerate(faults if isinstance(faults, list) else []):
        if isinstance(fault, dict):
            problems += _fault_problems(document, ("spec", "faults", number), fault, catalogue)
    rules = spec.get("abort")
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        probe = rule.get("probe") if isinstance(rule, dict) else None
        if isinstance(probe, str) and probe:
            path = ("spec", "abort", number, "probe")
            problems += _lookup_problems(document, path, catalogue.experiment, probe)
    return problems


def _system(name: str, catalogue: Catalogue) -> None:
    if kind_of(name) is TargetKind.SYSTEM:
        read_system(catalogue.system(name))


def _lookup_problems(
    document: Document, path: FieldPath, find: Callable[[str], object], value: str
) -> list[Problem]:
    try:
        find(value)
    except UsageError as error:
        return [_from_usage(document, path, error)]
    except SpecError as error:
        return list(error.problems)
    return []


def _from_usage(document: Document, path: FieldPath, error: UsageError) -> Problem:
    message, _, hint = str(error).partition(" (")
    return document.problem(path, message, hint.removesuffix(")"))


def _fault_problems(
    document: Document, path: FieldPath, fault: dict[str, Any], catalogue: Catalogue
) -> list[Problem]:
    name = fault.get("experiment")
    if not isinstance(name, str) or not name:
        return []
    try:
        file = catalogue.experiment(name)
        experiment = experiment_document(file)
    except UsageError as error:
        return [_from_usage(document, (*path, "experiment"), error)]
    except SpecError as error:
        return list(error.problems)
    wrong = experiment_problems(experiment)
    if wrong:
        return wrong
    known = parameters_of(experiment)
    given = fault.get("with")
    return [
        document.problem(
            (*path, "with", key),
            f"the experiment {quoted(name)} has no parameter {quoted(key)}",
            did_you_mean(key, known, what="parameters") if known else "it takes no parameters",
        )
        for key in (given if isinstance(given, dict) else {})
        if key not in known
    ]
