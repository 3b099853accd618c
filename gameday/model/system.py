"""A system to play on: what a file under ``systems/`` says of it, as frozen values.

Where its metrics, alerts, pages and instruments are, how they are reached, and what a responder may
do to it. `gameday.spec` reads files into these, `gameday.house` opens what they name; nothing here
does I/O. A secret is never a value here, only where it is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, Tag, model_validator
from pydantic_core import PydanticCustomError

from gameday.model.scenario import Name, Noun, PositiveDuration, Text

__all__ = [
    "Call",
    "Command",
    "DeclaredMitigation",
    "Reached",
    "RedReadBy",
    "RedPreset",
    "RuleAuthor",
    "SecretRef",
    "System",
    "SystemSpec",
]

SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
"""Headers whose values are secrets, whatever they hold."""

METHODS = ("get", "post", "put", "patch", "delete")


def _wrong(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("system", message, {"hint": hint})


def _one_of(noun: Noun, names: Mapping[str, str], hint: str) -> None:
    """Refuse a noun that states none, or several, of these fields (name here → name in a file)."""
    stated = [shown for name, shown in names.items() if getattr(noun, name) is not None]
    if not stated:
        raise _wrong(f"states none of {', '.join(names.values())}", hint)
    if len(stated) > 1:
        raise _wrong(f"states {' and '.join(stated)}: only one of them can hold", hint)


def _no_plain_secret(value: Any) -> Any:
    # Never quoted: what stands here is the secret itself.
    if value is not None and not isinstance(value, dict | SecretRef):
        raise _wrong(
            "holds a secret itself", "write where it is found: {env: NAME} or {file: PATH}"
        )
    return value


def _url(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        raise _wrong("is no address", "write http://HOST:PORT or https://HOST")
    if isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]:
        raise _wrong(
            "holds a user and a password", "write basic: {username: …, password: {env: …}}"
        )
    return value


Url = Annotated[str, BeforeValidator(_url)]
"""A base URL, with the path prefix if it has one, and without a secret."""


class SecretRef(Noun):
    """Where a secret is found; the secret itself stands in no file of ours."""

    env: Text | None = None
    """A variable of the environment."""
    file: Text | None = None
    """A file that holds it and nothing else; from the working directory."""
    kubernetes: Text | None = None
    """A Secret of the cluster and its key: ``namespace/name/key``."""

    @model_validator(mode="after")
    def _names_one_place(self) -> SecretRef:
        places = {"env": "env", "file": "file", "kubernetes": "kubernetes"}
        _one_of(self, places, "write {env: NAME} or {file: PATH}")
        return self


Secret = Annotated[SecretRef, BeforeValidator(_no_plain_secret)]


def _kind_of_header(value: Any) -> str:
    return "as-secret" if isinstance(value, dict | SecretRef) else "as-text"


Header = Annotated[
    Annotated[Text, Tag("as-text")] | Annotated[SecretRef, Tag("as-secret")],
    Discriminator(_kind_of_header),
]
"""What a header says: a text, or where it is found."""


class Basic(Noun):
    """A user's name and password, as HTTP has them."""

    username: Text
    password: Secret


class Access(Noun):
    """How an address is asked: who asks, and whom to believe."""

    headers: dict[str, Header] = Field(default_factory=dict)
    """Sent with every request, such as a tenant: ``X-Scope-OrgID: books``."""
    bearer_token: Secret | None = None
    basic: Basic | None = None
    ca: Text | None = None
    """A file of the authorities that are believed, in PEM; else the machine's own."""
    cert: Text | None = None
    """A file of the client's certificate, in PEM."""
    key: Text | None = None
    """The key of that certificate."""

    @model_validator(mode="after")
    def _is_asked_one_way(self) -> Access:
        if self.bearer_token is not None and self.basic is not None:
            raise _wrong("states bearerToken and basic", "one way to say who asks: keep one")
        if self.key is not None and self.cert is None:
            raise _wrong("has a key and no cert", "add cert: PATH, the certificate it belongs to")
        for name, value in self.headers.items():
            if name.lower() in SECRET_HEADERS and isinstance(value, str):
                raise _wrong(
                    f"the header '{name[:60]}' holds a secret itself",
                    "write where it is found: {env: NAME} or {file: PATH}; or use bearerToken",
                )
        return self


