"""Each RED preset over what programs of its convention expose, scraped by a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from expositions import (
    ERROR_RATIO,
    MARK,
    MEAN_S,
    STEP_MS,
    Names,
    Program,
    bound,
    labelled,
    serving,
)
from real_programs import free_ports, running

from gameday.diagnosis.conventions import PRESETS
from gameday.diagnosis.dashboard import drawn
from gameday.diagnosis.links import Dashboard
from gameday.diagnosis.red import BurnSpan, Signal
from gameday.drafts.sources import sources
from gameday.drivers.prometheus import Prometheus, PrometheusSurvey
from gameday.incidents import deeplinks
from gameday.model.red import Histograms, RedPreset
from gameday.model.signals import Series
from gameday.testing.monitored import Cell
from scoring.slo import Objective

# One Prometheus for all of them, and one worker.
pytestmark = [pytest.mark.usefixtures("monitoring"), pytest.mark.xdist_group("red-presets")]

WINDOW = timedelta(seconds=3)
SCRAPED_WITHIN = 60.0

OTEL = Names(
    status="http_response_status_code",
    good="200",
    bad="503",
    labels=labelled(
        "http_request_method=GET http_route=/checkout network_protocol_version=1.1"
        " url_scheme=http otel_scope_name=io.opentelemetry.http"
    ),
    duration="http_server_request_duration_seconds",
)
OTEL_OLD = replace(
    OTEL,
    status="http_status_code",
    labels=labelled("http_method=GET http_route=/checkout http_scheme=http net_host_name=a"),
    duration="http_server_duration_milliseconds",
    unit=1000,
)
GRPC = Names(
    status="grpc_code",
    good="NotFound",
    bad="Unavailable",
    labels=labelled("grpc_method=Ping grpc_service=shop.Checkout grpc_type=unary"),
    duration="grpc_server_handling_seconds",
    requests="grpc_server_handled_total",
    histogram_has_status=False,
)
OTEL_RPC = Names(
    status="rpc_response_status_code",
    good="NOT_FOUND",
    bad="DEADLINE_EXCEEDED",
    labels=labelled("rpc_method=shop.Checkout/Ping rpc_system_name=grpc"),
    duration="rpc_server_call_duration_seconds",
)
OTEL_RPC_OLD = Names(
    status="rpc_grpc_status_code",
    good="5",
    bad="14",
    labels=labelled("rpc_method=Ping rpc_service=shop.Checkout rpc_system=grpc"),
    duration="rpc_server_duration_milliseconds",
    unit=1000,
)
ISTIO = Names(
    status="response_code",
    good="200",
    bad="503",
    labels=labelled(
        "reporter=destination destination_service_name=SERVICE destination_workload=SERVICE-v1"
        " destination_canonical_service=SERVICE request_protocol=http response_flags=-"
    ),
    # What the callers' proxies counted, among it what never arrived; and a neighbour.
    others=[labelled("reporter=source"), labelled("destination_service_name=SERVICE-b")],
    duration="istio_request_duration_milliseconds",
    requests="istio_requests_total",
    unit=1000,
)
ENVOY = Names(
    status="envoy_response_code_class",
    good="2",
    bad="5",
    labels=labelled("envoy_cluster_name=SERVICE"),
    others=[labelled("envoy_cluster_name=SERVICE-b")],
    duration="envoy_cluster_upstream_rq_time",
    requests="envoy_cluster_upstream_rq_xx",
    histogram_has_status=False,
    unit=1000,
)
NGINX = Names(
    status="status",
    good="404",
    bad="502",
    labels=labelled(
        "service=SERVICE ingress=shop namespace=shop method=GET path=/ canary="
        " controller_class=k8s.io/ingress-nginx controller_namespace=ingress controller_pod=a"
    ),
    others=[labelled("service=SERVICE-b")],
    duration="nginx_ingress_controller_request_duration_seconds",
    requests="nginx_ingress_controller_requests",
)
HAPROXY = Names(
    status="code",
    good="2xx",
    bad="5xx",
    labels=labelled("proxy=SERVICE"),
    others=[labelled("proxy=SERVICE-b")],
    requests="haproxy_backend_http_responses_total",
    mean="haproxy_backend_total_time_average_seconds",
)
TRAEFIK = Names(
    status="code",
    good="200",
    bad="504",
    labels=labelled("service=SERVICE@docker method=GET protocol=http"),
    others=[labelled("service=SERVICE-b@docker")],
    duration="traefik_service_request_duration_seconds",
    requests="traefik_service_requests_total",
)
LINKERD = Names(
    status="classification",
    good="success",
    bad="failure",
    labels=labelled("direction=inbound tls=true target_port=8080"),
    others=[labelled("direction=outbound dst_deployment=stock")],
    duration="response_latency_ms",
    requests="response_total",
    unit=1000,
)
SPRING = Names(
    status="status",
    good="200",
    bad="500",
    labels=labelled("application=SERVICE method=GET uri=/checkout outcome=X exception=none"),
    others=[labelled("application=SERVICE-b")],
    duration="http_server_requests_seconds",
)
CLIENT = Names(
    status="code",
    good="200",
    bad="500",
    labels=labelled("service=SERVICE handler=/checkout method=get"),
    others=[labelled("service=SERVICE-b")],
    duration="http_request_duration_seconds",
)


def without(names: Names, label: str) -> Names:
    """Return the names without this label, and without the neighbours that it tells apart."""
    return replace(names, labels={k: v for k, v in names.labels.items() if k != label}, others=())


def programs() -> Iterator[Program]:
    """Yield every way in which the metrics of a convention reach Prometheus."""
    by_name = {**OTEL.labels, "service_name": "SERVICE"}
    neighbour = [labelled("service_name=SERVICE-b")]
    promoted = replace(OTEL, labels=by_name, others=neighbour)
    old = replace(OTEL_OLD, labels={**OTEL_OLD.labels, "service_name": "SERVICE"}, others=neighbour)
    http, grpc = RedPreset.OTEL_HTTP, RedPreset.GRPC
    # The resource's attributes as labels; as the job, of a scrape and of OTLP; old names; both.
    yield Program("otel-promoted", http, [promoted], {"job": "otel-promoted"})
    yield Program("otel-job", http, [OTEL], {"job": "otel-job"})
    yield Program("otel-otlp", http, [OTEL], {"job": "shop/otel-otlp"})
    yield Program("otel-old", http, [old])
    yield Program("otel-old-job", http, [OTEL_OLD], {"job": "otel-old-job"})
    yield Program("otel-both", http, [promoted, old])
    yield Program("grpc", grpc, [GRPC], {"job": "grpc"})
    yield Program("grpc-otel", grpc, [OTEL_RPC], {"job": "grpc-otel"})
    yield Program("grpc-otel-old", grpc, [OTEL_RPC_OLD], {"job": "grpc-otel-old"})
    yield Program("grpc-plain", grpc, [replace(GRPC, duration="")], {"job": "grpc-plain"})
    yield Program("istio", RedPreset.ISTIO, [ISTIO])
    ambient = {**ISTIO.labels, "reporter": "waypoint"}
    yield Program("istio-ambient", RedPreset.ISTIO, [replace(ISTIO, labels=ambient)])
    yield Program("envoy", RedPreset.ENVOY, [ENVOY])
    yield Program("nginx", RedPreset.NGINX_INGRESS, [NGINX])
    metrics = {"service": "ingress-nginx-metrics", "namespace": "ingress"}
    yield Program("nginx-operator", RedPreset.NGINX_INGRESS, [NGINX], metrics)
    yield Program("haproxy", RedPreset.HAPROXY, [HAPROXY])
    yield Program("traefik", RedPreset.TRAEFIK, [TRAEFIK])
    yield Program("traefik-operator", RedPreset.TRAEFIK, [TRAEFIK], {"service": "traefik"})
    yield Program("linkerd", RedPreset.LINKERD, [LINKERD], {"deployment": "linkerd"})
    yield Program("spring", RedPreset.SPRING_BOOT, [SPRING])
    untagged = without(SPRING, "application")
    yield Program("spring-job", RedPreset.SPRING_BOOT, [untagged], {"job": "spring-job"})
    otlp = replace(untagged, duration="http_server_requests_milliseconds", unit=1000)
    plain = replace(SPRING, has_buckets=False)
    yield Program("spring-plain", RedPreset.SPRING_BOOT, [plain])
    yield Program("spring-otlp", RedPreset.SPRING_BOOT, [otlp], {"job": "spring-otlp"})
    yield Program("client", RedPreset.PROMETHEUS, [CLIENT])
    yield Program(
        "client-job", RedPreset.PROMETHEUS, [without(CLIENT, "service")], {"job": "client-job"}
    )


def native_of(program: Program) -> Program:
    """Return the same program with native histograms, under another name."""
    name = f"{program.service}-native"
    target = {k: v.replace(program.service, name) for k, v in program.target.items()}
    return replace(program, service=name, target=target)


def has_buckets(program: Program) -> bool:
    return all(names.duration and names.has_buckets for names in program.names)


CLASSIC = [replace(program, size=n + 1) for n, program in enumerate(programs())]
NATIVE = [native_of(program) for program in CLASSIC if has_buckets(program)]


@dataclass(frozen=True)
class Scraped:
    """A Prometheus that has scraped every program for longer than the window, up to ``at``."""

    url: str
    at: datetime

    async def read(
        self, program: Program, histograms: Histograms | None
    ) -> Mapping[Signal, float | None]:
        """Return what a responder who follows the RED link reads of a program's service."""
        queries = PRESETS[program.preset].queries(
            Histograms.CLASSIC if histograms is None else histograms
        )
        slo = Cell.promised(
            program.service, Objective(target_ratio=0.99, period=timedelta(days=30)), ()
        )
        tools = deeplinks.Tools(self.url, red=queries)
        link = deeplinks.red(tools, slo, since=self.at - WINDOW, until=self.at, window=WINDOW)
        prometheus = Prometheus(self.url)

        async def draw(
            query: str, since: datetime, until: datetime, step: timedelta
        ) -> Sequence[Series]:
            return await prometheus.range(query, since=since, until=until, step=step)

        dashboard = Dashboard.parse(link)
        span = BurnSpan(since=self.at, burn_from=self.at - 12 * WINDOW, paged_at=self.at)
        found = await drawn(draw, dashboard, span=span, now=self.at)
        values = {s: [one.samples[-1].value for one in found.panels[s]] for s in found.panels}
        assert 1 == len(values[Signal.ERRORS])
        assert len(values[Signal.DURATION]) <= 1
        return {s: sum(found) if found else None for s, found in values.items()}


