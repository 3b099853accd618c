"""The nearest valid name: what a person probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """Return the valid name most like this one, or None where none is close.

    Case, ``-`` and ``_`` do not count: ``error_ratio`` is ``errorRatio``.
    """
    folded: dict[str, str] = {}
    for known in valid:
        folded.setdefault(_folded(known), known)
    close = difflib.get_close_matches(_folded(name[:100]), list(folded), n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def did_you_mean(name: str, valid: Iterable[str], *, what: str = "valid") -> str:
    """Return a hint: the nearest name, or, where none is close, all of them (shortened)."""
    known = sorted(set(valid))
    if not known:
        return f"{what}: none at all"
    near = nearest(name, known)
    if near is not None:
        return f"did you mean '{near}'?"
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"{what}: {listed}"


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