class Reached(Access):
    """An address and how it is asked."""

    url: Url


class GrafanaSource(Noun):
    """A data source of a Grafana, asked through it."""

    url: Url
    datasource: Text


class PrometheusAt(Access):
    """Where what speaks Prometheus' API is."""

    url: Url | None = None
    service: Text | None = None
    """A Service of the cluster, through its API server: ``monitoring/prometheus-k8s:9090``."""
    grafana: GrafanaSource | None = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> PrometheusAt:
        places = {"url": "url", "service": "service", "grafana": "grafana"}
        _one_of(self, places, "write url: http://HOST:9090")
        return self


class Metrics(Noun):
    """Where the metrics are, and how they name a service."""

    prometheus: PrometheusAt
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

    @model_validator(mode="after")
    def _are_found_one_way(self) -> Alerts:
        found = {"rules": "rules", "page": "page"}
        _one_of(self, found, "write rules: gameday, or page: {alertname: NAME}")
        for name in ("page", "ticket"):
            labels = getattr(self, name)
            if labels is not None and not labels.get("alertname"):
                raise _wrong(f"{name} names no alert", f"write {name}: {{alertname: NAME}}")
        return self


class PageSource(Noun):
    """How pages are heard of."""

    alertmanager: Reached | None = None
    """Its API is asked every second or so: nothing is configured at the system's."""
    webhook: StrictBool | None = None
    pagerduty: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _come_one_way(self) -> PageSource:
        ways = {"alertmanager": "alertmanager", "webhook": "webhook", "pagerduty": "pagerduty"}
        _one_of(self, ways, "write alertmanager: {url: http://HOST:9093}")
        return self


class RedPreset(StrEnum):
    """A convention of metrics, by which rate, errors and duration of a service are read."""

    OTEL_HTTP = "otel-http"
    GRPC = "grpc"
    ISTIO = "istio"
    ENVOY = "envoy"
    NGINX_INGRESS = "nginx-ingress"
    HAPROXY = "haproxy"
    TRAEFIK = "traefik"
    LINKERD = "linkerd"
    SPRING_BOOT = "spring-boot"
    PROMETHEUS = "prometheus"


class RedReadBy(Noun):
    """How rate, errors and duration of a service are read: by a preset, or by own queries."""

    preset: RedPreset | None = None
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
            raise _wrong("states a preset and own queries", "keep one of them")
        missing = [name for name, query in own.items() if not query]
        if self.preset is None and len(missing) == len(own):
            raise _wrong("says nothing", "write preset: haproxy, or rate, errors and duration")
        if self.preset is None and "rate" in missing:
            raise _wrong("has no rate", "without it nobody can tell quiet from dead")
        return self


class Graph(Noun):
    """Who calls whom."""

    otel_servicegraph: dict[str, Any] | None = Field(default=None, alias="otel-servicegraph")
    istio: dict[str, Any] | None = None
    linkerd: dict[str, Any] | None = None
    edges: tuple[Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)], ...] | None = None


class Traces(Noun):
    """Where traces are."""

    jaeger: Reached | None = None
    tempo: Reached | None = None

    @model_validator(mode="after")
    def _are_in_one_place(self) -> Traces:
        _one_of(self, {"jaeger": "jaeger", "tempo": "tempo"}, "write jaeger: {url: …}")
        return self


class Profiles(Noun):
    """Where profiles are."""

    pyroscope: Reached


