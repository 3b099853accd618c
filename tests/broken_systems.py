"""What is broken on purpose: one row per fault, with what the doctor must say and what a run does.

The table of docs/systems.md has the same rows.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import broken_fronts
import grafana_front
import httpx
import real_programs
from broken_fronts import Asked, Said
from sound_system import TOTAL, Bench, silenced

from gameday.testing import pagerduty
from gameday.testing.pagerduty import FakePagerDuty

Breaks = Callable[[Bench], AbstractContextManager[None]]
PLAYED, MISUSED, REFUSED, UNREACHABLE = 0, 2, 3, 6


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        what: what is broken, as the table in the docs has it.
        breaks: breaks it for as long as its context lasts.
        check: the check that names it.
        found: what the check says; a part of it.
        how: what it says to do; a part of it.
        code: how a run on it ends: refused, or its tools cannot be reached; or it is played, and
            says what it does not know.
    """

    what: str
    breaks: Breaks
    check: str
    found: str
    how: str
    code: int = REFUSED
    needs_tls: bool = False


ROWS: list[Row] = []


def row(what: str, check: str, found: str, how: str, *, code: int = REFUSED) -> Any:
    """Add a row whose function breaks it."""

    def added(breaks: Callable[[Bench], Iterator[None]]) -> Any:
        is_tls = "certificate" in what
        broken = contextlib.contextmanager(breaks)
        ROWS.append(Row(what, broken, check, found, how, code, is_tls))
        return breaks

    return added


def prometheus_at(bench: Bench, url: str, **more: Any) -> None:
    bench.spec["metrics"]["prometheus"] = {"url": url, **more}


def alertmanager_at(bench: Bench, url: str, **more: Any) -> None:
    bench.spec["pages"]["alertmanager"] = {"url": url, **more}


def nothing() -> str:
    (port,) = real_programs.free_ports(1)
    return f"http://127.0.0.1:{port}"


@row("wrong port of Prometheus", "prometheus", "", "nothing listens there", code=UNREACHABLE)
def _(bench: Bench) -> Iterator[None]:
    prometheus_at(bench, nothing())
    yield


