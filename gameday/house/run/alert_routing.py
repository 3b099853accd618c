"""Whether the page of a drill will wake somebody past gameday."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.drivers.alertmanager import AlertmanagerRoutes
from gameday.errors import DriverError
from gameday.model.slo import Slo
from gameday.ports import AlertRouting
from gameday.rules.alert_routes import past_gameday
from gameday.settings import ToolSettings
from scoring.slo import Severity, nominal


def routing_of(tools: ToolSettings) -> AlertRouting | None:
    """Return the Alertmanager that the settings name; None: they name none."""
    return AlertmanagerRoutes(tools.alertmanager_url) if tools.alertmanager_url else None


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
