"""The JSON form of a judgement: the same rule for every frozen value, so that no two can differ.

A value is an object of its fields, in their order; a value with a ``to_json`` of its own says
itself how it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any


def to_json(value: object) -> Any:
    """Return a value as `json.dumps` takes it: instants as ISO 8601, choices as their word.

    Raises:
        TypeError: it, or something in it, has no JSON form.
    """
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): to_json(one) for key, one in value.items()}
        case tuple() | list():
            return [to_json(one) for one in value]
        case _ if hasattr(value, "to_json"):
            return value.to_json()
        case _:
            return fields_to_json(value)


def fields_to_json(value: object) -> dict[str, Any]:
    """Return a frozen value as an object of its fields.

    Raises:
        TypeError: it is none, or something in it has no JSON form.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} {value!r} has no JSON form")
    return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
