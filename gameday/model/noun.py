"""What every document's value is, and the kinds of text and time that documents write. No I/O."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from gameday.quantity import Duration

__all__ = ["Name", "Noun", "PositiveDuration", "Text"]


class Noun(BaseModel):
    """A frozen value read from a file: camelCase in the file, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


def _longer_than_nothing(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise PydanticCustomError(
            "quantity", "must be longer than nothing", {"hint": "such as 10s or 5m"}
        )
    return value


Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A name that also serves in paths, labels and URLs: small letters, digits, dashes."""
Text = Annotated[str, Field(min_length=1)]
PositiveDuration = Annotated[Duration, AfterValidator(_longer_than_nothing)]