@pytest.fixture(scope="module")
def scraped(monitoring: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("red-presets")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with serving(CLASSIC, NATIVE) as source:
        (folder / "prometheus.yml").write_text(json.dumps(configuration(source)))
        argv = [
            shutil.which("prometheus") or "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=native-histograms",
        ]
        with running(argv, answers=f"{url}/-/ready", log=folder / "log"):
            yield Scraped(url, asyncio.run(scraped_up_to(url)))


def configuration(source: int) -> dict[str, object]:
    """Return what Prometheus is told to scrape."""
    jobs = [
        {
            "job_name": f"{kind}-{program.service}",
            "metrics_path": f"/{kind}/{program.service}",
            "static_configs": [{"targets": [f"127.0.0.1:{source}"], "labels": program.target}],
        }
        for kind, of in (("classic", CLASSIC), ("native", NATIVE))
        for program in of
    ]
    # Twice a step, so that none is missed.
    interval = f"{STEP_MS // 2}ms"
    timing = {"scrape_interval": interval, "scrape_timeout": interval}
    return {"global": timing, "scrape_configs": jobs}


async def scraped_up_to(url: str) -> datetime:
    """Return the first instant up to which every program was scraped for a whole window."""
    prometheus = Prometheus(url)
    steps = WINDOW // timedelta(milliseconds=STEP_MS)
    whole = f"count(count_over_time({MARK}[{WINDOW.seconds}s]) >= {steps})"
    deadline = time.monotonic() + SCRAPED_WITHIN
    while time.monotonic() < deadline:
        at = datetime.fromtimestamp(
            (time.time_ns() // 1_000_000 // STEP_MS - 1) * STEP_MS / 1000, UTC
        )
        found = await prometheus.range(whole, since=at, until=at, step=timedelta(seconds=1))
        if found and found[0].samples[0].value == len(CLASSIC) + len(NATIVE):
            return at
        await asyncio.sleep(0.1)
    return pytest.fail(f"not every program was scraped within {SCRAPED_WITHIN:g} s")


async def test_labels_are_told_of_the_series_that_are_meant_and_how_they_differ(
    scraped: Scraped,
) -> None:
    service = next(p.service for p in CLASSIC if p.preset is RedPreset.HAPROXY)
    survey = PrometheusSurvey(scraped.url)
    listing = next(source.listing for source in sources() if source.preset == RedPreset.HAPROXY)

    labels = await survey.labels_of(listing)
    told = await survey.told_by(listing, ["proxy", "job"])

    assert {"proxy", "code", "job", "instance"} <= set(labels)
    assert "destination_service_name" not in labels
    assert {"proxy": service, "job": f"classic-{service}"} in told


def named(program: Program) -> str:
    return program.service


@pytest.mark.parametrize("program", [p for p in CLASSIC if has_buckets(p)], ids=named)
async def test_classic_histograms_read_as_what_was_put_in(
    scraped: Scraped, program: Program
) -> None:
    unit = program.names[0].unit

    assert {
        Signal.RATE: pytest.approx(program.rate),
        Signal.ERRORS: pytest.approx(ERROR_RATIO),
        Signal.DURATION: pytest.approx(bound(unit, native=False) / unit),
    } == await scraped.read(program, None)


@pytest.mark.parametrize("program", NATIVE, ids=named)
async def test_native_histograms_read_as_what_was_put_in(
    scraped: Scraped, program: Program
) -> None:
    unit = program.names[0].unit

    assert {
        Signal.RATE: pytest.approx(program.rate),
        Signal.ERRORS: pytest.approx(ERROR_RATIO),
        Signal.DURATION: pytest.approx(bound(unit, native=True) / unit),
    } == await scraped.read(program, Histograms.NATIVE)


@pytest.mark.parametrize("program", [p for p in CLASSIC if p.names[0].duration], ids=named)
async def test_sums_and_counts_read_as_the_mean(scraped: Scraped, program: Program) -> None:
    assert {
        Signal.RATE: pytest.approx(program.rate),
        Signal.ERRORS: pytest.approx(ERROR_RATIO),
        Signal.DURATION: pytest.approx(MEAN_S),
    } == await scraped.read(program, Histograms.NONE)


async def test_haproxy_has_a_mean_and_no_percentile(scraped: Scraped) -> None:
    (haproxy,) = [p for p in CLASSIC if p.preset is RedPreset.HAPROXY]

    assert {
        Signal.RATE: pytest.approx(haproxy.rate),
        Signal.ERRORS: pytest.approx(ERROR_RATIO),
        Signal.DURATION: pytest.approx(MEAN_S * haproxy.size),
    } == await scraped.read(haproxy, None)


@pytest.mark.parametrize(
    "program", [p for p in CLASSIC if not has_buckets(p) and not p.names[0].mean], ids=named
)
async def test_a_duration_that_is_not_there_is_not_guessed(
    scraped: Scraped, program: Program
) -> None:
    assert {
        Signal.RATE: pytest.approx(program.rate),
        Signal.ERRORS: pytest.approx(ERROR_RATIO),
        Signal.DURATION: None,
    } == await scraped.read(program, Histograms.CLASSIC)
