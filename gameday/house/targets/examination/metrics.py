"""Whether Prometheus answers, by which clock, and whom it tells of alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from gameday.drivers.alertmanager import AlertmanagerState
from gameday.errors import DriverError
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import PROMETHEUS, RULES, Look
from gameday.model.access import Reached
from gameday.quantity import written

__all__ = ["metrics"]

CLOCKS_DIFFER = timedelta(seconds=2)
"""By how much two clocks may differ: what a drill measures, from the fault to the alert, has one
instant from either, and a tenth of the shortest such time is two seconds."""


def metrics(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``metrics`` of a document."""

    async def answers() -> str:
        await look.prometheus_answers()
        return f"answers at {look.url}"

    yield Inquiry(PROMETHEUS, answers)
    evaluates = look.system.spec.alerts.prometheus
    if evaluates is not None:
        yield Inquiry(RULES, lambda: _evaluates(look, evaluates))
    yield Inquiry("clock", lambda: _clock(look))
    yield Inquiry("alerts sent to", lambda: _sent(look))


async def _evaluates(look: Look, told: Reached) -> str:
    await look.evaluating_answers(told)
    return f"answers at {told.url}"


async def _clock(look: Look) -> str:
    async def read(prometheus: object) -> tuple[datetime, float, datetime]:
        before = datetime.now(UTC)
        (stamp,) = await look.prometheus().values("vector(time())") or (float("nan"),)
        return before, stamp, datetime.now(UTC)

    before, stamp, after = await look.of_prometheus(read)
    if stamp != stamp:
        return "Prometheus does not tell the time"
    there = datetime.fromtimestamp(stamp, UTC)
    # What lies between asking and hearing may be either's.
    ahead = max(there - after, timedelta(0)) or min(there - before, timedelta(0))
    if abs(ahead) <= CLOCKS_DIFFER:
        return "Prometheus and this machine agree"
    which = "ahead of" if ahead > timedelta(0) else "behind"
    off = timedelta(seconds=round(abs(ahead).total_seconds()))
    raise Unmet(
        f"Prometheus is {written(off)} {which} this machine",
        "set both by a time server (`timedatectl`, `chronyc tracking`): how long the alert took"
        " would be wrong by as much",
    )


async def _sent(look: Look) -> str:
    """Return whom Prometheus sends alerts to: the Alertmanager of the document, if it names one."""
    sent_to = await look.sent_to()
    if sent_to is None:
        return "Prometheus does not tell"
    if not sent_to:
        rules = await look.rules()
        if not rules.alerts:
            return "nobody, and no alert is evaluated here"
        raise Unmet(
            "Prometheus sends its alerts to nobody",
            "name an Alertmanager under `alerting` in its configuration: no page can come",
        )
    if look.system.spec.pages.alertmanager is None:
        return ", ".join(sent_to)
    told = look.alertmanager.url.rstrip("/")
    if told in sent_to:
        return told
    await look.alertmanager_answers()
    meant = await look.alertmanager_state().identity()
    unknown = []
    for url in sent_to:
        try:
            if await AlertmanagerState(url).identity() & meant:
                return f"{url}, which is the one at {told}"
        except DriverError:
            unknown.append(url)
    shown = ", ".join(sent_to)
    if unknown or not meant:
        # Prometheus may reach it by a name that is none here.
        return f"{shown}; whether that is the one at {told} is not known from here"
    raise Unmet(
        f"Prometheus sends its alerts to {shown}, and not to {told}",
        "write that address under pages.alertmanager, or have Prometheus send there as well",
    )
