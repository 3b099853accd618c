"""What a toxic is: a name, a type, a stream, a toxicity and the type's attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class ApiError(Exception):
    """An answer other than success, in the shape Toxiproxy's clients expect."""

    def __init__(self, message: str, status: int) -> None:
        self.message = message
        self.status = status
        super().__init__(message)


def read_body(text: str | bytes) -> Any:
    """Return what JSON says, its keys in lower case; `ApiError` 400 where it is none.

    Toxiproxy's reader takes ``Name`` for ``name``; of two that are the same to it, the last one
    counts, unless it is null.
    """

    def folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if value is not None or key.casefold() not in found:
                found[key.casefold()] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=folded)
    except (ValueError, RecursionError) as problem:
        raise bad_body(str(problem)) from None


def bad_body(reason: str) -> ApiError:
    """Return the answer to a body that cannot be understood."""
    return ApiError(f"bad request body: {reason}", 400)


class Stream(StrEnum):
    """Which direction of a proxy a toxic spoils, as seen from the client."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "latency": ("latency", "jitter"),  # ms, ms
    "bandwidth": ("rate",),  # kB/s, 1 kB is 1000 bytes
    "slow_close": ("delay",),  # ms
    "timeout": ("timeout",),  # ms; 0 holds the data until the toxic is removed
    "reset_peer": ("timeout",),  # ms
    "slicer": ("average_size", "size_variation", "delay"),  # bytes, bytes, µs
    "limit_data": ("bytes",),
    "noop": (),
}
"""Every toxic type and its attributes, all whole numbers, 0 where not given."""


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic of one proxy.

    Attributes:
        toxicity: share of connections it applies to, 0–1; drawn once per connection.
        attributes: complete for its type, in the units of `ATTRIBUTES`.
        expires_at: instant of the event loop's clock (seconds) at which it removes itself.
    """

    name: str
    type: str
    stream: Stream
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)
    expires_at: float | None = None

    @classmethod
    def parse(cls, body: Any, *, now: float) -> Toxic:
        """Return the toxic a POST body describes; `ApiError` 400 where it describes none."""
        fields = _mapping(body)
        stream = fields.get("stream") or Stream.DOWNSTREAM
        if not isinstance(stream, str) or (stream := stream.lower()) not in set(Stream):
            raise ApiError("stream was invalid, can be either upstream or downstream", 400)
        kind = fields.get("type")
        if not isinstance(kind, str) or kind not in ATTRIBUTES:
            raise ApiError("invalid toxic type", 400)
        name = fields.get("name") or f"{kind}_{stream}"
        if not isinstance(name, str) or "/" in name:
            raise bad_body("name must be a string without a slash")
        defaults = dict.fromkeys(ATTRIBUTES[kind], 0)
        toxic = cls(name=name, type=kind, stream=Stream(stream), attributes=defaults)
        return toxic.patched(fields, now=now)

    def patched(self, body: Any, *, now: float) -> Toxic:
        """Return this toxic with the attributes, toxicity and ttl of a PATCH body."""
        fields = _mapping(body)
        given = fields.get("attributes")
        given = {} if given is None else given
        if not isinstance(given, Mapping):
            raise bad_body("attributes must be an object")
        attributes = dict(self.attributes)
        for key in ATTRIBUTES[self.type]:
            if given.get(key) is not None:
                attributes[key] = _whole(f"attributes.{key}", given[key])
        toxicity = fields.get("toxicity")
        toxicity = self.toxicity if toxicity is None else _number("toxicity", toxicity)
        if not 0 <= toxicity <= 1:
            raise bad_body("toxicity must lie between 0 and 1")
        expires_at = self.expires_at
        if "ttl" in fields:
            ttl = fields["ttl"]
            expires_at = None if ttl is None else now + milliseconds("ttl", ttl) / 1000
        return replace(self, attributes=attributes, toxicity=toxicity, expires_at=expires_at)

    def to_json(self, *, now: float) -> dict[str, Any]:
        """Return the toxic as the API shows it; ``ttl`` is what is left of it, in milliseconds."""
        shown: dict[str, Any] = {
            "attributes": dict(self.attributes),
            "name": self.name,
            "type": self.type,
            "stream": self.stream.value,
            "toxicity": self.toxicity,
        }
        if self.expires_at is not None:
            shown["ttl"] = max(0, round((self.expires_at - now) * 1000))
        return shown


def milliseconds(what: str, value: Any) -> float:
    """Return a span in milliseconds from a body; `ApiError` 400 where it is none."""
    return _number(what, value)


def _mapping(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise bad_body("an object is expected")
    return body


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise bad_body(f"{what} must be a number of at least 0, not {value!r}")
    return float(value)


def _whole(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or value >= 10**15:
        raise bad_body(f"{what} must be a whole number of at least 0, not {value!r}")
    return value
