"""The instruments behind the console, opened from their addresses."""

from __future__ import annotations

from gameday.diagnosis.instruments import Instruments
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.incidents import deeplinks
from gameday.settings import ToolSettings


def instruments_of(
    tools: deeplinks.Tools, *, credentials: Credentials = NO_CREDENTIALS
) -> Instruments:
    """Return the instruments at these addresses; one whose address is empty is not there.

    Args:
        credentials: how Prometheus is asked.
    """
    from gameday.drivers.git import GitHistory
    from gameday.drivers.jaeger import JaegerTraces
    from gameday.drivers.prometheus import Prometheus
    from gameday.drivers.pyroscope import PyroscopeProfiles

    prometheus = Prometheus(tools.prometheus, credentials=credentials) if tools.prometheus else None
    return Instruments(
        metrics=prometheus,
        alerts=prometheus,
        traces=JaegerTraces(tools.traces) if tools.traces else None,
        profiles=PyroscopeProfiles(tools.profiles) if tools.profiles else None,
        code=GitHistory(copies=tools.code),
        red=tools.red,
    )


def instruments_of_settings(tools: ToolSettings) -> Instruments:
    """Return the instruments that the settings name."""
    return instruments_of(
        deeplinks.Tools(tools.prometheus_url, tools.traces_url, tools.profiles_url)
    )
