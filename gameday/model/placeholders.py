"""Names in braces in a text, for which a value is put in; other braces are just braces."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["filled", "placeholders"]

_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names that stand in braces in a text, in their order."""
    return tuple(_PLACEHOLDER.findall(text))


def filled(text: str, parameters: Mapping[str, str]) -> str:
    """Return a text with each parameter's value for its name in braces, and all else as it is."""
    return _PLACEHOLDER.sub(lambda found: parameters.get(found[1], found[0]), text)
