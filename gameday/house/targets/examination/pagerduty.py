"""Whether a page gets through PagerDuty: the service calls somebody, and no incident is in the way.

PagerDuty adds an alert to the incident that is open of it, and calls nobody anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from gameday.drivers.pagerduty_incidents import OpenIncident
from gameday.errors import DriverError
from gameday.house.targets.alert_in_force import alert_in_force
from gameday.house.targets.declared_system import told_of
from gameday.house.targets.examination.inquiry import Inquiry, NotAsked, Unmet
from gameday.house.targets.examination.look import PAGERDUTY, Look
from gameday.model.slo import Slo
from gameday.model.system import RuleAuthor

__all__ = ["pagerduty"]


def pagerduty(look: Look) -> Iterator[Inquiry]:
    """Ask after PagerDuty, where the part ``pages`` of a document names it, for every SLO."""
    if look.system.spec.pages.pagerduty is None:
        return
    yield Inquiry(PAGERDUTY, partial(_pages, look))
    for slo in look.slos:
        yield Inquiry(f"open incidents of {slo.id}", partial(_free, look, slo))


async def _pages(look: Look) -> str:
    service = await look.paged_service()
    if not service.pages:
        mend = {
            "disabled": "enable it in PagerDuty",
            "maintenance": "end its maintenance window in PagerDuty, or wait for its end",
        }
        raise Unmet(
            f"the service {service.name!r} is {_in_words(service.status)}",
            f"{mend[service.status]}: until then its alerts call nobody",
        )
    return f"knows the service {service.name!r}"


async def _free(look: Look, slo: Slo) -> str:
    """Return that the alert of an SLO would open an incident, and not join one."""
    incidents = await look.open_incidents()
    system = look.system
    named = None
    if system.spec.alerts.rules is not RuleAuthor.GAMEDAY:
        try:
            in_force = alert_in_force(system, slo, await look.rules())
        except DriverError as error:
            raise NotAsked(f"the rule of {slo.id}") from error
        named, slo = in_force.named, in_force.slo

    def is_meant(labels: Mapping[str, str]) -> bool:
        return told_of(labels, named, slo) is not None

    for incident in incidents:
        if any(is_meant(alert["labels"]) for alert in incident.alerts):
            raise Unmet(
                f"{_shown(incident)} is open since {incident.created_at:%Y-%m-%d %H:%M:%S} UTC",
                "resolve it in PagerDuty, once its alert is over: until then the alert may join it,"
                " and nobody is called anew",
            )
    if not incidents:
        return "none is open"
    return f"none of the {len(incidents)} that are open is of its alert"


def _in_words(status: str) -> str:
    return "in maintenance" if status == "maintenance" else status


def _shown(incident: OpenIncident) -> str:
    return f"incident #{incident.number}, {incident.title[:100]!r},"
