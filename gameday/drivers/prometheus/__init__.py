"""Prometheus, and what speaks its API: whoever wrote the rules that are loaded there."""

from __future__ import annotations

from gameday.drivers.prometheus.elsewhere import KeptElsewhere
from gameday.drivers.prometheus.named import NamedAlert, NamedAlerts, RuleMeant, no_rule
from gameday.drivers.prometheus.server import Prometheus, seconds
from gameday.drivers.prometheus.survey import PrometheusSurvey

__all__ = [
    "KeptElsewhere",
    "NamedAlert",
    "NamedAlerts",
    "Prometheus",
    "PrometheusSurvey",
    "RuleMeant",
    "no_rule",
    "seconds",
]
