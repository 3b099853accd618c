"""Reading request bodies that anybody could have sent."""

from __future__ import annotations

import json
import math
from typing import Any

from fastapi import Request

from gameday.errors import GamedayError, UsageError

HOOK_LIMIT = 2 * 1024 * 1024
"""Bytes of a webhook that are read; Alertmanager's largest real ones are far below."""

WORD_LIMIT = 64 * 1024
"""Bytes of what a responder sends: sentences and a little data."""

DEEPEST = 32
"""Levels of nesting; a webhook has four."""


class TooLarge(GamedayError):
    """A body is larger than is read."""


async def json_body(request: Request, *, limit: int) -> dict[str, Any]:
    """Return the JSON object of a request; an empty body is an empty object.

    Raises:
        TooLarge: it is larger than the limit; what is beyond is not read.
        UsageError: it is not a JSON object, or nested too deep, or holds what JSON cannot.
    """
    raw = await raw_body(request, limit=limit)
    try:
        parsed = json.loads(raw or b"{}", parse_constant=_refuse, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise UsageError("the body is not JSON that can be read") from error
    if not isinstance(parsed, dict):
        raise UsageError("the body is not a JSON object")
    _refuse_depth(parsed)
    return parsed


async def raw_body(request: Request, *, limit: int) -> bytes:
    """Return the bytes of a request's body, as they came.

    Raises:
        TooLarge: it is larger than the limit; what is beyond is not read.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:19]) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
    return bytes(raw)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse_depth(parsed: Any) -> None:
    level = [parsed]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise UsageError(f"the body is nested deeper than {DEEPEST} levels")


def whole_text(value: Any) -> Any:
    """Return a JSON value whose texts can all be written: halves of characters are replaced."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case list():
            return [whole_text(v) for v in value]
        case dict():
            return {whole_text(k): whole_text(v) for k, v in value.items()}
        case _:
            return value
