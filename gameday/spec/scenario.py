"""A file under ``scenarios/`` → `gameday.scenario.Scenario`, or every reason why not."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from gameday.errors import Problem, SpecError, UsageError
from gameday.scenario import Scenario
from gameday.spec.catalogue import Catalogue
from gameday.spec.document import Document, only, read_documents
from gameday.spec.experiment import parameters_of
from gameday.spec.names import did_you_mean, nearest
from gameday.spec.runbook import read_runbook
from gameday.spec.tree import FieldPath, quoted

_SENTENCES: Mapping[str, str] = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "model_attributes_type": "must be a mapping of fields",
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
    problems = list(document.problems)
    data = document.data
    if isinstance(data, dict) and "path" in data:
        # A field of the noun, but not of the file: gameday fills it in.
        problems.append(_unknown(document, Scenario, ("path",)))
        data = {key: value for key, value in data.items() if key != "path"}
    try:
        return Scenario.model_validate(data), problems
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problem = _translated(document, detail)
            if problem is not None and problem not in problems:
                problems.append(problem)
        return None, problems


# --- what pydantic says, in our words ------------------------------------------------------------


def _translated(document: Document, detail: Any) -> Problem | None:
    kind: str = detail["type"]
    path = _real_path(document, detail["loc"])
    context: Mapping[str, Any] = detail.get("ctx") or {}
    value = detail.get("input")
    if kind == "extra_forbidden":
        return _unknown(document, Scenario, path)
    if kind == "missing":
        return _missing(document, path)
    if kind in ("enum", "literal_error"):
        allowed = [w for w in str(context.get("expected", "")).split("'")[1::2] if w]
        return document.problem(
            path,
            f"{quoted(value)} is not valid",
            did_you_mean(str(value), allowed, what="one of"),
        )
    if kind in _SENTENCES:
        shown = "nothing" if value is None else _shape(value)
        return document.problem(path, f"{_SENTENCES[kind]}, not {shown}", _example(path, kind))
    if kind == "string_pattern_mismatch":
        return document.problem(
            path,
            f"{quoted(value)} is no valid name",
            "small letters, digits and dashes, at most 63, a letter or digit at both ends",
        )
    if kind == "string_too_short":
        return document.problem(path, "is empty", f"name the {path[-1] if path else 'value'}")
    if kind == "too_short":
        if value:  # its entries are wrong, which is said elsewhere
            return None
        return document.problem(path, "needs at least one entry", _example(path, kind))
    message = str(detail["msg"])
    return document.problem(path, message[:1].lower() + message[1:], str(context.get("hint", "")))


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return quoted(value)


def _example(path: FieldPath, kind: str) -> str:
    if path and path[-1] == "alert":
        return "write alert: {severity: page, within: theory}, or alert: none for silence"
    if path and path[-1] == "recovered":
        return "write recovered: {within: theory}"
    if path and path[-1] == "faults":
        return "write '- experiment: …' below it"
    if kind == "tuple_type" and path:
        return f"write {path[-1]}: [ … ]"
    return ""


def _unknown(document: Document, model: type[BaseModel], path: FieldPath) -> Problem:
    name = str(path[-1]) if path else ""
    known = fields_at(model, path[:-1])
    return document.problem(
        path, f"unknown field {quoted(name)}", did_you_mean(name, known, what="valid fields")
    )


def _missing(document: Document, path: FieldPath) -> Problem | None:
    name = str(path[-1])
    parent = _value_at(document.data, path[:-1])
    known = fields_at(Scenario, path[:-1])
    if isinstance(parent, dict):
        for key in parent:
            if key not in known and nearest(key, known) == name:
                return None  # the misspelt field is reported, with this name as its hint
    where = f" of {_parent_name(path)}" if len(path) > 1 else ""
    return document.problem(path, f"is missing: every file needs the {name}{where}", f"add {name}")


def _parent_name(path: FieldPath) -> str:
    names = [p for p in path[:-1] if isinstance(p, str)]
    return names[-1] if names else "the document"


def _real_path(document: Document, loc: tuple[int | str, ...]) -> FieldPath:
    """Return the part of pydantic's location that exists in the file.

    A union adds the name of the member it tried; such a part names nothing in the data, unless it
    is the last: then it is a field that is missing.
    """
    path: list[str | int] = []
    here = document.data
    for number, part in enumerate(loc):
        is_last = number == len(loc) - 1
        if _holds(here, part):
            here = here[part]
        elif not (is_last and isinstance(here, dict)):
            continue
        path.append(part)
    return tuple(path)


def _value_at(data: Any, path: FieldPath) -> Any:
    for part in path:
        if not _holds(data, part):
            return None
        data = data[part]
    return data


def _holds(data: Any, part: int | str) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def fields_at(model: type[BaseModel], path: FieldPath) -> list[str]:
    """Return the names of the fields a file may have at this place; empty where any will do."""
    here: Any = model
    for part in path:
        if isinstance(part, int):
            here = _item_model(here)
        elif isinstance(here, type) and issubclass(here, BaseModel):
            here = _annotation(here, part)
        else:
            return []
    found = _model_in(here)
    if found is None:
        return []
    hidden = {"path"} if found is Scenario else set()
    return [f.alias or n for n, f in found.model_fields.items() if (f.alias or n) not in hidden]


def _annotation(model: type[BaseModel], name: str) -> Any:
    for field_name, info in model.model_fields.items():
        if (info.alias or field_name) == name:
            found = _model_in(info.annotation)
            # A list is kept as it is: the next part of the path is its index.
            return info.annotation if found is None or _is_tuple(info.annotation) else found
    return None


def _is_tuple(annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple


def _item_model(annotation: Any) -> Any:
    return _model_in(typing.get_args(annotation)[0]) if _is_tuple(annotation) else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        for part in typing.get_args(annotation):
            if (found := _model_in(part)) is not None:
                return found
    return None


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
    ):
        value = spec.get(name)
        if isinstance(value, str) and value:
            problems += _lookup_problems(document, ("spec", name), find, value)
    faults = spec.get("faults")
    for number, fault in enumerate(faults if isinstance(faults, list) else []):
        if isinstance(fault, dict):
            problems += _fault_problems(document, ("spec", "faults", number), fault, catalogue)
    return problems


def _lookup_problems(
    document: Document, path: FieldPath, find: typing.Callable[[str], object], value: str
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
        experiment = only(read_documents(file))
    except UsageError as error:
        return [_from_usage(document, (*path, "experiment"), error)]
    except SpecError as error:
        return list(error.problems)
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
