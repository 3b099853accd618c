"""Older facts in today's shape: what a kind's data meant before, said as it is said now.

Facts are stored as they were written and never rewritten. `scoring.timeline` brings each one up to
date where it is loaded, one version at a time, so that judges know one shape of each kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LABELS = {
    "alert": "alertname",
    "service": "service",
    "slo": "slo",
    "severity": "severity",
    "long": "long_window",
    "short": "short_window",
    "burn_rate": "burn_rate",
}
"""Where in an alert's labels stands what the fact of its page says."""


def page_2(data: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Return the data of a page's fact, version 2, out of version 1.

    There were two: what a drill received had no labels, and what the service received nothing else.
    What neither said stays None.
    """
    labels = data.get("labels")
    if labels is None:
        labels = {LABELS[key]: str(data[key]) for key in LABELS if data.get(key)}
        annotations = {"summary": str(data["summary"])} if data.get("summary") else {}
        told = {"slo": subject, "severity": None, **data}
    else:
        annotations = data.get("annotations") or {}
        told = {key: labels.get(label, "") for key, label in LABELS.items()}
        told["service"] = told["service"] or labels.get("job", "")
        told["summary"] = annotations.get("summary", "")
    return {
        "alert": told.get("alert", ""),
        "service": told.get("service", ""),
        "slo": told["slo"],
        "severity": told["severity"],
        "long": told.get("long", ""),
        "burn_rate": told.get("burn_rate", ""),
        "summary": told.get("summary", ""),
        "starts_at": data.get("starts_at"),
        "ends_at": data.get("ends_at"),
        "fingerprint": data.get("fingerprint", ""),
        "labels": dict(labels),
        "annotations": dict(annotations),
        "generator_url": data.get("generator_url", ""),
        "drill": data.get("drill"),
        "drill_until": data.get("drill_until"),
    }
