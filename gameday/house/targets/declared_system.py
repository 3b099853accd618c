"""A system that a document declares, as a system to play on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gameday.diagnosis.conventions import PRESETS
from gameday.diagnosis.graph_conventions import ISTIO, LINKERD, OTEL, edges
from gameday.diagnosis.queries import RedQueries
from gameday.diagnosis.renamed import RenamedTraces
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.chaostoolkit.actions import ChaosActions
from gameday.drivers.declared import DeclaredTarget
from gameday.drivers.prometheus import KeptElsewhere, NamedAlert, NamedAlerts, Prometheus
from gameday.house.targets.alert_in_force import AlertInForce, alert_in_force
from gameday.house.targets.declared_cluster import SystemDoors, opened_cluster
from gameday.house.targets.deploy_logs import are_heard, deploy_log_of
from gameday.house.targets.grafana_sources import with_sources
from gameday.house.targets.heard_pages import heard_pages
from gameday.house.targets.instruments import traces_at
from gameday.house.targets.open_system import Keyring, OpenSystem
from gameday.house.targets.reach import reach
from gameday.http.credentials import NO_CREDENTIALS, credentials_of
from gameday.incidents import deeplinks
from gameday.model.access import Reached
from gameday.model.page import Step
from gameday.model.red import Histograms
from gameday.model.scenario import TargetKind
from gameday.model.service_graph import EdgeQuery
from gameday.model.service_names import SAME_NAMES
from gameday.model.slo import Slo, scaled
from gameday.model.system import RedReadBy, RuleAuthor, System, SystemSpec, Traces
from gameday.ports import AlertSource, FaultDriver, TraceSource


def name_of(system: System) -> str:
    """Return what stores, locks and programmes call a system: ``system/bookshop``."""
    return f"{TargetKind.SYSTEM}/{system.metadata.name}"


async def declared_system(system: System, slo: Slo) -> OpenSystem:
    """Return a declared system as one to play on; its rules are asked for, and nothing else.

    Args:
        system: each Service of which has an address.
        slo: whose page is awaited.

    Raises:
        PermanentDriverError: a secret is not where the document says, or there is no such alert.
        TemporaryDriverError: Prometheus does not answer.
    """
    system, _ = await with_sources(system)  # what was not found says so where it is asked
    spec = system.spec
    astray = _astray(system)
    cluster = await asyncio.to_thread(lambda: opened_cluster(spec, astray=astray))
    asked = credentials_of(spec.metrics.prometheus)
    url = str(spec.metrics.prometheus.url).rstrip("/")
    red = queries_of(spec)
    prometheus = Prometheus(url, credentials=asked)
    in_force = AlertInForce(None, slo)
    if spec.alerts.rules is not RuleAuthor.GAMEDAY:
        in_force = alert_in_force(system, slo, await evaluating(spec).loaded_rules())
    named, slo = in_force.named, in_force.slo
    heard = heard_pages(spec, lambda labels: told_of(labels, named, slo))

    traces = spec.traces.reached if spec.traces else None
    profiles = spec.profiles.pyroscope if spec.profiles else None

    async def answers() -> None:
        await prometheus.values("vector(1)")  # as it will be asked: with the tenant, and the token

    return OpenSystem(
        target=DeclaredTarget(
            name_of(system),
            time_scale=spec.time_scale,
            mitigations=spec.mitigations,
            answers=(answers, heard.pages.alive),
            carry=heard.pages.carry,
            acts=None if cluster is None else cluster.acts,
            actions=ChaosActions(),
        ),
        alerts=_alerts(spec, named),
        faults=(
            ChaosToolkit(toxiproxy=spec.toxiproxy, astray=astray)
            if cluster is None
            else cluster.faults
        ),
        deploys=deploy_log_of(spec),
        hears_deploys=are_heard(spec),
        tools=_tools(spec, slo, url, red),
        regions=() if spec.regions is None else spec.regions.names,
        count=reach,
        effects=None if cluster is None else cluster.effects,
        keyring=Keyring(
            metrics=asked,
            traces=NO_CREDENTIALS if traces is None else credentials_of(traces),
            profiles=NO_CREDENTIALS if profiles is None else credentials_of(profiles),
        ),
        absent=absent_steps(spec),
        slo=slo,
        rule_chain=in_force.age,
        notices=(
            *([cluster.doubt] if cluster is not None and cluster.doubt else ()),
            *in_force.notices,
            *heard.notices,
            *red.notes,
            *_not_named(spec),
        ),
        take_pages=heard.take,
    )


def faults_of(system: System) -> FaultDriver:
    """Return what finds and takes out faults of a system; blocks.

    Raises:
        PermanentDriverError: a secret is not where the document says.
        DriverError: its cluster cannot be reached, or may not be touched.
    """
    spec = SystemDoors(system).opened().spec
    astray = _astray(system)
    cluster = opened_cluster(spec, astray=astray)
    if cluster is not None:
        return cluster.faults
    return ChaosToolkit(toxiproxy=spec.toxiproxy, astray=astray)


def _astray(system: System) -> str:
    return f"gameday recover --strays --system {system.metadata.name}"


def evaluating(spec: SystemSpec, named: NamedAlert | None = None) -> Prometheus:
    """Return the Prometheus that evaluates a system's rules.

    Raises:
        PermanentDriverError: a secret is not where the document says.
    """
    return _prometheus(spec.alerts.prometheus or spec.metrics.prometheus, named)


def _alerts(spec: SystemSpec, named: NamedAlert | None) -> AlertSource:
    keeping = _prometheus(spec.metrics.prometheus, named)
    if spec.alerts.prometheus is None:
        return keeping
    return KeptElsewhere(evaluating(spec, named), keeping)


def _prometheus(at: Reached, named: NamedAlert | None) -> Prometheus:
    url, asked = str(at.url).rstrip("/"), credentials_of(at)
    if named is None:
        return Prometheus(url, credentials=asked)
    return NamedAlerts(url, named, credentials=asked)


def traces_of(spec: SystemSpec, traces: Traces) -> TraceSource:
    """Return the traces of a system, by the names that its metrics give services and regions.

    Raises:
        PermanentDriverError: a secret is not where the document says.
    """
    reached, is_tempo = traces.reached, traces.tempo is not None
    store = traces_at(reached.url, is_tempo=is_tempo, credentials=credentials_of(reached))
    return RenamedTraces(store, traces.names, region=_region_of(spec))


def absent_steps(spec: SystemSpec) -> tuple[str, ...]:
    """Return the steps of the funnel that a system has no instrument for."""
    return tuple(_lacking(spec))


def _lacking(spec: SystemSpec) -> Mapping[str, Sequence[str]]:
    """Return what a document does not name that a step needs, by step; whole ones left out."""
    needed: Mapping[Step, Mapping[str, object]] = {
        Step.TRACE: {"traces": spec.traces or spec.graph},
        Step.PROFILE: {"profiles": spec.profiles},
        # Blamed is a function that a profile names, else what went live with the accused service.
        Step.BLAME: {
            "profiles": spec.profiles or spec.traces or spec.graph,
            "deploys": spec.deploys,
            "code": spec.code,
        },
    }
    lacking = {
        str(step): [part for part, told in parts.items() if not told]
        for step, parts in needed.items()
    }
    return {step: parts for step, parts in lacking.items() if parts}


def _not_named(spec: SystemSpec) -> Iterator[str]:
    for step, parts in _lacking(spec).items():
        yield f"the step {step} does not apply: the system's file names no {', '.join(parts)}"


def edges_of(spec: SystemSpec, slo: Slo, red: RedQueries) -> tuple[EdgeQuery, ...]:
    """Return how the calls between a system's services are asked for; empty: it does not say."""
    if spec.graph is None:
        return ()
    window = deeplinks.rate_window(scaled(w.long, spec.time_scale) for w in slo.windows)
    if spec.graph.edges is not None:
        return tuple(edges(spec.graph.edges, red, window=window))
    conventions = ((spec.graph.otel_servicegraph, OTEL), (spec.graph.istio, ISTIO))
    found = next((c for told, c in conventions if told is not None), LINKERD)
    return tuple(found.queries(window=window))


