"""Whether a page gets through: Alertmanager, its watchdog, whom the alert reaches, silences.

Of pages that come another way `gameday.house.targets.examination.pagerduty` and
`gameday.house.targets.examination.webhook` ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from gameday.drivers.alertmanager import WATCHDOG, AlertmanagerState
from gameday.errors import DriverError
from gameday.house.targets.alert_in_force import found_in_force
from gameday.house.targets.examination.inquiry import Inquiry, NotAsked, Unmet
from gameday.house.targets.examination.look import ALERTMANAGER, Look
from gameday.model.slo import Slo
from gameday.rules.alert_routes import matches_all, receivers, tells_somebody
from gameday.rules.found_alerts import labels_of

__all__ = ["not_held_back", "pages", "paging_labels"]


def pages(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``pages`` of a document, for every SLO."""
    if look.system.spec.pages.alertmanager is None:
        return

    async def answers() -> str:
        await look.beats()
        return f"answers at {look.alertmanager.url}"

    yield Inquiry(ALERTMANAGER, answers)
    yield Inquiry("watchdog", lambda: _watchdog(look))
    for slo in look.slos:
        yield Inquiry(f"page of {slo.id}", partial(_reached, look, slo))
        yield Inquiry(f"silences of {slo.id}", partial(_heard, look, slo))


async def _watchdog(look: Look) -> str:
    await look.alertmanager_answers()
    if await look.beats():
        return "fires, and comes through"
    try:
        rules = await look.rules()
    except DriverError:  # what only speaks PromQL has none
        rules = None
    if rules is None or all(rule.name != WATCHDOG for rule in rules.alerts):
        return "none: that no page comes will prove nothing"
    raise Unmet(
        f"the rule {WATCHDOG} is loaded, and no such alert is at Alertmanager",
        "see in Prometheus whether it fires, whom Prometheus sends to, and in Alertmanager whether"
        " it is silenced; one that was away hears of it once Prometheus'"
        " `--rules.alert.resend-delay` is over, a minute by itself. Until it comes, no page is"
        " proven to",
    )


async def _reached(look: Look, slo: Slo) -> str:
    """Return whom the alert of an SLO reaches by Alertmanager's routes."""
    await look.alertmanager_answers()
    configuration = await look.routes()
    if configuration is None:
        return "Alertmanager does not tell whom it reaches"
    wanted = look.system.spec.pages.receiver
    reached: dict[str, None] = {}
    for labels in await paging_labels(look, slo):
        reached |= dict.fromkeys(receivers(configuration, labels))
    if not reached:
        return "Alertmanager does not tell whom it reaches"
    shown = " and ".join(repr(name) for name in reached)
    if wanted is not None:
        if wanted not in reached:
            raise Unmet(
                f"goes to {shown}, and not to {wanted!r}",
                "mend the routes of Alertmanager (`amtool config routes test`), or the labels of"
                " the rule, or write the receiver that is meant under pages.receiver",
            )
        return f"goes to {shown}"
    if not any(tells_somebody(configuration, name) for name in reached):
        raise Unmet(
            f"goes to {shown}, which tells nobody",
            "mend the routes of Alertmanager, or give that receiver somebody to tell; where that"
            f" is meant, write pages.receiver: {next(iter(reached))}",
        )
    return f"goes to {shown}"


async def _heard(look: Look, slo: Slo) -> str:
    """Return that the alert of an SLO is not silenced now."""
    await look.alertmanager_answers()
    return await not_held_back(look, slo, look.alertmanager_state())


async def not_held_back(look: Look, slo: Slo, alertmanager: AlertmanagerState) -> str:
    """Return that an Alertmanager does not silence the alert of an SLO now; `Unmet` where it does.

    Raises:
        DriverError: it does not answer.
    """
    silences = await alertmanager.silences()
    if silences is None:
        return "Alertmanager does not tell"
    for labels in await paging_labels(look, slo):
        for silence in silences:
            if matches_all(silence.matchers, labels):
                raise Unmet(
                    f"{labels['alertname']} is silenced until {silence.until}",
                    f"`amtool silence expire {silence.id}`, or wait: what is silenced pages nobody",
                )
    return "none holds it back"


async def paging_labels(look: Look, slo: Slo) -> list[Mapping[str, Any]]:
    """Return the labels of the alerts that page for an SLO, as their rules give them.

    Raises:
        NotAsked: there is no such rule, or it cannot be looked at.
    """
    try:
        found = found_in_force(look.system, slo, await look.rules())
    except DriverError as error:
        raise NotAsked(f"the rule of {slo.id}") from error
    page = look.system.spec.alerts.page or {}
    return [{**labels_of(alert.rule), **page} for alert in found.page]
