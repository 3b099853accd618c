"""A system to play on: what a file under ``systems/`` says of it, as frozen values.

Where its metrics, alerts, pages and instruments are, how they are reached, and what a responder may
do to it. `gameday.spec` reads files into these, `gameday.house` opens what they name; nothing here
does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from gameday.model.access import Access, Reached, Secret, SecretRef, Url, one_of, wrong
from gameday.model.code import CodeOf
from gameday.model.deploy_source import DeploySource
from gameday.model.links import PageLinks
from gameday.model.mitigation import Call, ChaosAction, DeclaredMitigation
from gameday.model.noun import Name, Noun, Text
from gameday.model.red import Histograms, RedPreset
from gameday.model.service_names import ServiceNames

__all__ = ["RedReadBy", "RuleAuthor", "System", "SystemSpec", "Where"]

N = TypeVar("N", bound=Noun)


Where = tuple[str | int, ...]
"""Where something stands in a document: fields and positions, from the outside."""


class Metrics(Noun):
    """Where the metrics are, and how they name a service."""

    prometheus: Reached
    """What speaks Prometheus' API."""
    service_label: Text | None = None
    """The label that tells services apart; by default the one the RED preset goes by."""


class RuleAuthor(StrEnum):
    """Who wrote the burn-rate rules."""

    GAMEDAY = "gameday"
    SLOTH = "sloth"
    PYRRA = "pyrra"
    WORKBOOK = "workbook"
    AUTO = "auto"


class Alerts(Noun):
    """Which alerts are those of an SLO: whose rules they are, or by the labels they bear."""

    rules: RuleAuthor | None = None
    page: dict[Text, Text] | None = None
    """Labels of the alert that pages; ``alertname`` among them."""
    ticket: dict[Text, Text] | None = None
    prometheus: Reached | None = None
    """The Prometheus that evaluates them, where the metrics are kept elsewhere."""

    @model_validator(mode="after")
    def _are_found_one_way(self) -> Alerts:
        found = {"rules": "rules", "page": "page"}
        one_of(self, found, "write rules: gameday, or page: {alertname: NAME}")
        for name in ("page", "ticket"):
            labels = getattr(self, name)
            if labels is not None and not labels.get("alertname"):
                raise wrong(f"{name} names no alert", f"write {name}: {{alertname: NAME}}")
        return self


def _service_id(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9]+", value):
        raise wrong(
            "is no id of a service",
            "write the last part of the service's address in PagerDuty: PABC123",
        )
    return value


def _true(value: Any) -> Any:
    if value is False:
        raise wrong("is false", "write webhook: true, or name another way, or leave it out")
    return value


class PagerDutyService(Noun):
    """A service of PagerDuty, whose incidents are the pages."""

    token: Secret
    """A REST API key that may read; PagerDuty calls it *read-only*."""
    service: Annotated[str, BeforeValidator(_service_id)]
    """The service's id, the last part of its address in PagerDuty: ``PABC123``."""
    url: Url = "https://api.pagerduty.com"
    """Of the REST API; another region's is ``https://api.eu.pagerduty.com``."""


class PageSource(Noun):
    """How pages are heard of."""

    alertmanager: Reached | None = None
    """Its API is asked every second or so: nothing is configured at the system's."""
    webhook: Annotated[StrictBool | None, BeforeValidator(_true)] = None
    """They are sent to us, where the settings say (``[hook]``), while a drill goes on."""
    pagerduty: PagerDutyService | None = None
    """Its incidents are asked for, every other second: nothing is configured at the system's."""
    receiver: Text | None = None
    """The receiver of Alertmanager's that the page has to reach; by default any that tells
    somebody."""

    @model_validator(mode="after")
    def _come_one_way(self) -> PageSource:
        ways = {"alertmanager": "alertmanager", "webhook": "webhook", "pagerduty": "pagerduty"}
        one_of(self, ways, "write alertmanager: {url: http://HOST:9093}")
        if self.pagerduty is not None and self.receiver is not None:
            raise wrong(
                "names a receiver of Alertmanager's, which is not asked",
                "leave receiver out: what reaches that service of PagerDuty is the page",
            )
        return self


