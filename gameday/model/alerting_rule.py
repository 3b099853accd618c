"""An alerting rule as its readers see it: what it is called, and what it says beside firing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["AlertingRule"]


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """One rule that raises an alert.

    Attributes:
        place: the file it stands in, or the address of the Prometheus that has it loaded.
        line: of the file, 1-based; 0 where it is loaded.
        group: its group's name; may be empty.
    """

    name: str
    place: str
    line: int = 0
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def runbook_url(self) -> str:
        """Return where it sends whoever is paged; empty where it does not say."""
        return self.annotations.get("runbook_url", "").strip()
