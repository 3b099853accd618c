"""Pyroscope's push and the pprof format, as far as the sandbox needs them.

The messages are built from the field tables below rather than read by a wire-format reader of
our own: parsing then happens in protobuf's C code, a twentieth of the time a Python loop takes
(the store shares two cores with the shop it observes), and broken input is refused by a parser
that has met it before. Generated ``_pb2`` files would need protoc and be somebody else's text.

Field numbers: github.com/google/pprof/blob/main/proto/profile.proto and Pyroscope's
push/v1/push.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from gameday.sandbox.telemetry.intake import Refusal, decompress

# Message → (number, field, type); "*" marks a repeated field, a capital a message.
_MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "PushRequest": ((1, "series", "*RawProfileSeries"),),
    "RawProfileSeries": ((1, "labels", "*LabelPair"), (2, "samples", "*RawSample")),
    "LabelPair": ((1, "name", "string"), (2, "value", "string")),
    "RawSample": ((1, "raw_profile", "bytes"), (2, "id", "string")),
    "Profile": (
        (1, "sample_type", "*ValueType"),
        (2, "sample", "*Sample"),
        (3, "mapping", "*Mapping"),
        (4, "location", "*Location"),
        (5, "function", "*Function"),
        (6, "string_table", "*string"),
        (9, "time_nanos", "int64"),
        (10, "duration_nanos", "int64"),
        (11, "period_type", "ValueType"),
        (12, "period", "int64"),
        (14, "default_sample_type", "int64"),
    ),
    "ValueType": ((1, "type", "int64"), (2, "unit", "int64")),
    "Sample": ((1, "location_id", "*uint64"), (2, "value", "*int64"), (3, "label", "*Label")),
    "Label": ((1, "key", "int64"), (2, "str", "int64"), (3, "num", "int64")),
    "Mapping": ((1, "id", "uint64"), (5, "filename", "int64")),
    "Location": ((1, "id", "uint64"), (2, "mapping_id", "uint64"), (4, "line", "*Line")),
    "Line": ((1, "function_id", "uint64"), (2, "line", "int64")),
    "Function": (
        (1, "id", "uint64"),
        (2, "name", "int64"),
        (3, "system_name", "int64"),
        (4, "filename", "int64"),
        (5, "start_line", "int64"),
    ),
}
_PACKAGE = "gameday.sandbox.telemetry"


class StackFrame(NamedTuple):
    """One frame: where a stack was."""

    function: str
    file: str
    line: int


Frames = tuple[StackFrame, ...]
"""Root first."""


@cache
def message(name: str) -> Any:
    """Return the class of one message of the table above."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PACKAGE}/pprof.proto", package=_PACKAGE, syntax="proto3"
    )
    for title, fields in _MESSAGES.items():
        described = file.message_type.add(name=title)
        for number, field, kind in fields:
            entry = described.field.add(name=field, number=number)
            entry.label = kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL
            plain = kind.lstrip("*")
            if plain in _MESSAGES:
                entry.type = kinds.TYPE_MESSAGE
                entry.type_name = f".{_PACKAGE}.{plain}"
            else:
                entry.type = getattr(kinds, f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def parse(name: str, data: bytes) -> Any:
    """Return a message of the table read from its wire format.

    Raises:
        Refusal: the bytes are not such a message.
    """
    from google.protobuf.message import DecodeError

    try:
        return message(name).FromString(data)
    except DecodeError as error:
        raise Refusal(f"not a {name} message: {error}") from error


def unpack(raw: bytes) -> bytes:
    """Return a pprof's plain bytes; agents may send it gzipped inside the push."""
    return decompress(raw, wbits=31) if raw[:2] == b"\x1f\x8b" else raw


def sample_types(profile: Any) -> tuple[tuple[str, str], ...]:
    """Return (type, unit) of each value of a profile's samples."""
    strings = profile.string_table
    return tuple((_text(strings, v.type), _text(strings, v.unit)) for v in profile.sample_type)


def stacks(
    profile: Any, *, value_index: int, wanted: Callable[[dict[str, str]], bool]
) -> Iterator[tuple[Frames, int]]:
    """Yield (frames, value) of the samples whose string labels are wanted.

    Indexes that point nowhere (a broken agent) become empty names, never an error.
    """
    strings = profile.string_table
    functions = {f.id: f for f in profile.function}
    places: dict[int, Frames] = {}
    for location in profile.location:
        # The first line is the innermost of inlined calls: leaf first, like location_id.
        lines: list[StackFrame] = []
        for line in location.line:
            function = functions.get(line.function_id)
            name = _text(strings, function.name) if function is not None else ""
            file = _text(strings, function.filename) if function is not None else ""
            lines.append(StackFrame(name or "?", file, line.line))
        places[location.id] = tuple(lines)
    seen: dict[tuple[int, ...], Frames] = {}
    for sample in profile.sample:
        if len(sample.value) <= value_index:
            continue
        labels = {_text(strings, label.key): _text(strings, label.str) for label in sample.label}
        if not wanted(labels):
            continue
        ids = tuple(sample.location_id)
        frames = seen.get(ids)
        if frames is None:
            leaf_first = [place for number in ids for place in places.get(number, ())]
            frames = seen[ids] = tuple(reversed(leaf_first))
        yield frames, sample.value[value_index]


def _text(strings: Any, index: int) -> str:
    return str(strings[index]) if 0 <= index < len(strings) else ""
