"""``gameday slo status`` against answers from memory, served on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.cli.app import run
from gameday.drivers.prometheus import Prometheus
from gameday.house.slos.status import SloStatus, read_status
from gameday.model.slo import Raw, Slo
from gameday.testing.served import PatientServer
from scoring.slo import BurnWindow, Objective, Severity, workbook_windows

MONTH = timedelta(days=30)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SLO = Slo(
    id="checkout",
    service="storefront",
    objective=Objective(0.99, MONTH),
    windows=workbook_windows(MONTH),
    good_query="good",
    total_query="total",
)

Answer = Callable[[str, dict[str, str]], list[dict[str, Any]]]


class Memory:
    """A Prometheus that records at a burn rate, and has counted for a share of the period.

    Attributes:
        rates: burn rate by nominal window, as recorded; empty: no rules are loaded.
        labels: of the recordings.
        history_ratio: share of the period, at its end, of which counters are held.
        error_ratio: over that history.
        counted: what an instant question about counters answers.
    """

    def __init__(self) -> None:
        self.rates: dict[str, float] = {"5m": 0.0, "1h": 0.5, "6h": 0.25}
        self.labels: dict[str, str] = {}
        self.history_ratio = 1.0
        self.error_ratio = 0.002
        self.counted: str | None = "0.004"
        self.asked: list[str] = []

    def result(self, query: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        self.asked.append(query)
        if query.startswith("sum(increase("):
            # The shipped SLO's good events are those in a bucket of its histogram.
            return self._range("good" in query or "le=" in query, asked)
        if query.startswith('{__name__=~"slo:sli_error'):
            return [
                self._now(str(rate * 0.01), __name__=f"slo:sli_error:ratio_rate{window}")
                for window, rate in self.rates.items()
            ]
        if query.startswith("slo:error_budget") and self.rates:
            return [self._now("0.01")]
        if query.startswith("slo:objective") and self.labels:
            return [self._now("0.99", **self.labels)]
        if "rate(" in query and self.counted is not None:
            return [self._now(self.counted)]
        return []

    def _now(self, value: str, **labels: str) -> dict[str, Any]:
        return {"metric": labels, "value": [NOW.timestamp(), value]}

    def _range(self, is_good: bool, asked: dict[str, str]) -> list[dict[str, Any]]:
        start, end, step = (float(asked[key]) for key in ("start", "end", "step"))
        slots = round((end - start) / step) + 1
        share = 1000 * (1 - self.error_ratio) if is_good else 1000
        held = range(round(slots * (1 - self.history_ratio)), slots)
        values = [[start + n * step, str(share)] for n in held]
        return [{"metric": {}, "values": values}] if values else []


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def url(memory: Memory) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            asked = {k: v[0] for k, v in parse_qs(split.query).items()}
            found = {"result": memory.result(asked.get("query", ""), asked)}
            body = json.dumps({"status": "success", "data": found}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = PatientServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


async def status(url: str, slo: Slo = SLO, **options: Any) -> SloStatus:
    (found,) = await read_status(Prometheus(url), [slo], now=NOW, **options)
    return found


async def test_a_budget_is_gone_when_the_rest_of_it_has_burned_at_the_present_rate(
    url: str,
) -> None:
    found = await status(url)

    # 0.2 % of all events were bad, of 1 % that may be: a fifth of the budget. What is left lasts
    # 0.8 × 30 d at a burn rate of 1, and twice that at one half.
    assert {"5m": 0.0, "1h": 0.5, "6h": 0.25} == found.burn_rates
    assert ("1h", 0.5) == (found.rate_window, found.present_rate)
    assert pytest.approx(0.8) == found.to_json()["budget_remaining_ratio"]
    assert pytest.approx(48) == (found.exhausted_in or timedelta()) / timedelta(days=1)


async def test_what_is_missing_of_the_period_is_said_and_not_guessed(
    memory: Memory, url: str
) -> None:
    memory.history_ratio, memory.error_ratio = 0.1, 0.02

    found = (await status(url)).to_json()

    # Twice the allowed share, for a tenth of the period: a fifth of the budget at that traffic.
    assert pytest.approx(0.1) == found["history_ratio"]
    assert pytest.approx(0.8) == found["budget_remaining_ratio"]


async def test_an_overspent_budget_is_gone_now(memory: Memory, url: str) -> None:
    memory.error_ratio = 0.02

    found = await status(url)

    assert timedelta(0) == found.exhausted_in
    assert pytest.approx(-1) == found.to_json()["budget_remaining_ratio"]


async def test_without_a_burn_the_budget_never_ends(memory: Memory, url: str) -> None:
    memory.rates["1h"] = 0.0

    assert (await status(url)).exhausted_in is None


async def test_no_events_are_no_data(memory: Memory, url: str) -> None:
    memory.history_ratio, memory.rates, memory.counted = 0.0, {"1h": float("nan")}, None

    found = await status(url)

    document = found.to_json()
    assert {"1h": None} == found.burn_rates
    assert [None] * 4 == [
        document[key]
        for key in (
            "budget_remaining_ratio",
            "history_ratio",
            "present_rate",
            "exhausted_in_seconds",
        )
    ]
    assert document["no_data"]


async def test_compressed_time_shortens_the_period_and_is_read_from_the_recordings(
    memory: Memory, url: str
) -> None:
    memory.labels = {"time_scale": "60"}

    found = await status(url)

    assert (60.0, 43_200.0) == (found.time_scale, found.to_json()["period_seconds"])
    assert pytest.approx(0.8) == (found.exhausted_in or timedelta()) / timedelta(days=1)


async def test_where_no_rules_are_loaded_burn_rates_come_from_the_counters(
    memory: Memory, url: str
) -> None:
    memory.rates = {}

    found = await status(url, time_scale=60)

    assert {"5m", "30m", "1h", "2h", "6h", "1d", "3d"} == set(found.burn_rates)
    assert pytest.approx(0.4) == found.present_rate
    asked = next(q for q in memory.asked if "[60000ms]" in q)
    assert asked == (
        "1 - (sum(rate(good[60000ms])) or vector(0)) / (sum(rate(total[60000ms])) > 0)"
    )


async def test_a_counter_of_bad_events_is_no_complement(memory: Memory, url: str) -> None:
    memory.rates = {}
    bad = Slo("x", "x", SLO.objective, SLO.windows, bad_query="bad", total_query="total")

    found = await status(url, bad)

    assert pytest.approx(0.4) == found.present_rate
    assert all("1 - " not in query for query in memory.asked if "rate(bad" in query)
    memory.counted = None
    assert (await status(url, bad)).present_rate is None


async def test_an_slo_that_counts_no_events_has_only_what_is_recorded(
    memory: Memory, url: str
) -> None:
    raw = Slo("x", "x", SLO.objective, SLO.windows, measured=Raw("ratio"))

    assert 0.5 == (await status(url, raw)).present_rate
    memory.rates = {}
    silent = await status(url, raw)
    assert ({}, None) == (dict(silent.burn_rates), silent.present_rate)
    assert "not counted" in str(silent.to_json()["no_data"])


async def test_the_present_rate_is_that_of_the_branch_that_pages_first(url: str) -> None:
    def rated(*windows: BurnWindow) -> Slo:
        return Slo("x", "x", SLO.objective, windows, good_query="good", total_query="total")

    page, ticket = SLO.windows[1], SLO.windows[2]
    assert "6h" == (await status(url, rated(ticket, page))).rate_window
    assert Severity.TICKET is ticket.severity
    assert "1d" == (await status(url, rated(ticket))).rate_window
    assert "" == (await status(url, rated())).rate_window


# --- the command --------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_what_to_know_about_it(
    memory: Memory, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.history_ratio = 0.5

    assert 0 == run(["slo", "status", "checkout-latency", "--prometheus", url])

    output = capsys.readouterr()
    assert "at most 90 %" in output.out
    assert "50 %" in output.out
    assert "5m 0, 1h 0.5, 6h 0.25" in output.out
    assert "54 d" in output.out
    assert "part of the period only" in output.err
    assert "the burn rate over 1h" in output.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"error_ratio": 0.02}, "it is gone"),
        ({"rates": {"1h": 0.0}}, "never"),
        ({"history_ratio": 0.0, "rates": {}, "counted": None}, "no data"),
        ({"rates": {"1h": float("nan")}}, "no data"),
    ],
)
def test_the_command_says_in_words_when_the_budget_is_gone(
    memory: Memory,
    url: str,
    change: dict[str, Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in change.items():
        setattr(memory, name, value)

    assert 0 == run(["slo", "status", "checkout-latency", "--prometheus", url])

    assert said in capsys.readouterr().out


def test_every_slo_is_shown_without_a_name_and_json_is_for_programs(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_PROMETHEUS_URL", url)

    assert 0 == run(["slo", "status", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert "checkout-latency" in {one["slo"] for one in found}
    assert {"budget_remaining_ratio", "burn_rates", "exhausted_in_seconds", "history_ratio"} <= (
        found[0].keys()
    )


def test_without_any_prometheus_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert 6 == run(["slo", "status"])
    assert "--prometheus URL" in capsys.readouterr().err


def test_a_prometheus_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert 6 == run(["slo", "status", "--prometheus", "http://127.0.0.1:9"])
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_an_slo_nobody_knows_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["slo", "status", "checkout-latenzy", "--prometheus", url])
    assert "checkout-latency" in capsys.readouterr().err