class DeploySource(Noun):
    """Where it is told what went live, when."""

    kubernetes: dict[str, Any] | None = None
    github: dict[str, Any] | None = None
    argocd: dict[str, Any] | None = None
    grafana: dict[str, Any] | None = None
    webhook: dict[str, Any] | None = None
    command: dict[str, Any] | None = None


class CodeOf(Noun):
    """The repository of a service."""

    service: Text
    repository: Text
    revision: dict[str, Any] = Field(default_factory=dict)


class ClusterAt(Noun):
    """The cluster a system runs in."""

    context: Text | None = None
    namespaces: tuple[Text, ...] = ()
    in_cluster: StrictBool | None = None


class Regions(Noun):
    """How metrics and traces tell regions apart."""

    label: Text = "region"
    names: tuple[Text, ...] = Field(min_length=1)


WITHIN = timedelta(seconds=30)
"""How long what a responder starts may take, where nobody says: longer than a restart, and shorter
than anybody waits with users down."""


class Command(Noun):
    """A program of the operator's list, run without a shell on the machine gameday runs on."""

    run: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The program and its arguments; ``{region}`` and its like stand for parameters."""
    within: PositiveDuration = WITHIN


class Call(Noun):
    """One HTTP request."""

    get: Url | None = None
    post: Url | None = None
    put: Url | None = None
    patch: Url | None = None
    delete: Url | None = None
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    headers: dict[str, Header] = Field(default_factory=dict)
    token: Secret | None = None
    """Sent as a bearer token."""
    within: PositiveDuration = WITHIN

    @model_validator(mode="after")
    def _is_one_request(self) -> Call:
        _one_of(self, dict(zip(METHODS, METHODS, strict=True)), "write post: https://HOST/PATH")
        for name, value in self.headers.items():
            if name.lower() in SECRET_HEADERS and isinstance(value, str):
                raise _wrong(
                    f"the header '{name[:60]}' holds a secret itself", "use token: {env: NAME}"
                )
        return self


def _kind_of_undo(value: Any) -> str:
    if isinstance(value, Command) or (isinstance(value, dict) and "run" in value):
        return "as-command"
    return "as-call" if isinstance(value, dict | Call) else "as-word"


Undone = Annotated[
    Annotated[Literal["none"], Tag("as-word")]
    | Annotated[Command, Tag("as-command")]
    | Annotated[Call, Tag("as-call")],
    Discriminator(_kind_of_undo),
]
"""How something is taken back: ``none``, a command, or an HTTP call."""


class DeclaredMitigation(Noun):
    """Something a responder may do to the system, and how it is taken back."""

    name: Name
    command: Command | None = None
    http: Call | None = None
    kubernetes: dict[str, Any] | None = None
    chaostoolkit: dict[str, Any] | None = None
    undo: Undone | None = None
    """``none`` where nothing is to be taken back; the plan says so."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> DeclaredMitigation:
        kinds = ("command", "http", "kubernetes", "chaostoolkit")
        _one_of(self, dict(zip(kinds, kinds, strict=True)), "write command: {run: [PROGRAM, …]}")
        if (self.command or self.http) and self.undo is None:
            raise _wrong(
                f"'{self.name}' has no undo",
                "write how it is taken back when the drill is over, or undo: none",
            )
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
    links: dict[Text, Text] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> SystemSpec:
        if self.time_scale != 1 and not self.disposable:
            raise _wrong(
                "has a timeScale and is not disposable",
                "only where nobody depends on it: disposable: true, or leave timeScale out",
            )
        names = [m.name for m in self.mitigations]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise _wrong(f"has two mitigations named '{twice}'", "runbooks name them: rename one")
        return self


class System(Noun):
    """A system to play on, declared."""

    api_version: Literal["gameday/v1"] = "gameday/v1"
    kind: Literal["System"] = "System"
    metadata: SystemMetadata
    spec: SystemSpec
    path: Path | None = Field(default=None, exclude=True)
    """The file it was read from; set by `gameday.spec`, never written in the file."""
