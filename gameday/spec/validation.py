"""Any file gameday knows, checked: what it is, and everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

from gameday.errors import Problem, SpecError
from gameday.names import did_you_mean
from gameday.spec.catalogue import PROGRAMME_FILES, Catalogue
from gameday.spec.document import Document, read_documents, read_text, separated
from gameday.spec.experiment import (
    absences,
    experiment_document,
    experiment_problems,
    is_experiment,
)
from gameday.spec.programme import read_programme
from gameday.spec.runbook import check_runbook
from gameday.spec.scenario import read_scenario
from gameday.spec.slo import is_openslo, openslo_problems
from gameday.spec.system import read_system
from gameday.spec.tree import quoted

_KINDS = ("Scenario", "System", "Programme", "SLO")


def validate_file(path: Path | str, *, catalogue: Catalogue | None = None) -> list[Problem]:
    """Return every problem of one file, ordered by line; empty where it is fine.

    What the file is, it says itself: a scenario, a system, a programme, an OpenSLO document, a
    Chaos Toolkit experiment; Markdown is read as a runbook. Never raises for what a file holds.

    Args:
        catalogue: where a scenario's references are looked for; the usual places by default.
    """
    path = Path(path)
    try:
        return sorted(_problems(path, catalogue), key=lambda problem: problem.line)
    except SpecError as error:
        return list(error.problems)


def absent_here(path: Path | str) -> list[Problem]:
    """Return what an experiment needs and this machine has not; empty for any other file.

    No reason to refuse the file: it may be there where it is played.
    """
    try:
        document = experiment_document(path)
        is_sound = is_experiment(document) and not experiment_problems(document)
    except SpecError:
        return []
    return absences(document) if is_sound else []


def _problems(path: Path, catalogue: Catalogue | None) -> list[Problem]:
    if path.suffix == ".md":
        return check_runbook(read_text(path), path)
    try:
        documents = read_documents(path)
    except SpecError:
        # Chaos Toolkit's reader of YAML takes some of what ours refuses.
        problems = _experiment_problems(path)
        if problems is None:
            raise
        return problems
    first = documents[0]
    entries = separated(documents)
    if any(is_openslo(entry) for entry in entries):
        return openslo_problems(entries, path)
    if _is_programme(first, path):
        read_programme(path)
        return []
    if _is_system(first):
        read_system(path)
        return []
    if _is_scenario(first):
        read_scenario(path, catalogue=catalogue)
        return []
    if is_experiment(first):
        return experiment_problems(experiment_document(path))
    return [*first.problems, _unknown(first)]


def _experiment_problems(path: Path) -> list[Problem] | None:
    """Return what is wrong with an experiment; None where the file holds none."""
    try:
        document = experiment_document(path)
    except SpecError:
        return None
    return experiment_problems(document) if is_experiment(document) else None


def _is_programme(document: Document, path: Path) -> bool:
    data = document.data
    kind = data.get("kind") if isinstance(data, dict) else None
    return kind == "Programme" or (path.name in PROGRAMME_FILES and kind != "Scenario")


def _is_system(document: Document) -> bool:
    data = document.data
    return isinstance(data, dict) and data.get("kind") == "System"


def _is_scenario(document: Document) -> bool:
    data = document.data
    if not isinstance(data, dict):
        return False
    spec = data.get("spec")
    return (
        str(data.get("apiVersion", "")).startswith("gameday")
        or data.get("kind") == "Scenario"
        or (isinstance(spec, dict) and "faults" in spec)
    )


def _unknown(document: Document) -> Problem:
    data = document.data
    kind = data.get("kind") if isinstance(data, dict) else None
    if isinstance(kind, str):
        return document.problem(
            ("kind",), f"gameday knows no kind {quoted(kind)}", did_you_mean(kind, _KINDS)
        )
    return document.problem(
        (),
        "is neither a scenario, nor a system, nor a programme, nor an OpenSLO document, nor a"
        " Chaos Toolkit experiment",
        "a scenario starts with 'apiVersion: gameday/v1' and 'kind: Scenario'",
    )