@row(
    "URL of something else",
    "prometheus",
    "",
    "answers, but not as Prometheus does: check the URL",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    page = Said(200, b"<html>Welcome</html>", "text/html")
    with broken_fronts.front(bench.tools.prometheus, lambda _: page) as url:
        prometheus_at(bench, url)
        yield


@row(
    "a login stands before Prometheus",
    "prometheus",
    "",
    "it leads elsewhere, such as to a login",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with broken_fronts.front(bench.tools.prometheus, lambda _: Said(302, b"")) as url:
        prometheus_at(bench, url)
        yield


@row(
    "unknown host",
    "prometheus",
    "",
    "no address is known for prometheus.invalid: check the URL",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    prometheus_at(bench, "http://prometheus.invalid:9090")
    yield


@row(
    "Prometheus takes connections and never answers",
    "prometheus",
    "",
    "no whole answer within 5 s",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with broken_fronts.silent() as url:
        prometheus_at(bench, url)
        yield


@row(
    "Prometheus answers byte by byte",
    "prometheus",
    "",
    "no whole answer within 5 s",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with broken_fronts.trickling() as url:
        prometheus_at(bench, url)
        yield


def asks_for(token: str) -> broken_fronts.Break:
    def broken(asked: Asked) -> Said | None:
        if asked.headers.get("authorization") == f"Bearer {token}":
            return None
        return Said.json({"error": "token expired"}, 401)

    return broken


@row(
    "wrong or expired token",
    "prometheus",
    "",
    "a token or password is missing, wrong or expired there: renew it",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with broken_fronts.front(bench.tools.prometheus, asks_for("right")) as url:
        prometheus_at(bench, url, bearerToken={"env": "PAGES_TOKEN"})
        os.environ["PAGES_TOKEN"] = "wrong"
        yield


@contextlib.contextmanager
def through_grafana(bench: Bench, token: str = grafana_front.TOKEN) -> Iterator[None]:
    """Have Prometheus and Alertmanager asked through a Grafana, with this token."""
    sources = {
        "Prom": grafana_front.Source("p1", "prometheus", bench.tools.prometheus),
        "Alerts": grafana_front.Source("a1", "alertmanager", bench.tools.alertmanager),
    }
    with grafana_front.serving(grafana_front.Grafana(sources)) as front:
        os.environ["PAGES_TOKEN"] = token
        for part, tool, name in (
            ("metrics", "prometheus", "Prom"),
            ("pages", "alertmanager", "Alerts"),
        ):
            bench.spec[part][tool] = {
                "grafana": {"url": front.url, "datasource": name},
                "bearerToken": {"env": "PAGES_TOKEN"},
            }
        yield


@row(
    "no such data source in Grafana",
    "grafana Promm",
    "",
    "has no data source 'Promm' (did you mean 'Prom'?",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with through_grafana(bench):
        bench.spec["metrics"]["prometheus"]["grafana"]["datasource"] = "Promm"
        yield


@row(
    "data source of Grafana is of something else",
    "grafana Alerts",
    "",
    "is of alertmanager, and not of prometheus",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with through_grafana(bench):
        bench.spec["metrics"]["prometheus"]["grafana"]["datasource"] = "Alerts"
        bench.spec["pages"]["alertmanager"] = {"url": bench.tools.alertmanager}
        yield


@row(
    "token of Grafana expired",
    "grafana Prom",
    "",
    "Invalid API key; a token or password is missing, wrong or expired there: renew it",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with through_grafana(bench, token="glsa_expired"):
        yield


@row(
    "variable of a secret not set",
    "prometheus",
    "",
    "the variable PAGES_TOKEN of the environment, which is not set",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    prometheus_at(bench, bench.tools.prometheus, bearerToken={"env": "PAGES_TOKEN"})
    yield


@row(
    "file of a secret missing",
    "secret token",
    "cannot be read (FileNotFoundError)",
    "put it there, or write in the system's document where it is",
)
def _(bench: Bench) -> Iterator[None]:
    prometheus_at(bench, bench.tools.prometheus, bearerToken={"file": "token"})
    yield


@row(
    "file of a secret readable by everybody",
    "secret /",
    "everybody on this machine may read it",
    "chmod o= ",
)
def _(bench: Bench) -> Iterator[None]:
    with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
        file.write("right")
        file.flush()
        Path(file.name).chmod(0o644)
        prometheus_at(bench, bench.tools.prometheus, bearerToken={"file": file.name})
        yield


@row(
    "certificate expired",
    "prometheus",
    "",
    "its certificate has expired; have it renewed there",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    made = bench.tools.certificates
    assert made is not None
    with broken_fronts.front(bench.tools.prometheus, tls=made.server("expired")) as url:
        prometheus_at(bench, url, ca=str(made.ca))
        yield


@row(
    "certificate of an unknown authority",
    "prometheus",
    "",
    "name the file of that authority, `ca` in a system's document",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    made = bench.tools.certificates
    assert made is not None
    with broken_fronts.front(bench.tools.prometheus, tls=made.server("good")) as url:
        prometheus_at(bench, url)
        yield


@row(
    "certificate for another name",
    "prometheus",
    "",
    "its certificate is for another name than 127.0.0.1",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    made = bench.tools.certificates
    assert made is not None
    with broken_fronts.front(bench.tools.prometheus, tls=made.server("other")) as url:
        prometheus_at(bench, url, ca=str(made.ca))
        yield


@row(
    "own client certificate expired",
    "prometheus",
    "",
    "see that `cert` and `key` are there, not expired",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    made = bench.tools.certificates
    assert made is not None
    server = made.server("good", asks=True)
    with broken_fronts.front(bench.tools.prometheus, tls=server) as url:
        own = {
            kind: str(made.folder / f"expired.{end}")
            for kind, end in (("cert", "pem"), ("key", "key"))
        }
        prometheus_at(bench, url, ca=str(made.ca), **own)
        yield


@row(
    "file of the own client certificate missing",
    "prometheus",
    "",
    "cannot be used (FileNotFoundError): see that",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    prometheus_at(bench, "https://127.0.0.1:9", cert="client.pem")
    yield


def of_tenant(tenant: str) -> broken_fronts.Break:
    """Answer as Mimir does: nothing is there of another tenant, and none at all is refused."""

    def broken(asked: Asked) -> Said | None:
        told = asked.headers.get("x-scope-orgid")
        if told is None:
            return Said.json({"status": "error", "error": "no org id"}, 401)
        if told == tenant or asked.query.startswith("vector("):
            return None
        if asked.query:
            return Said.json({"status": "success", "data": {"resultType": "vector", "result": []}})
        return Said.json({"status": "success", "data": {"groups": []}})

    return broken


@row(
    "another tenant",
    "burn rate of served",
    f"no series of {TOTAL}",
    "that the tenant in `headers` is the right one",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with broken_fronts.front(bench.tools.prometheus, of_tenant("books")) as url:
        prometheus_at(bench, url, headers={"X-Scope-OrgID": "shelves"})
        yield


@row("no tenant", "prometheus", "", "no org id", code=UNREACHABLE)
def _(bench: Bench) -> Iterator[None]:
    with broken_fronts.front(bench.tools.prometheus, of_tenant("books")) as url:
        prometheus_at(bench, url)
        yield


@row(
    "right to read rules missing",
    "rule PagesFailing",
    "",
    "whoever asks may not do that: give it the right to read",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    def broken(asked: Asked) -> Said | None:
        is_rules = asked.path == "/api/v1/rules"
        return Said.json({"error": "forbidden"}, 403) if is_rules else None

    with broken_fronts.front(bench.tools.prometheus, broken) as url:
        prometheus_at(bench, url)
        yield


@row(
    "clocks differ", "clock", "Prometheus is 5m ahead of this machine", "set both by a time server"
)
def _(bench: Bench) -> Iterator[None]:
    def broken(asked: Asked) -> Said | None:
        if asked.query != "vector(time())":
            return None
        value = [time.time(), str(time.time() + 300)]
        return Said.json(
            {"data": {"resultType": "vector", "result": [{"metric": {}, "value": value}]}}
        )

    with broken_fronts.front(bench.tools.prometheus, broken) as url:
        prometheus_at(bench, url)
        yield


@row(
    "no data for the SLO",
    "burn rate of served",
    "no series of visits_total",
    "see in Prometheus how its events are counted",
)
def _(bench: Bench) -> Iterator[None]:
    bench.total = "visits_total"
    yield


@row(
    "service under another name",
    "red of pages",
    "no request of 'pages' is counted by its query",
    "metrics.serviceLabel names another",
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["red"] = {"rate": 'sum(rate(visits_total{app="{service}"}[{window}]))'}
    yield


@row(
    "rule of the alert not loaded",
    "rule PagesSlow",
    "",
    "has no alerting rule 'PagesSlow': see that its file is loaded",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["alerts"] = {"page": {"alertname": "PagesSlow"}}
    yield


@row(
    "rule of the alert fails",
    "rule PagesTwice",
    "loaded, and fails: ",
    "mend its expression, or what it reads",
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["alerts"] = {"page": {"alertname": "PagesTwice"}}
    yield


@row(
    "Alertmanager cannot be reached",
    "alertmanager",
    "",
    "nothing listens there; check that it is up and the URL right",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    alertmanager_at(bench, nothing())
    yield


@row(
    "Prometheus sends to nobody",
    "alerts sent to",
    "Prometheus sends its alerts to nobody",
    "name an Alertmanager under `alerting`",
)
def _(bench: Bench) -> Iterator[None]:
    def broken(asked: Asked) -> Said | None:
        is_it = asked.path == "/api/v1/alertmanagers"
        return Said.json({"data": {"activeAlertmanagers": []}}) if is_it else None

    with broken_fronts.front(bench.tools.prometheus, broken) as url:
        prometheus_at(bench, url)
        yield


@row(
    "Prometheus sends to another Alertmanager",
    "alerts sent to",
    "and not to",
    "write that address under pages.alertmanager, or have Prometheus send there as well",
)
def _(bench: Bench) -> Iterator[None]:
    alertmanager_at(bench, bench.tools.other)
    yield


@row(
    "watchdog dead",
    "watchdog",
    "the rule Watchdog is loaded, and no such alert is at Alertmanager",
    "see in Prometheus whether it fires",
)
def _(bench: Bench) -> Iterator[None]:
    with silenced(bench.tools.alertmanager, "Watchdog"):
        yield


@row(
    "the alert is silenced",
    "silences of served",
    "PagesFailing is silenced until 2100-01-01",
    "amtool silence expire ",
)
def _(bench: Bench) -> Iterator[None]:
    with silenced(bench.tools.alertmanager, "PagesFailing"):
        yield


@row(
    "the page goes to a receiver that tells nobody",
    "page of served",
    "goes to 'nobody', which tells nobody",
    "mend the routes of Alertmanager",
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["alerts"] = {"page": {"alertname": "PagesUnheard"}}
    yield


@row(
    "the page goes to another receiver",
    "page of served",
    "goes to 'rota', and not to 'books-rota'",
    "amtool config routes test",
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["pages"]["receiver"] = "books-rota"
    yield


@contextlib.contextmanager
def paged_by_pagerduty(bench: Bench, token: str = pagerduty.TOKEN) -> Iterator[FakePagerDuty]:
    """Have the pages be incidents of PagerDuty, asked for with this key."""
    with pagerduty.fake_pagerduty() as fake:
        os.environ["PAGES_TOKEN"] = token
        at = {"url": fake.url, "service": pagerduty.SERVICE, "token": {"env": "PAGES_TOKEN"}}
        bench.spec["pages"] = {"pagerduty": at}
        yield fake


@row(
    "key of PagerDuty expired",
    "pagerduty",
    "",
    "Invalid Token; a token or password is missing, wrong or expired there: renew it",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with paged_by_pagerduty(bench, token="expired"):
        yield


@row(
    "no such service in PagerDuty",
    "pagerduty",
    "",
    "has no service 'PNONE' for this key",
    code=UNREACHABLE,
)
def _(bench: Bench) -> Iterator[None]:
    with paged_by_pagerduty(bench):
        bench.spec["pages"]["pagerduty"]["service"] = "PNONE"
        yield


@row(
    "service of PagerDuty in maintenance",
    "pagerduty",
    "the service 'Shop' is in maintenance",
    "end its maintenance window in PagerDuty",
)
def _(bench: Bench) -> Iterator[None]:
    with paged_by_pagerduty(bench) as fake:
        fake.service_status = "maintenance"
        yield


@row(
    "an incident of the alert is open in PagerDuty",
    "open incidents of served",
    "'[FIRING:1] pages', is open since ",
    "resolve it in PagerDuty, once its alert is over",
)
def _(bench: Bench) -> Iterator[None]:
    with paged_by_pagerduty(bench) as fake:
        alert = {"labels": {"alertname": "PagesFailing"}}
        fake.take(pagerduty.from_alertmanager("pages", alert))
        yield


ROTA = "http://127.0.0.1:9"
"""Where the sound system's Alertmanager sends its pages to."""


@contextlib.contextmanager
def sent_here(bench: Bench, *, token: str = "ours", url: str = ROTA) -> Iterator[str]:
    """Have the pages be sent to us; yield where we listen."""
    (port,) = real_programs.free_ports(1)
    told = {"LISTEN": f"127.0.0.1:{port}", "URL": url, "TOKEN": token}
    bench.spec["pages"] = {"webhook": True}
    variables = {f"GAMEDAY_HOOK_{name}": value for name, value in told.items()}
    os.environ.update(variables)
    try:
        yield told["LISTEN"]
    finally:
        for name in variables:
            os.environ.pop(name)


@row(
    "no token for the pages that are sent",
    "webhook",
    "no token is set by which a sender of pages is known",
    "set `[hook] token` (GAMEDAY_HOOK_TOKEN)",
)
def _(bench: Bench) -> Iterator[None]:
    with sent_here(bench, token=""):
        yield


@row(
    "the address that pages are sent to is taken",
    "webhook",
    "cannot be opened",
    "set `[hook] listen`; or is a drill going on?",
    code=MISUSED,
)
def _(bench: Bench) -> Iterator[None]:
    with sent_here(bench) as listen:
        host, _, port = listen.partition(":")
        with socket.create_server((host, int(port))):
            yield


@row(
    "pages are sent somewhere else",
    "page of served",
    "goes to 'rota', and not to http://127.0.0.1:8/hooks/alertmanager",
    "add a receiver with that url among its `webhook_configs`, and a route to it",
)
def _(bench: Bench) -> Iterator[None]:
    with sent_here(bench, url="http://127.0.0.1:8"):
        yield


@row(
    "pages are sent with a wrong token",
    "webhook",
    "without that token",
    "write the token of the settings into the receiver",
    code=PLAYED,
)
def _(bench: Bench) -> Iterator[None]:
    over = threading.Event()

    def send(listen: str) -> None:
        while not over.wait(0.1):
            with contextlib.suppress(httpx.HTTPError):
                headers = {"Authorization": "Bearer another"}
                url = f"http://{listen}/hooks/alertmanager"
                httpx.post(url, json={"alerts": []}, headers=headers, trust_env=False)

    with sent_here(bench) as listen:
        sender = threading.Thread(target=send, args=(listen,), daemon=True)
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join()


@row(
    "program of a mitigation not there",
    "mitigation take-out",
    "cannot be done from here",
    "there is no program /srv/no-such here: write its whole path",
)
def _(bench: Bench) -> Iterator[None]:
    bench.mitigation["command"] = {"run": ["/srv/no-such"]}
    yield


@row(
    "program of a mitigation not executable",
    "mitigation take-out",
    "cannot be done from here",
    "is not executable: chmod +x ",
)
def _(bench: Bench) -> Iterator[None]:
    (bench.folder / "mend").chmod(0o600)
    yield


@row(
    "nobody takes the call of a mitigation",
    "mitigation take-out",
    "cannot be done from here",
    "nobody takes a connection at http://127.0.0.1:",
)
def _(bench: Bench) -> Iterator[None]:
    del bench.mitigation["command"]
    bench.mitigation["http"] = {"post": f"{nothing()}/shed"}
    yield


@row(
    "secret of a mitigation not set",
    "mitigation take-out",
    "cannot be done from here",
    "the variable PAGES_TOKEN of the environment, which is not set",
)
def _(bench: Bench) -> Iterator[None]:
    del bench.mitigation["command"]
    call = {"post": f"{bench.tools.alertmanager}/shed", "token": {"env": "PAGES_TOKEN"}}
    bench.mitigation["http"] = call
    yield


@row("Toxiproxy not there", "toxiproxy", "", "does not answer", code=UNREACHABLE)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["toxiproxy"] = {"url": nothing()}
    yield


@row(
    "a link of the page leads nowhere",
    "link red",
    "leads nowhere",
    "answers 404 to : Not Found",
    code=PLAYED,
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["links"] = {"red": f"{bench.tools.prometheus}/d/red?from={{from}}"}
    yield


@row(
    "service traced under another name",
    "traces of pages",
    "no trace of 'pages' in the last 5m",
    "write `services: {pages: NAME}` below traces",
    code=PLAYED,
)
def _(bench: Bench) -> Iterator[None]:
    nothing_found = Said.json({"result": {"resourceSpans": []}})
    with broken_fronts.front(bench.tools.prometheus, lambda _: nothing_found) as url:
        bench.spec["traces"] = {"jaeger": {"url": url}}
        yield


@row(
    "repository not there",
    "code of pages",
    "",
    "repository",
    code=PLAYED,
)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["code"] = [{"service": "pages", "repository": "../no-such"}]
    yield


@row("deploys not told", "deploys", "", "/srv/deploys cannot be run", code=PLAYED)
def _(bench: Bench) -> Iterator[None]:
    bench.spec["deploys"] = [{"command": {"run": ["/srv/deploys"]}}]
    yield


@row("context of the cluster not there", "cluster", "", "no kubeconfig at", code=UNREACHABLE)
def _(bench: Bench) -> Iterator[None]:
    os.environ["KUBECONFIG"] = str(bench.folder / "no-such")
    bench.spec["kubernetes"] = {"context": "books", "namespaces": ["books"]}
    yield
