"""Annotations that OpenSLO leaves to tools: ours begin with ``gameday/`` or ``gameday.dev/``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gameday.names import did_you_mean
from gameday.quantity import QuantityError, duration
from gameday.spec.openslo.fields import METADATA, Fields
from gameday.spec.tree import FieldPath, quoted

PREFIXES = ("gameday/", "gameday.dev/")

ON_SLO = (
    "owner", "runbook", "dashboard", "traces", "profile", "min-events", "min-bad-events", "no-data",
)  # fmt: skip
"""What an SLO may be annotated with."""
ON_ALERT = ("short-window",)
"""What an alert policy or an alert condition may be annotated with."""

LINKS = {"red": "dashboard", "traces": "traces", "profile": "profile"}
"""The annotation that holds the template of each deeplink; the runbook has a field of its own."""


class Annotations:
    """The annotations of one metadata mapping, ours by their bare names.

    Attributes:
        written: every annotation as it stands in the file.
    """

    def __init__(
        self, fields: Fields, at: FieldPath, metadata: dict[str, Any], known: tuple[str, ...]
    ) -> None:
        self.written = fields.annotations(at, metadata)
        self._fields = fields
        self._at = (*at, METADATA[-1])
        self._ours: dict[str, tuple[str, str]] = {}
        for key, value in self.written.items():
            prefix = next((p for p in PREFIXES if key.startswith(p)), "")
            name = key.removeprefix(prefix)
            if not prefix:
                continue
            if name not in known:
                fields.complain(
                    (*self._at, key),
                    f"gameday knows no annotation {quoted(key)}",
                    did_you_mean(key, [prefix + k for k in known]),
                )
            elif name in self._ours:
                fields.complain(
                    (*self._at, key), f"says the same as {self._ours[name][0]}", "keep one of them"
                )
            else:
                self._ours[name] = (key, value)

    def text(self, name: str) -> str:
        """Return one of ours; empty where it is not given."""
        return self._ours.get(name, ("", ""))[1]

    def links(self) -> Mapping[str, str]:
        """Return the URL templates of the deeplinks that are given, by the link's name."""
        return {link: self.text(name) for link, name in LINKS.items() if self.text(name)}

    def count(self, name: str) -> float:
        """Return a number of events; 0 where it is not given."""
        if name not in self._ours:
            return 0
        text = self._ours[name][1]
        if text.isascii() and text.isdigit() and len(text) <= 15:
            return int(text)
        self._complain(name, f"{quoted(text)} is no number of events", 'write "100"')
        return 0

    def span(self, name: str) -> timedelta | None:
        """Return a duration; None where it is not given."""
        if name not in self._ours:
            return None
        try:
            found = duration(self._ours[name][1])
        except QuantityError as error:
            self._complain(name, error.message, error.hint)
            return None
        if not found:
            self._complain(name, "is no time at all", "write a duration such as 5m or 1h")
            return None
        return found

    def _complain(self, name: str, message: str, hint: str) -> None:
        self._fields.complain((*self._at, self._ours[name][0]), message, hint)
