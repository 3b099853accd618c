"""Whether what a system's document says holds today: asked before a drill, not in the middle."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from gameday.diagnosis.red import Signal
from gameday.drivers.alertmanager import PolledPages
from gameday.drivers.prometheus import NamedAlert, NamedAlerts, Prometheus
from gameday.errors import DriverError
from gameday.house.targets.alert_in_force import (
    AlertInForce,
    alert_in_force,
    branch_in_words,
    found_in_force,
)
from gameday.house.targets.declared_system import queries_of
from gameday.http.credentials import credentials_of, secret_of, told_headers
from gameday.incidents.deeplinks import rate_window
from gameday.model.mitigation import Call, Command
from gameday.model.slo import Slo, scaled
from gameday.model.system import RuleAuthor, System
from gameday.quantity import written
from gameday.rules.burn_alert import BurnAlert, UnreadAlert
from gameday.spec import Catalogue, read_scenario

__all__ = ["Proof", "drilled_on", "examined"]


@dataclass(frozen=True, slots=True)
class Proof:
    """One line of a document, held against the system.

    Attributes:
        what: what was looked at.
        found: what was found; empty where nothing was.
        ok: whether a drill can rest on it.
        how: what to do where it cannot.
    """

    what: str
    found: str
    ok: bool
    how: str = ""


def drilled_on(system: str) -> list[Slo]:
    """Return the SLOs of the scenarios here that name this system, each once.

    Raises:
        SpecError: a scenario or an SLO is wrong.
    """
    around = Catalogue.around()
    scenarios = [read_scenario(around.scenario(name)) for name in around.scenarios()]
    ids = {s.spec.slo for s in scenarios if s.spec.system == system}
    return [around.slo(id) for id in sorted(ids)]


async def examined(system: System, slos: Sequence[Slo]) -> Sequence[Proof]:
    """Return every proof of a system, for the SLOs that are drilled on it; changes nothing."""
    groups = await asyncio.gather(
        _metrics(system),
        _pages(system),
        *(_slo(system, slo) for slo in slos),
    )
    found = [proof for group in groups for proof in group]
    if not slos:
        how = f"write one with `system: {system.metadata.name}` under scenarios/"
        found.append(Proof("scenario", "", ok=False, how=how))
    return (*found, *_mitigations(system))


async def _metrics(system: System) -> Sequence[Proof]:
    told = system.spec.metrics.prometheus

    async def ask() -> str:
        # As a drill asks: with the tenant, the token and the certificates.
        await Prometheus(str(told.url), credentials=credentials_of(told)).values("vector(1)")
        return f"answers at {told.url}"

    return [await _proof("prometheus", ask())]


async def _pages(system: System) -> Sequence[Proof]:
    told = system.spec.pages.alertmanager
    assert told is not None  # other ways are refused when the document is read

    async def ask() -> str:
        pages = PolledPages(told.url, lambda _: None, credentials=credentials_of(told))
        beats = await pages.beats()
        watched = "with a watchdog" if beats else "without a watchdog: silence proves nothing"
        return f"answers at {told.url}, {watched}"

    return [await _proof("alertmanager", ask())]


async def _slo(system: System, slo: Slo) -> Sequence[Proof]:
    told, alerts = system.spec.metrics.prometheus, system.spec.alerts

    def asked() -> Prometheus:
        return Prometheus(str(told.url), credentials=credentials_of(told))

    def opened(slo: Slo) -> NamedAlerts:
        named = NamedAlert({"alertname": slo.alert_name()}, slo, system.spec.time_scale)
        return NamedAlerts(str(told.url), named, credentials=credentials_of(told))

    async def in_force() -> Slo:
        """Return the SLO as the rules have it; as its file does, where they do not say."""
        if alerts.rules is RuleAuthor.GAMEDAY:
            return slo
        try:
            return alert_in_force(system, slo, await asked().loaded_rules()).slo
        except DriverError:  # said in the line of the rule
            return slo

    async def data() -> str:
        prometheus = opened(await in_force())
        (count,) = await prometheus.values(f"count({slo.total_query})") or (0.0,)
        if not count:
            raise _Lacking(
                f"no series of {slo.total_query}",
                f"see in Prometheus how its events are counted, and write it into {slo.path}",
            )
        rates = await prometheus.burn_rates(slo=slo.id)
        unknown = [window for window, rate in rates.items() if rate is None]
        if unknown:
            raise _Lacking(
                f"no burn rate over {', '.join(unknown)}",
                "see that there is traffic, and that the counter of the good or bad events exists",
            )
        return ", ".join(
            f"{window}: {rate:.2g}" for window, rate in rates.items() if rate is not None
        )

    async def red() -> str:
        return await _red(system, await in_force())

    proofs = [
        await _proof(f"burn rate of {slo.id}", data()),
        await _proof(f"red of {slo.service}", red()),
    ]
    try:
        loaded = await asked().loaded_rules()
        found = found_in_force(system, slo, loaded)
    except DriverError as error:
        name = (alerts.page or {}).get("alertname") or f"of {slo.id}"
        return [*proofs, Proof(f"rule {name}", "", ok=False, how=str(error))]
    force = alert_in_force(system, slo, loaded)
    return [*proofs, *(_rule(alert, slo, force) for alert in (*found.page, *found.ticket))]


def _rule(alert: BurnAlert | UnreadAlert, slo: Slo, force: AlertInForce) -> Proof:
    """Return how an alert reads, and where the SLO says something else of it."""
    what = f"rule {alert.rule.what}"
    if isinstance(alert, UnreadAlert):
        how = "a drill times it; when it must fire is unknown"
        if not force.slo.unread:
            how = f"the prediction rests on what {slo.id} states, and nothing checks that"
        return Proof(what, f"loaded; {alert.reason}", ok=not force.slo.unread, how=how)
    branches = " or ".join(branch_in_words(b, slo) for b in alert.branches)
    wait = f", for {written(alert.rule.for_)}" if alert.rule.for_ else ""
    found = f"loaded, by {alert.author}: {branches}{wait}"
    if force.differs:
        how = f"give {slo.path} the windows of the rule, or none: a drill goes by the rule's"
        return Proof(what, f"{found}; {force.differs}", ok=False, how=how)
    return Proof(what, found, ok=True)


async def _red(system: System, slo: Slo) -> str:
    """Return what rate, errors and duration of the SLO's service are now.

    Raises:
        _Lacking: a signal that the document says how to read has no data.
    """
    told, red = system.spec.metrics.prometheus, system.spec.red
    prometheus = Prometheus(str(told.url), credentials=credentials_of(told))
    window = rate_window(scaled(w.long, system.spec.time_scale) for w in slo.windows)
    asked = queries_of(red, system.spec.metrics.service_label).of(slo.service, window=window)
    values = {signal: await prometheus.values(query) for signal, query in asked.items()}
    if not sum(values[Signal.RATE]):
        by = f"the preset {red.preset}" if red.preset is not None else "its query"
        raise _Lacking(
            f"no request of {slo.service!r} is counted by {by}",
            "see that there is traffic, and in Prometheus what the counter is called and which of"
            " its labels has the service: metrics.serviceLabel names another",
        )
    found = f"rate {sum(values[Signal.RATE]):.3g}/s"
    if Signal.ERRORS in values:
        # Of a counter of failures there is no series before the first.
        found += f", errors {max(values[Signal.ERRORS], default=0.0):.2%}"
    if Signal.DURATION in values:
        if not values[Signal.DURATION]:
            raise _Lacking(
                f"{found}, and no duration",
                "see how durations are stored: `histograms: native`, or `none` where there are"
                " sums and counts only"
                if red.preset is not None
                else "see in Prometheus what its query draws",
            )
        found += f", duration {max(values[Signal.DURATION]) * 1000:.3g} ms"
    return found


def _mitigations(system: System) -> Sequence[Proof]:
    proofs = []
    for mitigation in system.spec.mitigations:
        acts = (mitigation.command, mitigation.http, mitigation.undo)
        programs = [act.run[0] for act in acts if isinstance(act, Command)]
        lacking = [_lacks(act) for act in acts if isinstance(act, Command | Call)]
        proofs.append(
            Proof(
                f"mitigation {mitigation.name}",
                "" if any(lacking) else ", ".join(dict.fromkeys(programs)) or "a call, not tried",
                ok=not any(lacking),
                how="; ".join(dict.fromkeys(filter(None, lacking))),
            )
        )
    return proofs


def _lacks(act: Command | Call) -> str:
    """Return what is not here that this needs, and what to do; empty where nothing is."""
    if isinstance(act, Command):
        program = act.run[0]
        is_here = shutil.which(program) is not None
        return "" if is_here else f"there is no program {program} here: write its whole path"
    try:
        told_headers(act.headers)
        if act.token is not None:
            secret_of(act.token)
    except DriverError as error:
        return str(error)
    return ""


class _Lacking(Exception):
    """What is not as a drill needs it: what was found, and what to do."""


async def _proof(what: str, asking: Awaitable[str]) -> Proof:
    try:
        return Proof(what, await asking, ok=True)
    except _Lacking as lacking:
        found, how = lacking.args
        return Proof(what, found, ok=False, how=how)
    except DriverError as error:
        return Proof(what, "", ok=False, how=str(error))
