"""A mapping read from a file → a frozen noun, with what pydantic says put into our words."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gameday.errors import Problem
from gameday.names import did_you_mean, nearest
from gameday.spec.document import Document
from gameday.spec.tree import FieldPath, quoted

N = TypeVar("N", bound=BaseModel)

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

_KEY = "[key]"
"""What pydantic appends to the place of a mapping's key that is wrong itself."""


def noun_of(
    document: Document, model: type[N], *, examples: Mapping[str, str] | None = None
) -> tuple[N | None, list[Problem]]:
    """Return the noun a document declares and every problem; without problems there is a noun.

    Fields that the noun excludes from being written (`exclude=True`) are gameday's to fill in, and
    unknown in a file.

    Args:
        examples: what to write where a field has the wrong shape, by the name of the field.
    """
    problems = list(document.problems)
    data = document.data
    if isinstance(data, dict):
        for name in sorted(_filled_in(model) & set(data)):
            problems.append(_unknown(document, model, (name,)))
            data = {key: value for key, value in data.items() if key != name}
    try:
        return model.model_validate(data), problems
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problem = _translated(document, model, detail, examples or {})
            if problem is not None and problem not in problems:
                problems.append(problem)
        return None, problems


def fields_at(model: type[BaseModel], path: FieldPath) -> list[str]:
    """Return the names of the fields a file may have at this place; empty where any will do."""
    here: Any = model
    for part in path:
        if isinstance(part, int):
            here = _item_model(here)
        elif isinstance(here, type) and issubclass(here, BaseModel):
            here = _annotation(here, part)
        elif typing.get_origin(here) is dict:
            here = _model_in(typing.get_args(here)[1])
        else:
            return []
    found = _model_in(here)
    if found is None:
        return []
    hidden = _filled_in(found)
    return [f.alias or n for n, f in found.model_fields.items() if (f.alias or n) not in hidden]


# --- sentences ----------------------------------------------------------------------------------


def _translated(
    document: Document, model: type[BaseModel], detail: Any, examples: Mapping[str, str]
) -> Problem | None:
    kind: str = detail["type"]
    path = _real_path(document, detail["loc"], lacks_last=kind == "missing")
    context: Mapping[str, Any] = detail.get("ctx") or {}
    value = detail.get("input")
    if kind == "extra_forbidden":
        return _unknown(document, model, path)
    if kind == "missing":
        return _missing(document, model, path)
    if kind in ("enum", "literal_error"):
        allowed = [w for w in str(context.get("expected", "")).split("'")[1::2] if w]
        return document.problem(
            path,
            f"{quoted(value)} is not valid",
            did_you_mean(str(value), allowed, what="one of"),
        )
    if kind in _SENTENCES:
        shown = "nothing" if value is None else _shape(value)
        example = _example(path, kind, examples)
        return document.problem(path, f"{_SENTENCES[kind]}, not {shown}", example)
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
        return document.problem(path, "needs at least one entry", _example(path, kind, examples))
    message = str(detail["msg"])
    return document.problem(path, message[:1].lower() + message[1:], str(context.get("hint", "")))


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return quoted(value)


def _example(path: FieldPath, kind: str, examples: Mapping[str, str]) -> str:
    if path and path[-1] in examples:
        return examples[str(path[-1])]
    if kind == "tuple_type" and path:
        return f"write {path[-1]}: [ … ]"
    return ""


def _unknown(document: Document, model: type[BaseModel], path: FieldPath) -> Problem:
    name = str(path[-1]) if path else ""
    known = fields_at(model, path[:-1])
    return document.problem(
        path, f"unknown field {quoted(name)}", did_you_mean(name, known, what="valid fields")
    )


def _missing(document: Document, model: type[BaseModel], path: FieldPath) -> Problem | None:
    name = str(path[-1])
    parent = _value_at(document.data, path[:-1])
    known = fields_at(model, path[:-1])
    if isinstance(parent, dict):
        for key in parent:
            if key not in known and nearest(key, known) == name:
                return None  # the misspelt field is reported, with this name as its hint
    where = f" of {_parent_name(path)}" if len(path) > 1 else ""
    return document.problem(path, f"is missing: every file needs the {name}{where}", f"add {name}")


def _parent_name(path: FieldPath) -> str:
    names = [p for p in path[:-1] if isinstance(p, str)]
    return names[-1] if names else "the document"


# --- where in the file, where in the noun --------------------------------------------------------


def _real_path(document: Document, loc: tuple[int | str, ...], *, lacks_last: bool) -> FieldPath:
    """Return the part of pydantic's location that exists in the file.

    A union adds the name of the member it tried; such a part names nothing in the data.

    Args:
        lacks_last: whether the last part is a field that is missing.
    """
    path: list[str | int] = []
    here = document.data
    for number, part in enumerate(loc):
        is_last = number == len(loc) - 1
        if _holds(here, part):
            here = here[part]
        elif part == _KEY or not (is_last and lacks_last and isinstance(here, dict)):
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


def _filled_in(model: type[BaseModel]) -> set[str]:
    return {f.alias or n for n, f in model.model_fields.items() if f.exclude}


def _annotation(model: type[BaseModel], name: str) -> Any:
    for field_name, info in model.model_fields.items():
        if (info.alias or field_name) == name:
            found = _model_in(info.annotation)
            # A list or mapping is kept as it is: the next part of the path is its index or key.
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
