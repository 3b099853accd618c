"""Whether the page of a drill will wake somebody past gameday."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from gameday.drivers.alertmanager import AlertmanagerRoutes
from gameday.errors import DriverError
from gameday.model.slo import Slo
from gameday.ports import AlertRouting
from gameday.rules.alert_routes import past_gameday
from scoring.slo import Severity, nominal

SETTING = "GAMEDAY_ALERTMANAGER_URL"


def routing_of(environment: Mapping[str, str] | None = None) -> AlertRouting | None:
    """Return the Alertmanager that this environment names; None: it names none."""
    url = (os.environ if environment is None else environment).get(SETTING)
    return AlertmanagerRoutes(url) if url else None


async def paged_past_gameday(slo: Slo, routing: AlertRouting | None) -> Sequence[str]:
    """Return what should be known about where the pages of an SLO go; may be empty.

    Not to know it is worth a sentence too, and keeps nobody from playing.
    """
    if routing is None:
        return ()
    try:
        configuration = await routing.configuration()
    except DriverError as error:
        return (f"who else is paged is not known: {error}",)
    found = (
        sentence
        for window in slo.windows
        if window.severity is Severity.PAGE
        for sentence in past_gameday(
            configuration,
            {
                "alertname": slo.alert_name(),
                "service": slo.service,
                "slo": slo.id,
                "severity": str(window.severity),
                "long_window": nominal(window.long),
                "short_window": nominal(window.short),
            },
        )
    )
    return tuple(dict.fromkeys(found))
