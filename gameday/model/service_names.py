"""What an instrument calls a service that the metrics, the SLO and the runbook call otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SAME_NAMES", "ServiceNames"]


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """The services whose names differ; every other one has the same name on both sides.

    Attributes:
        theirs: the instrument's name, by ours; no name stands for two services.
    """

    theirs: Mapping[str, str] = field(default_factory=dict)

    def to_theirs(self, service: str) -> str:
        """Return what the instrument calls a service of ours."""
        return self.theirs.get(service, service)

    def to_ours(self, service: str) -> str:
        """Return what we call a service of the instrument's."""
        return next((ours for ours, name in self.theirs.items() if name == service), service)


SAME_NAMES = ServiceNames()
"""An instrument that calls every service as the metrics do."""
