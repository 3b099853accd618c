"""What was seen, line by line, for whoever asked."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.drafts.choice import Choice
from gameday.drafts.survey import ClusterSeen, Survey, place
from gameday.quantity import written
from gameday.rules.alert_routes import receivers
from gameday.rules.burn_alert import Branch, BurnAlert

__all__ = ["findings"]


def findings(choice: Choice, survey: Survey) -> tuple[tuple[str, str], ...]:
    """Return (what was looked at, what was found) of everything the drafts rest on, in order."""
    counters = choice.counters
    part = f"good: {counters.good}" if counters.good else f"bad: {counters.bad}"
    foretold = ", as Prometheus names it" if survey.is_foretold else ""
    return (
        *(_of_cluster(survey.cluster) if survey.cluster is not None else ()),
        ("prometheus", f"answers at {place(survey.prometheus)}"),
        (
            "service",
            f'{choice.service}, as {choice.source.label}="{choice.service}" of the preset'
            f" {choice.source.preset}",
        ),
        ("events", f"{part}; all: {counters.total}"),
        ("regions", _regions(choice)),
        ("promise", f"{choice.objective_ratio * 100:.10g} % of them good, over 30 days"),
        ("alert", _alert(choice)),
        ("alertmanager", f"answers at {place(survey.alertmanager)}{foretold}"),
        *((("page", page),) if (page := _page(choice, survey)) else ()),
        (
            "watchdog",
            "fires"
            if survey.has_watchdog
            else "none that is called Watchdog: that no page comes will prove nothing",
        ),
    )


def _of_cluster(cluster: ClusterSeen) -> Iterator[tuple[str, str]]:
    where = f"the context {cluster.context}" if cluster.context else "the one around this pod"
    yield "cluster", f"{where}, {cluster.version}, with {', '.join(cluster.namespaces)}"
    yield "deployments", ", ".join(cluster.deployments) or "none"
    for name, service in cluster.instruments.items():
        yield name, f"answers at {service}"
    lacking = f"lacking: {', '.join(cluster.lacking)}"
    yield "rights", lacking if cluster.lacking else "enough to read deploys and to roll back"


def _regions(choice: Choice) -> str:
    if choice.regions is None:
        return "not told apart"
    return f"{', '.join(choice.regions.names)}, as the label {choice.regions.label} tells"


def _alert(choice: Choice) -> str:
    alert = choice.alert
    if alert is None:
        return (
            f"none that goes by the share of errors of {choice.service}: gameday's own rules are"
            " proposed; --alert names another"
        )
    if not isinstance(alert, BurnAlert):
        return f"{alert.rule.name}; {alert.reason}"
    wait = f", for {written(alert.rule.for_)}" if alert.rule.for_ else ""
    ways = ", or ".join(_way(branch, choice.objective_ratio) for branch in alert.branches)
    return f"{alert.rule.name}: fires above {ways}{wait}"


def _way(branch: Branch, objective_ratio: float) -> str:
    spans = dict.fromkeys((written(branch.long), written(branch.short)))
    rate = branch.burn_rate(objective_ratio)
    return (
        f"{branch.threshold_ratio * 100:.6g} % bad over {' and over '.join(spans)} (a burn rate of"
        f" {rate:.6g})"
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