def _tools(spec: SystemSpec, slo: Slo, prometheus: str, red: RedQueries) -> deeplinks.Tools:
    traces, profiles = spec.traces, spec.profiles
    return deeplinks.Tools(
        prometheus=prometheus,
        links=spec.links.given(),
        traces=traces.reached.url.rstrip("/") if traces else "",
        profiles=profiles.pyroscope.url.rstrip("/") if profiles else "",
        sources=tuple(
            # A responder's process works in another folder.
            one.model_copy(update={"repository": str(Path(one.repository).absolute())})
            for one in spec.code
        ),
        red=red,
        graph=() if traces else edges_of(spec, slo, red),
        is_tempo=traces is not None and traces.tempo is not None,
        traced_as=traces.names if traces else SAME_NAMES,
        profiled_as=profiles.names if profiles else SAME_NAMES,
        region=_region_of(spec),
    )


def _region_of(spec: SystemSpec) -> str:
    return "" if spec.regions is None else spec.regions.label


def queries_of(spec: SystemSpec) -> RedQueries:
    """Return how a system's rate, errors and duration are asked for, region by region."""
    found = _queries(spec.red, spec.metrics.service_label)
    return found if spec.regions is None else replace(found, region=spec.regions.label)


def _queries(red: RedReadBy, label: str | None) -> RedQueries:
    if red.preset is not None:
        return PRESETS[red.preset].queries(red.histograms or Histograms.CLASSIC, label=label)
    own = {"errors": red.errors, "duration": red.duration}
    return RedQueries(
        rate=red.rate or "",
        errors=red.errors or "",
        duration=red.duration or "",
        label=label or "service",
        notes=tuple(
            f"{name}: no query, so not measured" for name, query in own.items() if not query
        ),
    )


def told_of(labels: Mapping[str, str], named: NamedAlert | None, slo: Slo) -> dict[str, str] | None:
    """Return the labels of an alert of the SLO as gameday goes by them; None: it is another's."""
    if named is not None:
        return named.told(labels) if named.is_meant(labels) else None
    return dict(labels) if labels.get("slo") == slo.id else None
