"""Durations and ratios as people write them in files: ``400ms``, ``1h``, ``50%``."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

UNITS: dict[str, timedelta] = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
"""Every unit a duration may be written in."""

LONGEST = timedelta(days=3660)
"""Ten years: anything longer is a slip of the keyboard."""

_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([^\W\d_]*)\Z")
_PERCENT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*%\Z")
_UNIT_NAMES = "ms, s, m, h, d or w"
_SPELLED = {
    "msec": "ms",
    "millis": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "min": "m",
    "mins": "m",
    "minute": "m",
    "minutes": "m",
    "hr": "h",
    "hrs": "h",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "week": "w",
    "weeks": "w",
}


class QuantityError(ValueError):
    """A value that is no duration or no ratio; says what to write instead.

    Attributes:
        message: what is wrong, with the value quoted.
        hint: what to write.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


def duration(value: object) -> timedelta:
    """Return the duration a file means: a number with a unit, ``1.5s``, ``30d``.

    A `timedelta` is returned as it is. Bare numbers are refused: seconds or milliseconds, nobody
    can tell.

    Raises:
        QuantityError: no number with one of the units, or longer than ten years.
    """
    result = value if isinstance(value, timedelta) else _read_duration(value)
    if not timedelta(0) <= result <= LONGEST:
        raise QuantityError(
            f"'{shown(value)}' is {'negative' if result < timedelta(0) else 'over ten years'}",
            "write a duration such as 10s, 5m or 1h",
        )
    return result


def _read_duration(value: object) -> timedelta:
    example = f"write a number and a unit, one of {_UNIT_NAMES}: 400ms, 10s, 5m, 1h"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise QuantityError(f"'{shown(value)}' is not a duration", example)
    text = str(value).strip()
    match = _DURATION.match(text)
    if match is None:
        raise QuantityError(f"'{shown(text)}' is not a duration", example)
    number, unit = match.groups()
    if not unit:
        raise QuantityError(
            f"'{shown(text)}' has no unit",
            f"write one of {_UNIT_NAMES} after the number: {number}s, {number}ms",
        )
    if unit not in UNITS:
        meant = _SPELLED.get(unit.lower(), unit.lower())
        known = f"valid units are {_UNIT_NAMES}"
        raise QuantityError(
            f"'{shown(text)}' has the unknown unit '{shown(unit)}'",
            f"did you mean {number}{meant}? {known}" if meant in UNITS else known,
        )
    try:
        return float(number) * UNITS[unit]
    except OverflowError:
        return timedelta.max


def written(value: timedelta) -> str:
    """Return a duration as a file would write it, exactly: ``5m``, ``1500ms``, ``0s``."""
    micros = value // timedelta(microseconds=1)
    if micros == 0:
        return "0s"
    for unit in ("d", "h", "m", "s", "ms"):
        size = UNITS[unit] // timedelta(microseconds=1)
        if micros % size == 0:
            return f"{micros // size}{unit}"
    return f"{micros / 1000:.3f}ms"


def ratio(value: object) -> float:
    """Return a share 0–1 from ``50%`` or ``0.5``; 50 alone is refused, it could be either.

    Raises:
        QuantityError: no number, or outside 0–1.
    """
    example = "write a percentage (50%) or a share from 0 to 1 (0.5)"
    if isinstance(value, str):
        match = _PERCENT.match(value.strip())
        if match is None:
            raise QuantityError(f"'{shown(value)}' is not a ratio", example)
        percent = float(match.group(1))
        if percent > 100:
            raise QuantityError(f"'{shown(value)}' is more than everything", "at most 100%")
        return percent / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QuantityError(f"'{shown(value)}' is not a ratio", example)
    if 1 < value <= 100:
        raise QuantityError(f"'{value}' is not a ratio from 0 to 1", f"did you mean {value}%?")
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise QuantityError(f"'{value}' is not a ratio from 0 to 1", example)
    return float(value)


def share_or_count(value: object) -> float | int:
    """Return a share 0–1 (``50%``, 0.5) as float, or a count (3) as int.

    Raises:
        QuantityError: neither of them.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise QuantityError(f"'{value}' is negative", "write a count (3) or a share (50%)")
        return value
    return ratio(value)


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, printable, cut where it is long."""
    text = "".join(c if c.isprintable() else "�" for c in str(value)[:60])
    return text if len(str(value)) <= 60 else f"{text}…"


def refusal(message: str, hint: str) -> PydanticCustomError:
    """Return the error by which a field refuses its value, with what to write instead."""
    # Through the context, for a brace in the value must not be read as a template.
    return PydanticCustomError("quantity", "{message}", {"message": message, "hint": hint})


def _duration_field(value: Any) -> timedelta:
    try:
        return duration(value)
    except QuantityError as error:
        raise refusal(error.message, error.hint) from error


def _within_field(value: Any) -> timedelta | str:
    if value == "theory":
        return "theory"
    try:
        return duration(value)
    except QuantityError as error:
        hint = f"{error.hint}; or 'theory': computed from the SLO and the fault"
        raise refusal(error.message, hint) from error


def _ratio_field(value: Any) -> float:
    try:
        return ratio(value)
    except QuantityError as error:
        raise refusal(error.message, error.hint) from error


def _share_or_count_field(value: Any) -> float | int:
    try:
        return share_or_count(value)
    except QuantityError as error:
        raise refusal(error.message, error.hint) from error


def _written_field(value: timedelta | str) -> str:
    return value if isinstance(value, str) else written(value)


_DURATION_SCHEMA = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|w)$"}
_PERCENT_SCHEMA = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*%$"}
_SHARE_SCHEMA = {"type": "number", "minimum": 0, "maximum": 1}

Duration = Annotated[
    timedelta,
    PlainValidator(_duration_field),
    PlainSerializer(_written_field, return_type=str, when_used="json"),
    WithJsonSchema({**_DURATION_SCHEMA, "examples": ["400ms", "10s", "5m", "1h"]}),
]
"""A duration field: text with a unit in files and JSON, `timedelta` in Python."""

Within = Annotated[
    timedelta | Literal["theory"],
    PlainValidator(_within_field),
    PlainSerializer(_written_field, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, {"const": "theory"}]}),
]
"""A limit: a duration, or ``theory`` where gameday computes it."""

Ratio = Annotated[
    float,
    PlainValidator(_ratio_field),
    WithJsonSchema({"anyOf": [_PERCENT_SCHEMA, _SHARE_SCHEMA]}),
]
"""A share 0–1: ``50%`` or 0.5 in files."""

ShareOrCount = Annotated[
    float | int,
    PlainValidator(_share_or_count_field),
    WithJsonSchema({"anyOf": [_PERCENT_SCHEMA, _SHARE_SCHEMA, {"type": "integer", "minimum": 0}]}),
]
"""A share as float (``50%``) or a count as int (3)."""
