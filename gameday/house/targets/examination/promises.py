"""Whether the SLOs that are drilled are measured now, and by which rules their alerts go."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import timedelta

from gameday.diagnosis.red import Signal
from gameday.drivers.prometheus import NamedAlert, NamedAlerts, Prometheus
from gameday.errors import DriverError
from gameday.house.targets.alert_in_force import (
    AlertInForce,
    alert_in_force,
    branch_in_words,
    found_in_force,
)
from gameday.house.targets.check import Check
from gameday.house.targets.declared_system import queries_of
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.http.credentials import credentials_of
from gameday.incidents.deeplinks import rate_window
from gameday.model.slo import Slo, scaled
from gameday.model.system import RuleAuthor
from gameday.quantity import written
from gameday.rules.burn_alert import BurnAlert, UnreadAlert

__all__ = ["promises"]

STOPPED = timedelta(hours=1)
"""How far back is looked for events that do not come any more."""


def promises(look: Look) -> Iterator[Inquiry]:
    """Ask after what every SLO rests on: its events, RED of its service, its alert's rules."""
    for slo in look.slos:
        one = _Promise(look, slo)
        # What there is no traffic for yet a run waits for, and is refused where it does not come.
        yield Inquiry(f"burn rate of {slo.id}", one.burn_rate)
        yield Inquiry(f"red of {slo.service}", one.red)
        name = (look.system.spec.alerts.page or {}).get("alertname") or f"of {slo.id}"
        yield Inquiry(f"rule {name}", one.rules)


