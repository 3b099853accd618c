"""The Prometheus driver against a real Prometheus with a tiny exporter on loopback."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from statistics import median

import pytest

from gameday.drivers.prometheus import Prometheus
from gameday.errors import PermanentDriverError
from gameday.testing.served import PatientServer

pytestmark = pytest.mark.usefixtures("monitoring")

CONFIG = """
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: shop
    static_configs:
      - {targets: ["127.0.0.1:%d"], labels: {service: storefront}}
"""

RULES = """
groups:
  - name: slo-checkout
    interval: 500ms
    rules:
      - {record: "slo:error_budget:ratio", expr: vector(0.01), labels: {slo: checkout}}
      - record: slo:sli_error:ratio_rate5m
        expr: max(shop_bad_ratio)
        labels: {slo: checkout, service: storefront, sloth_window: 5m}
      - alert: CheckoutBudgetBurn
        expr: slo:sli_error:ratio_rate5m{slo="checkout"} > 0.144
        labels: {slo: checkout, severity: page, long_window: 1h}
"""


@dataclass
class Shop:
    url: str
    bad: float = 0.0
    requests: int = 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.fail("Prometheus is missing: run `make setup`")
    shop = Shop(url="")

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.requests += 1
            text = (
                "# TYPE shop_bad_ratio gauge\n"
                f"shop_bad_ratio {shop.bad}\n"
                "# TYPE shop_requests_total counter\n"
                f'shop_requests_total{{route="/checkout"}} {shop.requests}\n'
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    exporter = PatientServer(("127.0.0.1", 0), Exporter)
    exporter.daemon_threads = True
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yaml").write_text(CONFIG % exporter.server_address[1])
    (folder / "rules.yaml").write_text(RULES)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder}/prometheus.yaml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    shop.url = f"http://127.0.0.1:{port}"
    try:
        yield shop
    finally:
        process.terminate()
        process.wait(10)
        exporter.shutdown()
        exporter.server_close()


async def until(condition: object, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.1)
    raise AssertionError("waited in vain")


async def test_an_alert_is_timed_by_prometheus_own_evaluations(shop: Shop) -> None:
    prometheus = Prometheus(shop.url)
    started_at = datetime.now(UTC)

    async def alerts() -> list[object]:
        return list(
            await prometheus.alerts(slo="checkout", since=started_at, until=datetime.now(UTC))
        )

    async def evaluated() -> bool:
        # The rules may run before the first scrape: wait until they saw the exporter.
        if not await prometheus.alive():
            return False
        return await prometheus.burn_rates(slo="checkout") == {"5m": 0.0}

    async def fired() -> bool:
        return any(a.fired_at for a in await alerts())  # type: ignore[attr-defined]

    async def resolved() -> bool:
        return any(a.resolved_at for a in await alerts())  # type: ignore[attr-defined]

    await until(evaluated)
    assert await prometheus.rules(slo="checkout")
    assert not await prometheus.rules(slo="other")
    restarted_at = await prometheus.started_at()
    assert restarted_at is not None and restarted_at < datetime.now(UTC)
    half = timedelta(seconds=0.5)
    assert (half, half) == await prometheus.timing(slo="checkout")

    injected_at = datetime.now(UTC)
    shop.bad = 0.5
    await until(fired)
    burn = await prometheus.burn_rates(slo="checkout")
    assert burn["5m"] == pytest.approx(50)
    mended_at = datetime.now(UTC)
    shop.bad = 0.0
    await until(resolved)

    (alert,) = await prometheus.alerts(slo="checkout", since=started_at, until=datetime.now(UTC))
    assert "CheckoutBudgetBurn" == alert.labels["alertname"]
    assert alert.fired_at is not None and alert.resolved_at is not None
    assert alert.active_at == alert.fired_at
    # Between the change and the poll that saw it, however long a busy machine takes.
    assert injected_at < alert.fired_at < mended_at
    assert mended_at < alert.resolved_at < datetime.now(UTC)

    # Asked about a span that begins while it fired, it still knows when it fired.
    (late,) = await prometheus.alerts(
        slo="checkout",
        since=alert.resolved_at - timedelta(seconds=0.75),
        until=datetime.now(UTC),
    )
    assert (alert.fired_at, alert.resolved_at) == (late.fired_at, late.resolved_at)

    counters = await prometheus.counters(
        good_query='shop_requests_total{route="/checkout"}',
        total_query='shop_requests_total{service="storefront"}',
        since=injected_at,
        until=datetime.now(UTC),
    )
    (total,) = counters.total
    assert counters.good == counters.total
    assert "storefront" == total.labels["service"]
    steps = [b.at - a.at for a, b in zip(total.samples, total.samples[1:], strict=False)]
    assert abs(median(steps) - half) < timedelta(seconds=0.2)

    (series,) = await prometheus.range(
        "rate(shop_requests_total[2s])",
        since=alert.resolved_at - timedelta(seconds=1),
        until=alert.resolved_at,
        step=timedelta(seconds=0.25),
    )
    assert 1 <= len(series.samples) <= 5
    with pytest.raises(PermanentDriverError, match="parse error"):
        await prometheus.range(
            "rate(", since=injected_at, until=mended_at, step=timedelta(seconds=1)
        )
