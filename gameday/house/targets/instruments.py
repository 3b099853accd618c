"""The instruments behind the console, opened from their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gameday.diagnosis.instruments import Instruments
from gameday.house.targets.open_system import NOBODY_ASKS, Keyring, OpenSystem
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.incidents import deeplinks
from gameday.model.page import Step
from gameday.model.service_names import SAME_NAMES
from gameday.model.toolbox import Instrument, Toolbox
from gameday.ports import TraceSource
from gameday.settings import ToolSettings


def instruments_of(
    tools: deeplinks.Tools, *, keyring: Keyring = NOBODY_ASKS, absent: Sequence[str] = ()
) -> Instruments:
    """Return the instruments at these addresses; one whose address is empty is not there.

    Args:
        keyring: how each of them is asked.
        absent: the steps that the system has no instrument for.
    """
    from gameday.diagnosis.renamed import RenamedProfiles, RenamedTraces
    from gameday.drivers.git import GitHistory
    from gameday.drivers.prometheus import Prometheus
    from gameday.drivers.pyroscope import PyroscopeProfiles

    prometheus = traces = profiles = None
    if tools.prometheus:
        prometheus = Prometheus(tools.prometheus, credentials=keyring.metrics)
    if tools.traces:
        store = traces_at(tools.traces, is_tempo=tools.is_tempo, credentials=keyring.traces)
        traces = RenamedTraces(store, tools.traced_as, region=tools.region)
    if tools.profiles:
        pyroscope = PyroscopeProfiles(tools.profiles, credentials=keyring.profiles)
        profiles = RenamedProfiles(pyroscope, tools.profiled_as)
    return Instruments(
        metrics=prometheus,
        alerts=prometheus,
        traces=traces,
        profiles=profiles,
        code=GitHistory(),
        red=tools.red,
        graph=tools.graph,
        sources=tools.sources,
        absent=frozenset(map(Step, absent)),
    )


def traces_at(url: str, *, is_tempo: bool, credentials: Credentials) -> TraceSource:
    """Return the traces at an address: a Tempo's, or a Jaeger's."""
    if is_tempo:
        from gameday.drivers.tempo import TempoTraces

        return TempoTraces(url, credentials=credentials)
    from gameday.drivers.jaeger import JaegerTraces

    return JaegerTraces(url, credentials=credentials)


def toolbox_of(system: OpenSystem) -> Toolbox:
    """Return how a responder of ours asks the instruments of a system."""
    tools, keyring = system.tools, system.keyring
    told = (
        (tools.prometheus, keyring.metrics, SAME_NAMES),
        (tools.traces, keyring.traces, tools.traced_as),
        (tools.profiles, keyring.profiles, tools.profiled_as),
    )
    return Toolbox(
        instruments=tuple(
            Instrument(
                url=url,
                headers=asked.headers,
                ca=_whole(asked.ca),
                cert=_whole(asked.cert),
                key=_whole(asked.key),
                is_tempo=tools.is_tempo and url == tools.traces,
                services=names.theirs,
                region=tools.region if url == tools.traces else "",
            )
            for url, asked, names in told
            if url
            and (
                asked != NO_CREDENTIALS
                or names != SAME_NAMES
                or ((tools.is_tempo or tools.region) and url == tools.traces)
            )
        ),
        absent=frozenset(map(Step, system.absent)),
        sources=tools.sources,
        graph=tools.graph,
    )


def _whole(path: str) -> str:
    # A responder's process works in another folder.
    return str(Path(path).absolute()) if path else ""


def instruments_of_settings(tools: ToolSettings) -> Instruments:
    """Return the instruments that the settings name."""
    return instruments_of(
        deeplinks.Tools(tools.prometheus_url, tools.traces_url, tools.profiles_url)
    )
