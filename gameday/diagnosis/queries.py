"""What rate, errors and duration of a service are asked for with: PromQL, signal by signal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from gameday.diagnosis.red import Signal
from gameday.model.placeholders import filled

__all__ = ["RedQueries", "in_quotes"]

REGION = "region"
"""The label by which regions are told apart where nobody says another."""

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
"""What RE2, Prometheus' dialect, does not take as it is written."""


@dataclass(frozen=True, slots=True)
class RedQueries:
    """One PromQL expression for each signal, with names in braces for what is not known yet.

    ``{service}`` is the service's name, ``{service_pattern}`` the same inside a regular
    expression, ``{window}`` how far back rates look, ``{label}`` the label of the service,
    ``{region}`` that of regions. A series' ``region`` and ``code`` are read where it has them.

    Attributes:
        rate: requests per second.
        errors: share of requests that fail, 0–1; empty: not measured.
        duration: how long requests take, in seconds; empty: not measured.
        label: which label tells services apart.
        region: which label tells regions apart; what is drawn bears it as ``region`` in any case.
        notes: what whoever reads the signals has to know of them, each a sentence.
    """

    rate: str
    errors: str = ""
    duration: str = ""
    label: str = "service"
    region: str = REGION
    notes: tuple[str, ...] = ()

    def of(self, service: str, *, window: timedelta) -> Mapping[Signal, str]:
        """Return the expressions for one service, of the signals that are measured.

        Args:
            window: how far back the rates look.
        """
        values = {
            "service": in_quotes(service),
            "service_pattern": in_quotes(_SPECIAL.sub(r"\\\g<0>", service)),
            "window": f"{max(1, round(window.total_seconds()))}s",
            "label": self.label,
            "region": self.region,
        }
        asked = {
            Signal.RATE: self.rate,
            Signal.ERRORS: self.errors,
            Signal.DURATION: self.duration,
        }
        return {
            signal: self._by_region(filled(query, values))
            for signal, query in asked.items()
            if query
        }

    def _by_region(self, query: str) -> str:
        """Return a query whose series say under ``region`` where they are from."""
        if self.region == REGION:
            return query
        return f'label_replace({query}, "{REGION}", "$1", "{self.region}", "(.+)")'


def in_quotes(text: str) -> str:
    """Return a text as it stands between double quotes in PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
