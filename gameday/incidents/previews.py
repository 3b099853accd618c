"""Openings of a page's links by nobody known: a chat's preview, a mail scanner, a stranger."""

from __future__ import annotations

from collections import Counter

RECORDED = 20
"""Of each link, by one process. They score nothing, and anybody with the link could fill the store
with them."""

KNOWN = 100_000
"""Links that are counted; then all begin anew, for the counts are not to fill the memory either."""


class Previews:
    """How often nobody known has opened each link."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def is_worth_a_fact(self, incident: str, view: str) -> bool:
        """Count one more opening; return whether it is to be put on record."""
        if len(self._seen) >= KNOWN:
            self._seen.clear()
        self._seen[incident, view] += 1
        return self._seen[incident, view] <= RECORDED