class _Promise:
    """One SLO, while it is looked at."""

    def __init__(self, look: Look, slo: Slo) -> None:
        self._look = look
        self._slo = slo

    # --- the events -------------------------------------------------------------------------

    async def burn_rate(self) -> str:
        """Return the burn rate over every window of the SLO.

        Raises:
            Unmet: nothing counts its events, or not over every window.
        """
        slo = self._slo
        if not await self._count(f"count({slo.total_query})"):
            await self._none_now(slo.total_query)
        rates = await self._rates()
        unknown = [window for window, rate in rates.items() if rate is None]
        if unknown:
            part = slo.good_query or slo.bad_query
            lacks = bool(part) and not await self._count(f"count({part})")
            which = "good" if slo.good_query else "bad"
            raise Unmet(
                f"no burn rate over {', '.join(unknown)}",
                f"no series counts the {which} events: see how {part} is called in Prometheus,"
                f" and write it into {slo.path}"
                if lacks
                else "see that there is traffic; a Prometheus that was just started has to measure"
                " for as long as the windows are",
                bars=False,
            )
        return ", ".join(
            f"{window}: {rate:.2g}" for window, rate in rates.items() if rate is not None
        )

    async def _none_now(self, total: str) -> None:
        span = f"{STOPPED.total_seconds():.0f}s"
        try:
            was = await self._count(f"count(count_over_time({total}[{span}]))")
        except DriverError:  # what an SLO counts need not be a plain selector
            was = 0.0
        if was:
            raise Unmet(
                f"no series of {total} now, and some within the last {written(STOPPED)}",
                "see why what is measured there stopped: Prometheus' page /targets says",
                bars=False,
            )
        tenant = " and that the tenant in `headers` is the right one," if self._has_headers else ""
        raise Unmet(
            f"no series of {total}",
            f"see in Prometheus how its events are counted,{tenant} and write it into"
            f" {self._slo.path}",
            bars=False,
        )

    @property
    def _has_headers(self) -> bool:
        return bool(self._look.system.spec.metrics.prometheus.headers)

    async def _count(self, query: str) -> float:
        async def ask(prometheus: Prometheus) -> float:
            (count,) = await prometheus.values(query) or (0.0,)
            return count

        return await self._look.of_prometheus(ask)

    async def _rates(self) -> Mapping[str, float | None]:
        slo = await self._in_force()
        system, told = self._look.system, self._look.system.spec.metrics.prometheus
        named = NamedAlert({"alertname": slo.alert_name()}, slo, system.spec.time_scale)
        alerts = NamedAlerts(self._look.url, named, credentials=credentials_of(told))
        return await alerts.burn_rates(slo=slo.id)

    async def _in_force(self) -> Slo:
        """Return the SLO as the rules have it; as its file does, where they do not say."""
        if self._look.system.spec.alerts.rules is RuleAuthor.GAMEDAY:
            return self._slo
        try:
            return alert_in_force(self._look.system, self._slo, await self._look.rules()).slo
        except DriverError:  # said in the line of the rule
            return self._slo

    # --- rate, errors, duration -----------------------------------------------------------------

    async def red(self) -> str:
        """Return what rate, errors and duration of the SLO's service are now.

        Raises:
            Unmet: a signal that the document says how to read has no data.
        """
        slo, spec = await self._in_force(), self._look.system.spec
        window = rate_window(scaled(w.long, spec.time_scale) for w in slo.windows)
        queries = queries_of(spec)
        values = {
            signal: await self._values(query)
            for signal, query in queries.of(slo.service, window=window).items()
        }
        if not sum(values[Signal.RATE]):
            by = f"the preset {spec.red.preset}" if spec.red.preset is not None else "its query"
            # Without any event it is the traffic that is missing, which a run waits for.
            counted = any(rate is not None for rate in (await self._rates()).values())
            raise Unmet(
                f"no request of {slo.service!r} is counted by {by}",
                "see that there is traffic, and in Prometheus what the counter is called and which"
                " of its labels has the service: metrics.serviceLabel names another",
                bars=counted,
            )
        found = f"rate {sum(values[Signal.RATE]):.3g}/s"
        if Signal.ERRORS in values:
            # Of a counter of failures there is no series before the first.
            found += f", errors {max(values[Signal.ERRORS], default=0.0):.2%}"
        if Signal.DURATION in values:
            if not values[Signal.DURATION]:
                raise Unmet(
                    f"{found}, and no duration",
                    "see how durations are stored: `histograms: native`, or `none` where there are"
                    " sums and counts only"
                    if spec.red.preset is not None
                    else "see in Prometheus what its query draws",
                    bars=False,
                )
            found += f", duration {max(values[Signal.DURATION]) * 1000:.3g} ms"
        return found

    def _values(self, query: str) -> Awaitable[Sequence[float]]:
        return self._look.of_prometheus(lambda prometheus: prometheus.values(query))

    # --- the rules ----------------------------------------------------------------------------

    async def rules(self) -> Sequence[Check]:
        """Return how every rule of the SLO's alerts reads.

        Raises:
            PermanentDriverError: there is none.
        """
        system, loaded = self._look.system, await self._look.rules()
        found = found_in_force(system, self._slo, loaded)
        force = alert_in_force(system, self._slo, loaded)
        return [_rule(alert, self._slo, force) for alert in (*found.page, *found.ticket)]


def _rule(alert: BurnAlert | UnreadAlert, slo: Slo, force: AlertInForce) -> Check:
    """Return how an alert reads, and where the SLO says something else of it."""
    what = f"rule {alert.rule.what}"
    if alert.rule.failing:
        found = f"loaded, and fails: {alert.rule.failing}"
        how = "mend its expression, or what it reads: while it fails, its alert cannot fire"
        return Check(what, found, ok=False, how=how, bars=True)
    if isinstance(alert, UnreadAlert):
        how = "a drill times it; when it must fire is unknown"
        if not force.slo.unread:
            how = f"the prediction rests on what {slo.id} states, and nothing checks that"
        return Check(what, f"loaded; {alert.reason}", ok=not force.slo.unread, how=how)
    branches = " or ".join(branch_in_words(b, slo) for b in alert.branches)
    wait = f", for {written(alert.rule.for_)}" if alert.rule.for_ else ""
    found = f"loaded, by {alert.author}: {branches}{wait}"
    if force.differs:
        how = f"give {slo.path} the windows of the rule, or none: a drill goes by the rule's"
        return Check(what, f"{found}; {force.differs}", ok=False, how=how)
    return Check(what, found, ok=True)
