"""The JSON of a frozen value read back, and its JSON Schema; how it is written says `scoring.form`.

Reading is for what gameday itself has stored: what an older one did not write yet takes its
default, what a newer one writes besides is left alone. Only the schema is strict, so that whoever
reads the JSON may rely on it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gameday.errors import StoreError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*)$")


class JsonForm(Generic[T]):
    """The one JSON form of a value.

    Args:
        of: a frozen dataclass, made of others like it.
        what: what it is called in errors.
        partial: names of the values in it that leave out what is None.
    """

    def __init__(self, of: type[T], what: str, *, partial: frozenset[str] = frozenset()) -> None:
        self._of = of
        self._what = what
        self._partial = partial

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter  # heavy, and `gameday --help` has no use for it

        return TypeAdapter(self._of)

    def read(self, raw: object) -> T:
        """Return the value that was written like this.

        Raises:
            StoreError: it never was; says where and what is wrong.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.validate_python(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "".join(f" {step}" for step in first["loc"])
            raise StoreError(f"the {self._what} cannot be read:{where}: {first['msg']}") from error

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what is written, each field with what it means."""
        found = self._adapter.json_schema(mode="serialization")
        definitions = found.pop("$defs", {})
        for name, one in [(self._of.__name__, found), *definitions.items()]:
            _close(one, is_partial=name in self._partial)
        return {**found, "$defs": definitions} if definitions else found


def _close(schema: dict[str, Any], *, is_partial: bool) -> None:
    """Let an object have all of its fields and no other, and say what each means."""
    words, meanings = described(schema.get("description", ""))
    if words:
        schema["description"] = re.sub(r"\bNone\b", "null", words)
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        field.pop("default", None)
        if name in meanings:
            field["description"] = re.sub(r"\bNone\b", "null", meanings[name])
    if "properties" in schema:
        schema.pop("required", None)
        if not is_partial:
            schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False


def described(docstring: str) -> tuple[str, Mapping[str, str]]:
    """Return what a docstring says of a class, and of each of its attributes."""
    words, _, attributes = inspect.cleandoc(docstring).partition("\n\nAttributes:\n")
    meanings: dict[str, str] = {}
    name = ""
    for line in attributes.splitlines():
        begins = _ATTRIBUTE.match(line)
        if begins:
            name, meanings[begins[1]] = begins[1], begins[2]
        elif name and line.startswith(" " * 8):
            meanings[name] += f" {line.strip()}"
        else:
            break
    return " ".join(words.split()), meanings
