"""How bad an alert says it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gameday.model.severity import IncidentSeverity

MEANT = {
    **{str(s).lower(): s for s in IncidentSeverity},
    **{str(s).lower().replace("-", ""): s for s in IncidentSeverity},
    "page": IncidentSeverity.SEV_2,
    "critical": IncidentSeverity.SEV_2,
    "ticket": IncidentSeverity.SEV_3,
    "warning": IncidentSeverity.SEV_3,
}
"""What an alert's ``severity`` (or ``sev``) label means; a page wakes somebody, so it is SEV-2."""


def severity_of(labels: Mapping[str, str]) -> IncidentSeverity:
    """Return the severity that an alert's labels name; SEV-4 where they name none that is known."""
    said = (labels.get("sev") or labels.get("severity") or "").lower()
    return MEANT.get(said, IncidentSeverity.SEV_4)