class RedReadBy(Noun):
    """How rate, errors and duration of a service are read: by a preset, or by own queries."""

    preset: RedPreset | None = None
    histograms: Histograms | None = None
    """How the preset's durations are stored; by default as classic histograms."""
    rate: Text | None = None
    """PromQL of requests per second, with ``{service}`` and ``{window}``."""
    errors: Text | None = None
    """PromQL of the share of requests that fail."""
    duration: Text | None = None
    """PromQL of how long a request takes, in seconds."""

    @model_validator(mode="after")
    def _is_whole(self) -> RedReadBy:
        own = {n: getattr(self, n) for n in ("rate", "errors", "duration")}
        if self.preset is not None and any(own.values()):
            raise wrong("states a preset and own queries", "keep one of them")
        missing = [name for name, query in own.items() if not query]
        if self.preset is None and len(missing) == len(own):
            raise wrong("says nothing", "write preset: haproxy, or rate, errors and duration")
        if self.preset is None and "rate" in missing:
            raise wrong("has no rate", "without it nobody can tell quiet from dead")
        if self.histograms is not None and self.preset in (None, RedPreset.HAPROXY):
            what = "HAProxy has none" if self.preset else "own queries say it themselves"
            raise wrong("says how histograms are stored", f"leave histograms out: {what}")
        return self


class ByConvention(Noun):
    """What is counted as everybody counts it: nothing is left to say."""


class Graph(Noun):
    """Who calls whom."""

    otel_servicegraph: ByConvention | None = Field(default=None, alias="otel-servicegraph")
    """By the service graph connector of OpenTelemetry's Collector, or Tempo's generator."""
    istio: ByConvention | None = None
    linkerd: ByConvention | None = None
    edges: (
        Annotated[
            tuple[Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)], ...],
            Field(min_length=1),
        ]
        | None
    ) = None
    """Pairs of caller and callee; what is looked at is RED of the callee."""

    @model_validator(mode="after")
    def _is_told_one_way(self) -> Graph:
        ways = {
            "otel_servicegraph": "otel-servicegraph",
            "istio": "istio",
            "linkerd": "linkerd",
            "edges": "edges",
        }
        one_of(self, ways, "write otel-servicegraph: {}, or edges: [[CALLER, CALLEE]]")
        return self


class NamesServices(Noun):
    """An instrument that may call services otherwise than the metrics do."""

    services: dict[Text, Text] = Field(default_factory=dict)
    """What it calls a service, by the name that the metrics and the SLO give it."""

    @model_validator(mode="after")
    def _tells_services_apart(self) -> NamesServices:
        theirs = list(self.services.values())
        twice = next((name for name in theirs if theirs.count(name) > 1), None)
        if twice is not None:
            raise wrong(f"calls two services '{twice}'", "write each name once")
        return self

    @property
    def names(self) -> ServiceNames:
        """What it calls the services whose names differ."""
        return ServiceNames(self.services)


class Traces(NamesServices):
    """Where traces are."""

    jaeger: Reached | None = None
    tempo: Reached | None = None

    @model_validator(mode="after")
    def _are_in_one_place(self) -> Traces:
        one_of(self, {"jaeger": "jaeger", "tempo": "tempo"}, "write jaeger: {url: …}")
        return self

    @property
    def reached(self) -> Reached:
        """Where they are, and how that is asked."""
        reached = self.jaeger or self.tempo
        assert reached is not None  # checked when it was read
        return reached


class Profiles(NamesServices):
    """Where profiles are."""

    pyroscope: Reached


