"""How bad an alert says it is, and whether that wakes somebody. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

SEVERITIES = {
    "sev-1": "SEV-1",
    "sev1": "SEV-1",
    "sev-2": "SEV-2",
    "sev2": "SEV-2",
    "page": "SEV-2",
    "critical": "SEV-2",
    "sev-3": "SEV-3",
    "sev3": "SEV-3",
}
"""What an alert's ``severity`` (or ``sev``) label means; a page wakes somebody, so it is SEV-2."""

WAKING = ("SEV-1", "SEV-2")
"""Severities of alerts that page somebody."""

POSTMORTEM_WITHIN = {"SEV-1": timedelta(hours=24), "SEV-2": timedelta(hours=48)}
"""After the resolution. Source: the loop's Learn phase, complete within 24 to 48 h."""


def severity_of(labels: Mapping[str, str]) -> str:
    """Return the severity that an alert's labels name; a ticket is SEV-3, no word SEV-4."""
    said = (labels.get("sev") or labels.get("severity") or "").lower()
    return SEVERITIES.get(said, "SEV-3" if said in ("ticket", "warning") else "SEV-4")
