"""How bad people say an incident was, in the words and figures of their own scale."""

from __future__ import annotations

import re

from gameday.model.severity import IncidentSeverity

__all__ = ["severity_named"]

_MEANT = {
    "critical": 1,
    "blocker": 1,
    "high": 2,
    "major": 2,
    "medium": 3,
    "moderate": 3,
    "low": 4,
    "minor": 4,
    "info": 5,
    "trivial": 5,
}
_NUMBERED = re.compile(r"(?:sev(?:erity)?|s|p)?[\s-]*([0-5])")


def severity_named(said: object) -> IncidentSeverity | None:
    """Return the severity that people mean by SEV-1, sev1, S1, P1, 1 or critical; else None.

    Where their scale begins with 0, its worst is ours.
    """
    text = str(said).strip().lower()
    found = _NUMBERED.fullmatch(text)
    number = int(found[1]) if found else _MEANT.get(text)
    return None if number is None else [*IncidentSeverity][max(number, 1) - 1]
