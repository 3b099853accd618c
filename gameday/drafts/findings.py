"""What was seen, line by line, for whoever asked."""

from __future__ import annotations

from gameday.drafts.choice import Choice
from gameday.drafts.survey import Survey
from gameday.quantity import written
from gameday.rules.alert_routes import receivers
from gameday.rules.burn_alert import BurnAlert

__all__ = ["findings"]


def findings(choice: Choice, survey: Survey) -> tuple[tuple[str, str], ...]:
    """Return (what was looked at, what was found) of everything the drafts rest on, in order."""
    counters = choice.counters
    part = f"good: {counters.good}" if counters.good else f"bad: {counters.bad}"
    foretold = ", as Prometheus names it" if survey.is_foretold else ""
    return (
        ("prometheus", f"answers at {survey.prometheus.url}"),
        (
            "service",
            f'{choice.service}, as {choice.source.label}="{choice.service}" of the preset'
            f" {choice.source.preset}",
        ),
        ("events", f"{part}; all: {counters.total}"),
        ("promise", f"{choice.objective_ratio * 100:.10g} % of them good, over 30 days"),
        ("alert", _alert(choice)),
        ("alertmanager", f"answers at {survey.alertmanager.url}{foretold}"),
        *((("page", page),) if (page := _page(choice, survey)) else ()),
        (
            "watchdog",
            "fires"
            if survey.has_watchdog
            else "none that is called Watchdog: that no page comes will prove nothing",
        ),
    )


def _alert(choice: Choice) -> str:
    alert = choice.alert
    if alert is None:
        return (
            f"none that goes by the share of errors of {choice.service}: gameday's own rules are"
            " proposed; --alert names another"
        )
    if not isinstance(alert, BurnAlert):
        return f"{alert.rule.name}; {alert.reason}"
    first = alert.branches[0]
    both = written(first.long)
    if first.short != first.long:
        both += f" and over {written(first.short)}"
    wait = f", for {written(alert.rule.for_)}" if alert.rule.for_ else ""
    return (
        f"{alert.rule.name}: fires above {first.threshold_ratio * 100:.6g} % bad over"
        f" {both}{wait}; that is a burn rate of {first.burn_rate(choice.objective_ratio):.6g}"
    )


def _page(choice: Choice, survey: Survey) -> str:
    """Return whom the alert reaches; empty where it is not known."""
    if choice.alert is None or survey.routes is None:
        return ""
    rule = choice.alert.rule
    labels = {**rule.labels, **choice.page, "alertname": rule.name}
    reached = receivers(survey.routes, labels)
    named = ", ".join(f"'{name}'" for name in reached)
    return f"{rule.name} goes to {named}, by the labels its rule has" if reached else ""
