"""Names in braces in a text, for which a value is put in; other braces are just braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["filled", "filled_in", "placeholders", "texts_in"]

_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")
_NO_VARIABLE = re.compile(r"(?<!\$)\{([^\W\d]\w*)\}")


def placeholders(text: str, *, spare_variables: bool = False) -> tuple[str, ...]:
    """Return the names that stand in braces in a text, in their order.

    Args:
        spare_variables: whether ``${name}`` is somebody else's, as Chaos Toolkit's is.
    """
    return tuple((_NO_VARIABLE if spare_variables else _PLACEHOLDER).findall(text))


def filled(text: str, parameters: Mapping[str, str], *, spare_variables: bool = False) -> str:
    """Return a text with each parameter's value for its name in braces, and all else as it is."""
    return (_NO_VARIABLE if spare_variables else _PLACEHOLDER).sub(
        lambda found: parameters.get(found[1], found[0]), text
    )


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON-shaped value; the names of its fields are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from texts_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from texts_in(entry)


def filled_in(value: Any, parameters: Mapping[str, str], *, spare_variables: bool = False) -> Any:
    """Return a JSON-shaped value with each of its texts `filled`."""
    if isinstance(value, str):
        return filled(value, parameters, spare_variables=spare_variables)
    if isinstance(value, dict):
        return {
            key: filled_in(entry, parameters, spare_variables=spare_variables)
            for key, entry in value.items()
        }
    if isinstance(value, list | tuple):
        return [filled_in(entry, parameters, spare_variables=spare_variables) for entry in value]
    return value
