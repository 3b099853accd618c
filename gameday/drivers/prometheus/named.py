"""Prometheus where somebody else wrote the alert of an SLO: it goes by its labels.

None of our recordings is there. Burn rates are asked for by the SLO's own counters, and that a rule
was evaluated is told by Prometheus' own list of rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gameday.drivers.prometheus.server import Prometheus, instant, quoted
from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.model.signals import AlertState, Series
from gameday.model.slo import Slo
from gameday.rules.loaded import may_be
from scoring.slo import BurnWindow, Severity, nominal

__all__ = ["NamedAlert", "NamedAlerts", "RuleMeant", "no_rule"]


@dataclass(frozen=True, slots=True)
class RuleMeant:
    """One of the rules that make an SLO's alerts.

    Attributes:
        labels: by which its alerts are known.
        branches: the ways for it to fire, unscaled; none where they are not known.
    """

    labels: Mapping[str, str]
    branches: tuple[BurnWindow, ...] = ()
    severity: Severity = Severity.PAGE

    def is_meant(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert with these labels is of this rule."""
        return all(labels.get(name) == value for name, value in self.labels.items())


@dataclass(frozen=True, slots=True)
class NamedAlert:
    """The alert that pages for an SLO, by the labels it bears.

    Attributes:
        labels: ``alertname`` among them; those that all its rules give.
        slo: the SLO whose page it is.
        time_scale: how many times faster than the SLO says the rule's windows run.
        rules: the rules that make it, as far as they were read; none: it goes by its labels alone,
            and its windows are those of the SLO's page branch.
    """

    labels: Mapping[str, str]
    slo: Slo
    time_scale: float
    rules: tuple[RuleMeant, ...] = ()

    def is_meant(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert with these labels is the one."""
        if not all(labels.get(name) == value for name, value in self.labels.items()):
            return False
        return not self.rules or any(rule.is_meant(labels) for rule in self.rules)

    def told(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels of the alert with what gameday goes by.

        A severity of its own says how the system's people rank it; in a drill it is the page, or
        the ticket where its rule is found to be one. Where one rule has several ways to fire, the
        windows are those of its fastest; where they are not known they are left out.
        """
        rule = next((r for r in self.rules if r.is_meant(labels)), None)
        branches = rule.branches if rule is not None else self._declared()
        told = {
            **labels,
            "slo": self.slo.id,
            "service": self.slo.service,
            "severity": str(rule.severity if rule is not None else Severity.PAGE),
        }
        for name in ("long_window", "short_window", "burn_rate"):
            told.pop(name, None)
        if not branches:
            return told
        fastest = branches[0]
        return {
            **told,
            "long_window": nominal(fastest.long),
            "short_window": nominal(fastest.short),
            "burn_rate": f"{fastest.burn_rate:g}",
        }

    def _declared(self) -> tuple[BurnWindow, ...]:
        if self.slo.unread:
            return ()
        return tuple(w for w in self.slo.windows if w.severity is Severity.PAGE)[:1]


class NamedAlerts(Prometheus):
    """One Prometheus server, for an SLO whose alert goes by its labels."""

    def __init__(
        self,
        url: str,
        alert: NamedAlert,
        *,
        timeout: timedelta = timedelta(seconds=5),
        credentials: Credentials = NO_CREDENTIALS,
    ) -> None:
        """Name the server; nothing is opened until the first question."""
        super().__init__(url, timeout=timeout, credentials=credentials)
        self._alert = alert

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        """Return each episode in which the alert was pending or firing in this span.

        As `Prometheus.alerts`, with the labels that gameday goes by.
        """
        found = await super().alerts(slo=slo, since=since, until=until)
        return [
            replace(state, labels=self._alert.told(state.labels))
            for state in found
            if self._alert.is_meant(state.labels)
        ]

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        """Return the burn rate over every window of the SLO now, by nominal name (``1h`` → 0.2).

        None where the window holds no events.
        """
        windows = sorted({w for b in self._alert.slo.windows for w in (b.long, b.short)})
        ratios = await asyncio.gather(*(self._bad_ratio(w) for w in windows))
        budget = self._alert.slo.objective.budget_ratio
        return {
            nominal(window): None if ratio is None else ratio / budget
            for window, ratio in zip(windows, ratios, strict=True)
        }

    # --- what differs -----------------------------------------------------------------------

    def _selector(self, slo: str) -> str:
        return ",".join(f"{name}={quoted(value)}" for name, value in self._alert.labels.items())

    async def _evaluated(
        self, slo: str, since: datetime, until: datetime
    ) -> tuple[Sequence[datetime], Sequence[Series]]:
        # Read first: of the evaluation that it names, the alerts are in what is read after it.
        stamps = [instant(rule.get("lastEvaluation")) for rule in await self._evaluating()]
        last = min((stamp for stamp in stamps if stamp is not None), default=None)
        found = await self._raw(f"ALERTS{{{self._selector(slo)}}}", since=since, until=until)
        # The samples of an evaluation bear an instant that is set back by the offset.
        return [last - await self._query_offset()] if last is not None else [], found

    async def _evaluation_interval(self, slo: str) -> timedelta:
        rules = await self._rules()
        return timedelta(seconds=max((float(g["interval"]) for g, _ in rules), default=60.0))

    async def _scraped(
        self, slo: str, targets: Sequence[dict[str, Any]]
    ) -> Sequence[dict[str, Any]]:
        found = await self._instant(f"count by (job, instance) ({self._alert.slo.total_query})")
        own = {(s.labels.get("job"), s.labels.get("instance")) for s in found}
        return [
            target
            for target in targets
            if (target["labels"].get("job"), target["labels"].get("instance")) in own
        ]

    # --- questions --------------------------------------------------------------------------

    async def _rules(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Return (group, rule) of every rule that makes the alert, so far as labels tell."""
        wanted = dict(self._alert.labels)
        name = wanted.pop("alertname")
        data = await self._get("/api/v1/rules", [("type", "alert")])
        return [
            (group, rule)
            for group in data.get("groups", [])
            for rule in group.get("rules", [])
            if rule.get("name") == name and rule.get("type", "alerting") == "alerting"
            if all(may_be(rule.get("labels", {}).get(k), v) for k, v in wanted.items())
        ]

    async def _evaluating(self) -> list[Mapping[str, Any]]:
        found = await self._rules()
        if not found:
            raise no_rule(self.url, self._alert.labels["alertname"])
        return [rule for _, rule in found]

    async def _bad_ratio(self, window: timedelta) -> float | None:
        slo = self._alert.slo
        span = f"[{round(window.total_seconds() / self._alert.time_scale * 1000)}ms]"
        part = f"sum(rate({slo.good_query or slo.bad_query}{span}))"
        found = await self.values(f"{part} / sum(rate({slo.total_query}{span}))")
        if not found:
            return None
        return 1 - found[0] if slo.good_query else found[0]


def no_rule(url: str, name: str) -> PermanentDriverError:
    """Return what is said where an alert's rule is not loaded."""
    return PermanentDriverError(
        f"Prometheus at {url} has no alerting rule {name!r}: see that its file is loaded, and how"
        " the alert is called there"
    )
