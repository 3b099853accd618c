"""The alerts of an SLO as the rules in force have them: windows, thresholds, and how they are told.

Read once, when the system is opened: what a drill is planned and judged by is what Prometheus
evaluates, not what a file says of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gameday.drivers.prometheus import NamedAlert, RuleMeant, no_rule
from gameday.errors import PermanentDriverError
from gameday.model.slo import Slo
from gameday.model.system import RuleAuthor, System
from gameday.quantity import written
from gameday.rules.burn_alert import Branch, BurnAlert, UnreadAlert
from gameday.rules.found_alerts import FoundAlerts, alerts_of, counts_as, labels_of, named_alerts
from gameday.rules.loaded import LoadedRules
from scoring.slo import BurnWindow, Severity

__all__ = ["AlertInForce", "alert_in_force", "branch_in_words", "found_in_force"]


@dataclass(frozen=True, slots=True)
class AlertInForce:
    """What a drill goes by.

    Attributes:
        named: how the alert is told from others; None: it bears the labels of our own rules.
        slo: the SLO, with the windows of the rules in force where they could be read.
        age: how old a recording may be when the alert reads it.
        notices: what should be known of it before a drill.
        differs: how the SLO's file says something else of it, with both; empty: it does not.
    """

    named: NamedAlert | None
    slo: Slo
    age: timedelta = timedelta(0)
    notices: tuple[str, ...] = ()
    differs: str = ""


def found_in_force(system: System, slo: Slo, loaded: LoadedRules) -> FoundAlerts:
    """Return the alerts of an SLO among the rules that are loaded, as the document says.

    Raises:
        PermanentDriverError: there is none.
    """
    alerts = system.spec.alerts
    url = str((alerts.prometheus or system.spec.metrics.prometheus).url)
    if alerts.page is not None:
        found = named_alerts(alerts.page, loaded)
        if not found.page:
            raise no_rule(url, alerts.page["alertname"])
        return found
    author = alerts.rules or RuleAuthor.GAMEDAY
    found = alerts_of(slo, loaded, author)
    if not found.page:
        whose = "" if author is RuleAuthor.AUTO else f" in the shape of {author}"
        raise PermanentDriverError(
            f"Prometheus at {url} has no alert{whose} that pages for {slo.id} of {slo.service}, nor"
            " one on its counters: see that its file is loaded, or name it in the system's"
            " document: alerts: {page: {alertname: NAME}}"
        )
    return found


def alert_in_force(system: System, slo: Slo, loaded: LoadedRules) -> AlertInForce:
    """Return the alert of an SLO as the rules in force have it.

    Raises:
        PermanentDriverError: there is none.
    """
    found = found_in_force(system, slo, loaded)
    scale, is_named = system.spec.time_scale, system.spec.alerts.page is not None
    if not is_named and all(a.author is RuleAuthor.GAMEDAY for a in found.page):
        return AlertInForce(None, slo)
    unread = [a for a in found.page if isinstance(a, UnreadAlert)]
    pages = _windows(found.page, slo, scale, Severity.PAGE)
    tickets = _windows(found.ticket, slo, scale, Severity.TICKET)
    if unread:
        return _unread(system, slo, found, unread[0].reason)
    stated = [w for w in slo.windows if w.severity is Severity.PAGE]
    if is_named:
        tickets = [w for w in slo.windows if w.severity is Severity.TICKET]
    read = replace(
        slo,
        windows=(*pages, *tickets),
        is_joint=any(len(a.branches) > 1 for a in found.page if isinstance(a, BurnAlert)),
    )
    notices = [n for a in found.page if isinstance(a, BurnAlert) for n in _notices(a, slo)]
    differs = ""
    if is_named and len(stated) == 1 and not _agree(stated, pages):
        said = ", ".join(map(_window_in_words, stated))
        told = ", ".join(map(_window_in_words, pages))
        differs = f"the SLO {slo.id} says {said}, and the rule says {told}"
        notices.append(f"{differs}: the rule's are used")
    return AlertInForce(
        _named(found, read, system),
        read,
        max((a.age for a in found.page if isinstance(a, BurnAlert)), default=timedelta(0)),
        tuple(dict.fromkeys(notices)),
        differs,
    )


def branch_in_words(branch: Branch, slo: Slo) -> str:
    """Return a branch as people say it, in real time: ``1h/5m above 0.0144 (14.4 × budget)``."""
    rate = branch.burn_rate(slo.objective.target_ratio)
    return (
        f"{written(branch.long)}/{written(branch.short)} above"
        f" {branch.threshold_ratio:.6g} ({rate:g} × budget)"
    )


def _window_in_words(window: BurnWindow) -> str:
    """Return a branch as an SLO has it: ``1h/5m at burn rate 14.4``."""
    wait = f" for {written(window.for_)}" if window.for_ else ""
    return f"{written(window.long)}/{written(window.short)} at burn rate {window.burn_rate:g}{wait}"


def _unread(system: System, slo: Slo, found: FoundAlerts, reason: str) -> AlertInForce:
    """Return the alert where its windows cannot be read.

    An SLO with one page branch of its own states the windows of the one alert that is named: its
    owner vouches for them. Else nobody does.
    """
    scale = system.spec.time_scale
    stated = [w for w in slo.windows if w.severity is Severity.PAGE]
    page = system.spec.alerts.page
    if page is not None and len(stated) == 1:
        notice = f"{reason}; its windows and threshold are taken as {slo.id} states them"
        return AlertInForce(NamedAlert(page, slo, scale), slo, notices=(notice,))
    told = replace(slo, unread=reason)
    return AlertInForce(
        _named(found, told, system),
        told,
        notices=(f"when the alert must fire is unknown: {reason}",),
    )


def _named(found: FoundAlerts, slo: Slo, system: System) -> NamedAlert:
    scale, asked = system.spec.time_scale, system.spec.alerts.page or {}
    rules = [
        RuleMeant(
            {**labels_of(alert.rule), **asked},  # what is asked for may come from the series
            () if slo.unread else tuple(_windows([alert], slo, scale, severity)),
            severity,
        )
        for severity, alerts in ((Severity.PAGE, found.page), (Severity.TICKET, found.ticket))
        for alert in alerts
    ]
    first, *others = [dict(rule.labels) for rule in rules]
    shared = {n: v for n, v in first.items() if all(o.get(n) == v for o in others)}
    return NamedAlert(shared, slo, scale, tuple(rules))


def _windows(
    alerts: Sequence[BurnAlert | UnreadAlert], slo: Slo, scale: float, severity: Severity
) -> list[BurnWindow]:
    """Return the branches of alerts as an SLO has them: as if time were not compressed."""
    windows = {
        BurnWindow(
            branch.long * scale,
            branch.short * scale,
            branch.burn_rate(slo.objective.target_ratio),
            severity,
            alert.rule.for_ * scale,
        )
        for alert in alerts
        if isinstance(alert, BurnAlert)
        for branch in alert.branches
    }
    return sorted(windows, key=lambda w: (w.long, w.short, w.burn_rate))


def _agree(stated: Sequence[BurnWindow], read: Sequence[BurnWindow]) -> bool:
    def rounded(windows: Sequence[BurnWindow]) -> set[tuple[object, ...]]:
        return {(w.long, w.short, round(w.burn_rate, 6), w.for_) for w in windows}

    return rounded(stated) == rounded(read)


def _notices(alert: BurnAlert, slo: Slo) -> list[str]:
    said = [
        f"{alert.rule.what} fires only while {condition}; the prediction takes that to hold"
        for condition in alert.assumes
    ]
    if not counts_as(slo, alert):
        counted = ", ".join(sorted(map(str, alert.counters)))
        said.append(
            f"{alert.rule.what} counts {counted}, and {slo.id} other counters: the prediction rests"
            " on those of the SLO"
        )
    objective = slo.objective.target_ratio
    for branch in alert.branches:
        told = branch.objective_ratio
        if told is not None and abs(told - objective) > 1e-9:
            said.append(
                f"{alert.rule.what} is written for an objective of {told:.6g}, and {slo.id}"
                f" promises {objective:.6g}: burn rates are those of the SLO"
            )
    return list(dict.fromkeys(said))
