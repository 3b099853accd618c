"""Which of the alerts that are loaded are those of an SLO.

By the labels that whoever generates rules gives them, or by what they count: an alert on the share
that an SLO's own two counters make is the SLO's, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gameday.model.slo import Slo
from gameday.model.system import RuleAuthor
from gameday.rules.burn_alert import BurnAlert, UnreadAlert, author_of, read_alert
from gameday.rules.expression import Selector, Unparsed, parsed, selectors_in
from gameday.rules.loaded import LoadedRule, LoadedRules, may_be
from scoring.slo import Severity

__all__ = ["FoundAlerts", "alerts_of", "counts_as", "labels_of", "named_alerts", "severity_of"]

_SEVERITIES = {
    "page": Severity.PAGE,
    "critical": Severity.PAGE,
    "ticket": Severity.TICKET,
    "warning": Severity.TICKET,
}
"""What people call the two: the Workbook's and Sloth's words, and Pyrra's."""


@dataclass(frozen=True, slots=True)
class FoundAlerts:
    """The alerts of an SLO.

    Attributes:
        page: those that wake somebody.
        ticket: those that wait for the morning.
    """

    page: tuple[BurnAlert | UnreadAlert, ...] = ()
    ticket: tuple[BurnAlert | UnreadAlert, ...] = ()


def alerts_of(slo: Slo, loaded: LoadedRules, author: RuleAuthor = RuleAuthor.AUTO) -> FoundAlerts:
    """Return the alerts of an SLO among all that are loaded.

    Args:
        author: whose are looked for; ``auto``: anybody's.
    """
    found = []
    for rule in loaded.alerts:
        if author in (RuleAuthor.AUTO, author_of(rule)):
            read = read_alert(rule, loaded)
            if _is_named_after(slo, rule) or counts_as(slo, read):
                found.append(read)
    return _sorted(found)


def named_alerts(labels: Mapping[str, str], loaded: LoadedRules) -> FoundAlerts:
    """Return the alerts a document names by their labels, ``alertname`` among them; as pages."""
    return FoundAlerts(
        page=tuple(read_alert(r, loaded) for r in loaded.alerts if _is_named(r, labels))
    )


def _is_named(rule: LoadedRule, labels: Mapping[str, str]) -> bool:
    """Return whether an alert of this rule may bear all these labels."""
    wanted = {name: value for name, value in labels.items() if name != "alertname"}
    return (
        rule.is_alert
        and rule.name == labels.get("alertname")
        and all(may_be(rule.labels.get(name), value) for name, value in wanted.items())
    )


def labels_of(rule: LoadedRule) -> dict[str, str]:
    """Return the labels by which the alerts of a rule are known, ``alertname`` among them.

    Those the rule gives, but what it fills in from templates; of Sloth's also those that say which
    SLO it is, which come from the series.
    """
    told = {name: value for name, value in rule.labels.items() if "{{" not in value}
    if author_of(rule) is RuleAuthor.SLOTH:
        series = _selected_labels(rule)
        told = {n: v for n, v in series.items() if n in _OF_SLOTH} | told
    return {**told, "alertname": rule.name}


_OF_SLOTH = ("sloth_id", "sloth_service", "sloth_slo")


def severity_of(rule: LoadedRule) -> Severity | None:
    """Return how loudly an alert speaks; None: its labels do not say it in a known word."""
    for name in ("sloth_severity", "severity"):
        found = _SEVERITIES.get(rule.labels.get(name, "").lower())
        if found is not None:
            return found
    return None


def _sorted(found: Sequence[BurnAlert | UnreadAlert]) -> FoundAlerts:
    pages = [a for a in found if severity_of(a.rule) is Severity.PAGE]
    tickets = [a for a in found if severity_of(a.rule) is Severity.TICKET]
    # Where nobody says which alert wakes people, all do that are not said to wait.
    others = [a for a in found if severity_of(a.rule) is None]
    return FoundAlerts(tuple(pages or others), tuple(tickets))


def _is_named_after(slo: Slo, rule: LoadedRule) -> bool:
    author = author_of(rule)
    if author is RuleAuthor.WORKBOOK:
        return False
    if author is RuleAuthor.GAMEDAY and "long_window" not in rule.labels:
        return False  # the alert on silence burns nothing
    told = {**_selected_labels(rule), **rule.labels}
    if author is RuleAuthor.SLOTH:
        if "sloth_slo" in told:
            return (told["sloth_slo"], told.get("sloth_service")) == (slo.id, slo.service)
        return told.get("sloth_id") == f"{slo.service}-{slo.id}"
    service = told.get("service")
    return told.get("slo") == slo.id and service in (None, slo.service)


def _selected_labels(rule: LoadedRule) -> dict[str, str]:
    """Return the labels that every series an alert reads is asked for by."""
    told: dict[str, str] = {}
    for selector in _selectors(rule):
        told.update({m.name: m.value for m in selector.matchers if m.op == "="})
    return told


def _selectors(rule: LoadedRule) -> frozenset[Selector]:
    try:
        return frozenset(selectors_in(parsed(rule.query)))
    except Unparsed:
        return frozenset()


def _wanted(slo: Slo) -> frozenset[Selector]:
    """Return the SLO's own two counters; none where events are not counted."""
    if not slo.counts_events:
        return frozenset()
    try:
        found = [parsed(q) for q in (slo.total_query, slo.good_query or slo.bad_query)]
    except Unparsed:
        return frozenset()
    return frozenset(s for s in found if isinstance(s, Selector))


def counts_as(slo: Slo, alert: BurnAlert | UnreadAlert) -> bool:
    """Return whether an alert goes by the SLO's own counters; of one unread, by its own words.

    Who counts the good events, where the other counts the bad ones of the same, counts the same.
    """
    wanted = _wanted(slo)
    read = alert.counters if isinstance(alert, BurnAlert) else _selectors(alert.rule)
    return bool(wanted) and (wanted <= read or any(turned <= read for turned in _turned(wanted)))


def _turned(wanted: frozenset[Selector]) -> Iterator[frozenset[Selector]]:
    """Yield all events with the other part of them, where one condition parts them."""
    for total in wanted:
        for part in wanted - {total}:
            more = part.matchers - total.matchers
            if part.name == total.name and total.matchers < part.matchers and len(more) == 1:
                (one,) = more
                yield frozenset((total, replace(total, matchers=total.matchers | {one.opposite})))