class ClusterAt(Noun):
    """The cluster a system runs in."""

    context: Text | None = None
    """Of the kubeconfig; by default the one that the settings allow."""
    namespaces: tuple[Text, ...] = Field(min_length=1)
    """What a drill may touch, and where the pods are that it watches; the first is meant where
    nothing else is said."""
    in_cluster: StrictBool = False
    """The cluster that gameday runs in."""

    @model_validator(mode="after")
    def _is_one_cluster(self) -> ClusterAt:
        if self.context is not None and self.in_cluster:
            raise wrong("states context and inCluster", "keep one of them")
        return self


class Regions(Noun):
    """How metrics and traces tell regions apart."""

    label: Text = "region"
    """Of metrics; of traces the attribute of the process that is called so, where its points are
    underscores: ``cloud_region`` is ``cloud.region``."""
    names: tuple[Text, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Regions:
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", self.label):
            raise wrong(
                f"'{self.label}' is no label of Prometheus'",
                "write it as it stands in the metrics: letters, digits and underscores",
            )
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise wrong(f"names '{twice}' twice", "write each region once")
        return self


class SystemMetadata(Noun):
    """Name, title and owner of a system."""

    name: Name
    title: str = ""
    owner: str = ""


class SystemSpec(Noun):
    """What a system has; what is left out it has not, and the steps that need it do not apply."""

    disposable: StrictBool = False
    """Whether nobody depends on it: its time may be compressed."""
    time_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """How many times faster than the SLO says the windows of its rules run."""
    regions: Regions | None = None
    kubernetes: ClusterAt | None = None
    metrics: Metrics
    alerts: Alerts
    pages: PageSource
    red: RedReadBy
    graph: Graph | None = None
    traces: Traces | None = None
    profiles: Profiles | None = None
    deploys: tuple[DeploySource, ...] = ()
    code: tuple[CodeOf, ...] = ()
    toxiproxy: Reached | None = None
    mitigations: tuple[DeclaredMitigation, ...] = ()
    links: PageLinks = PageLinks()
    """Where the links of a page lead people, instead of to the console."""

    @model_validator(mode="after")
    def _makes_sense(self) -> SystemSpec:
        if self.time_scale != 1 and not self.disposable:
            raise wrong(
                "has a timeScale and is not disposable",
                "only where nobody depends on it: disposable: true, or leave timeScale out",
            )
        if self.toxiproxy is not None and self.toxiproxy.grafana is not None:
            raise wrong(
                "has a Toxiproxy that is a data source of Grafana", "write toxiproxy: {url: …}"
            )
        services = [c.service for c in self.code]
        several = next((s for s in services if services.count(s) > 1), None)
        if several is not None:
            raise wrong(f"has two repositories of '{several}'", "keep one of them")
        names = [m.name for m in self.mitigations]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise wrong(f"has two mitigations named '{twice}'", "runbooks name them: rename one")
        for mitigation in self.mitigations:
            self._check_act(mitigation)
        for source in self.deploys:
            told = source.kubernetes
            is_placed = told is None or (told.context is not None and told.namespaces)
            if self.kubernetes is None and not is_placed:
                raise wrong(
                    "reads deploys from a cluster and names none",
                    "write kubernetes: {context: NAME, namespaces: [NAME]}",
                )
        if self.services and self.kubernetes is None:
            raise wrong(
                f"names the Service '{self.services[0]}' and no cluster",
                "add kubernetes: {context: NAME, namespaces: [NAME]}",
            )
        self._check_toxiproxy()
        return self

    def places(self) -> Iterator[tuple[Where, Access]]:
        """Yield every address that the document states, with where it does."""
        told: tuple[tuple[Where, Access | None], ...] = (
            (("metrics", "prometheus"), self.metrics.prometheus),
            (("alerts", "prometheus"), self.alerts.prometheus),
            (("pages", "alertmanager"), self.pages.alertmanager),
            (("traces", "jaeger"), self.traces.jaeger if self.traces else None),
            (("traces", "tempo"), self.traces.tempo if self.traces else None),
            (("profiles", "pyroscope"), self.profiles.pyroscope if self.profiles else None),
            (("toxiproxy",), self.toxiproxy),
            *(
                (("deploys", number, kind), getattr(source, kind))
                for number, source in enumerate(self.deploys)
                for kind in ("github", "argocd", "grafana")
            ),
        )
        yield from ((where, place) for where, place in told if place is not None)

    def with_place(self, where: Where, place: Access) -> SystemSpec:
        """Return the same with another address at one of its `places`."""
        return _with(self, where, place)

    def secrets(self) -> Iterator[tuple[Where, SecretRef]]:
        """Yield every secret that the document names, with where it does."""
        for where, place in self.places():
            if place.bearer_token is not None:
                yield (*where, "bearerToken"), place.bearer_token
            if place.basic is not None:
                yield (*where, "basic", "password"), place.basic.password
            yield from _of_headers((*where, "headers"), place.headers)
        if self.pages.pagerduty is not None:
            yield ("pages", "pagerduty", "token"), self.pages.pagerduty.token
        for number, mitigation in enumerate(self.mitigations):
            for kind, act in (
                ("http", mitigation.http),
                ("chaostoolkit", mitigation.chaostoolkit),
                ("undo", mitigation.undo),
            ):
                where = ("mitigations", number, kind)
                if isinstance(act, Call):
                    if act.token is not None:
                        yield (*where, "token"), act.token
                    yield from _of_headers((*where, "headers"), act.headers)
                if isinstance(act, ChaosAction):
                    for group, named in act.secrets.items():
                        yield from (((*where, "secrets", group, n), s) for n, s in named.items())

    @property
    def services(self) -> tuple[str, ...]:
        """The Services of its cluster that are reached through its API server, each once."""
        told = (place for _, place in self.places() if isinstance(place, Reached))
        return tuple(dict.fromkeys(place.service for place in told if place.service is not None))

    def _check_toxiproxy(self) -> None:
        if self.toxiproxy is None or self.toxiproxy.service is None or self.kubernetes is None:
            return
        namespace = self.toxiproxy.service.partition("/")[0]
        if namespace not in self.kubernetes.namespaces:
            raise wrong(
                f"has its Toxiproxy in '{namespace}', which is not the system's",
                "add it to kubernetes.namespaces: what a drill puts in there, it touches",
            )

    def _check_act(self, mitigation: DeclaredMitigation) -> None:
        act = mitigation.kubernetes
        if act is None:
            return
        if self.kubernetes is None:
            raise wrong(
                f"has a mitigation '{mitigation.name}' and no cluster",
                "add kubernetes: {context: NAME, namespaces: [NAME]}",
            )
        if act.namespace is not None and act.namespace not in self.kubernetes.namespaces:
            raise wrong(
                f"'{mitigation.name}' acts in '{act.namespace}', which is not the system's",
                f"write one of {', '.join(self.kubernetes.namespaces)}, or add it there",
            )


def _with(noun: N, where: Where, value: Noun) -> N:
    """Return a noun with another value at this place in it."""
    name = str(where[0])
    inner = _with(getattr(noun, name), where[1:], value) if len(where) > 1 else value
    return noun.model_copy(update={name: inner})


def _of_headers(
    where: Where, headers: Mapping[str, str | SecretRef]
) -> Iterator[tuple[Where, SecretRef]]:
    yield from (
        ((*where, name), value) for name, value in headers.items() if isinstance(value, SecretRef)
    )


class System(Noun):
    """A system to play on, declared."""

    api_version: Literal["gameday/v1"] = "gameday/v1"
    kind: Literal["System"] = "System"
    metadata: SystemMetadata
    spec: SystemSpec
    path: Path | None = Field(default=None, exclude=True)
    """The file it was read from; set by `gameday.spec`, never written in the file."""
