"""The instruments behind the console, opened from their addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from gameday.diagnosis.instruments import Instruments
from gameday.errors import UsageError
from gameday.incidents import deeplinks

VARIABLES = ("GAMEDAY_PROMETHEUS_URL", "GAMEDAY_TRACES_URL", "GAMEDAY_PROFILES_URL")


def instruments_of(tools: deeplinks.Tools) -> Instruments:
    """Return the instruments at these addresses; one whose address is empty is not there."""
    from gameday.drivers.git import GitHistory
    from gameday.drivers.jaeger import JaegerTraces
    from gameday.drivers.prometheus import Prometheus
    from gameday.drivers.pyroscope import PyroscopeProfiles

    prometheus = Prometheus(tools.prometheus) if tools.prometheus else None
    return Instruments(
        metrics=prometheus,
        alerts=prometheus,
        traces=JaegerTraces(tools.traces) if tools.traces else None,
        profiles=PyroscopeProfiles(tools.profiles) if tools.profiles else None,
        code=GitHistory(copies=tools.code),
    )


def instruments_of_environment(environment: Mapping[str, str] | None = None) -> Instruments:
    """Return the instruments that ``GAMEDAY_PROMETHEUS_URL``, ``_TRACES_`` and ``_PROFILES_`` name.

    Raises:
        UsageError: a URL is none.
    """
    env = os.environ if environment is None else environment
    found = [env.get(name, "").rstrip("/") for name in VARIABLES]
    for name, url in zip(VARIABLES, found, strict=True):
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise UsageError(f"{name}: {url!r} does not begin with http:// or https://")
    prometheus, traces, profiles = found
    return instruments_of(deeplinks.Tools(prometheus, traces, profiles))
