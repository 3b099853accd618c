"""A file under ``systems/`` → `gameday.model.system.System`, or every reason why not.

What a system may say and no driver can do yet is refused here, with its line: a field that is
passed over would be found out in the middle of a drill.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gameday.errors import Problem, SpecError
from gameday.model.mitigation import DONE_WITHIN, WITHIN, Call, ChaosAction, Command
from gameday.model.system import System, SystemSpec
from gameday.quantity import written
from gameday.spec.document import Document, only, read_documents
from gameday.spec.experiment import action_problems
from gameday.spec.fields import noun_of
from gameday.spec.tree import FieldPath

_EXAMPLES = {
    "metrics": "write metrics: {prometheus: {url: http://HOST:9090}}",
    "alerts": "write alerts: {page: {alertname: NAME}}",
    "pages": "write pages: {alertmanager: {url: http://HOST:9093}}",
    "red": "write red: {preset: haproxy}, or rate, errors and duration",
    "mitigations": "write '- name: …' below it",
    "run": "write run: [PROGRAM, ARGUMENT, …]",
}

_LATER = "is not supported yet"


def read_system(path: Path | str) -> System:
    """Return the system of a file.

    Raises:
        SpecError: every problem found, with file, line, field and what to write instead.
    """
    path = Path(path)
    system, problems = system_of(only(read_documents(path)))
    if problems or system is None:
        raise SpecError(sorted(problems, key=lambda p: p.line))
    return system.model_copy(update={"path": path})


def system_of(document: Document) -> tuple[System | None, list[Problem]]:
    """Return the system a document declares, and every problem of it."""
    system, problems = noun_of(document, System, examples=_EXAMPLES)
    if system is not None:
        problems += [
            document.problem(("spec", *path), _LATER, hint) for path, hint in _later(system.spec)
        ]
        problems += [
            document.problem(("spec", *path), said, "start it, and do not wait for its end")
            for path, said in _too_slow(system.spec)
        ]
        problems += _unplayable(document, system.spec)
    return (None if problems else system), problems


def _later(spec: SystemSpec) -> Iterator[tuple[FieldPath, str]]:
    """Yield what no driver of this gameday can do, each with what can be done instead."""
    if spec.alerts.ticket is not None:
        yield (
            ("alerts", "ticket"),
            "leave it out: a ticket wakes nobody, and no drill waits for one",
        )
    for path, secret in spec.secrets():
        if secret.kubernetes is not None:
            yield (*path, "kubernetes"), "write {env: NAME} or {file: PATH}"


def _too_slow(spec: SystemSpec) -> Iterator[tuple[FieldPath, str]]:
    """Yield what is given longer than anybody waits for it, and how long that is."""
    for number, mitigation in enumerate(spec.mitigations):
        for field, act, most in (
            ("command", mitigation.command, DONE_WITHIN),
            ("http", mitigation.http, DONE_WITHIN),
            ("chaostoolkit", mitigation.chaostoolkit, DONE_WITHIN),
            ("undo", mitigation.undo, WITHIN),
        ):
            if isinstance(act, Command | Call | ChaosAction) and act.within > most:
                path: FieldPath = ("mitigations", number, field, "within")
                yield path, f"is longer than the {written(most)} that are waited for it"


def _unplayable(document: Document, spec: SystemSpec) -> Iterator[Problem]:
    """Yield why Chaos Toolkit would not play an action, in the words used of experiments."""
    for number, mitigation in enumerate(spec.mitigations):
        acts = {"chaostoolkit": mitigation.chaostoolkit, "undo": mitigation.undo}
        for field, act in acts.items():
            if isinstance(act, ChaosAction):
                at: FieldPath = ("spec", "mitigations", number, field)
                variables = {name for group in act.secrets.values() for name in group}
                yield from action_problems(document, at, act.activity(), variables=variables)
