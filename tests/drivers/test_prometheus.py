"""The Prometheus driver against answers from memory, served on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.drivers.prometheus import NamedAlert, NamedAlerts, Prometheus
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.model.slo import Slo
from gameday.testing.served import PatientServer
from scoring.slo import BurnWindow, Objective

pytestmark = pytest.mark.served

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
LABELS = {"alertname": "CheckoutBudgetBurn", "slo": "checkout", "long_window": "1h"}


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


class Memory:
    """Answers by the start of the query; every other path by its own entry."""

    def __init__(self) -> None:
        self.series: dict[str, list[dict[str, object]]] = {}
        self.paths: dict[str, object] = {
            "/api/v1/rules": {
                "groups": [
                    {
                        "interval": 1,
                        "rules": [
                            {"type": "recording", "labels": {"slo": "checkout"}},
                            {"type": "alerting", "labels": {"slo": "checkout"}},
                        ],
                    }
                ]
            },
            "/api/v1/status/config": {"yaml": "global: {evaluation_interval: 15s}"},
            "/api/v1/targets": {
                "activeTargets": [
                    {"scrapeInterval": "1s", "labels": {"service": "storefront"}},
                    {"scrapeInterval": "1m30s", "labels": {"service": "other"}},
                ]
            },
        }
        self.refused: set[str] = set()
        self.status = 200
        self.raw: bytes | None = None
        self.later: dict[str, list[dict[str, object]]] | None = None
        self.asked: list[dict[str, str]] = []

    def answer(self, target: str) -> tuple[int, bytes]:
        split = urlsplit(target)
        query = {k: v[0] for k, v in parse_qs(split.query).items()}
        if self.raw is not None:
            return self.status, self.raw
        if self.status != 200:
            return self.status, b'{"status":"error","error":"bad \\"query\\""}'
        if split.path in self.refused:
            return 404, b"not found"
        if split.path in self.paths:
            return 200, json.dumps({"status": "success", "data": self.paths[split.path]}).encode()
        self.asked.append(query)
        found = next(
            (v for k, v in self.series.items() if query.get("query", "").startswith(k)), []
        )
        if self.later is not None:
            self.series, self.later = self.later, None
        return 200, json.dumps({"status": "success", "data": {"result": found}}).encode()

    def samples(self, name: str, seconds: Sequence[float], value: str = "1", **labels: str) -> None:
        values = [[second(n).timestamp(), value] for n in seconds]
        self.series.setdefault(name, []).append({"metric": labels, "values": values})

    def now(self, query: str, value: str, **labels: str) -> None:
        entry: dict[str, object] = {"metric": labels, "value": [START.timestamp(), value]}
        self.series.setdefault(query, []).append(entry)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def prometheus(memory: Memory) -> Iterator[Prometheus]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = memory.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
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
    yield Prometheus(f"http://127.0.0.1:{server.server_address[1]}/")
    server.shutdown()
    server.server_close()
    thread.join()


async def test_an_alert_that_is_being_evaluated_while_it_is_asked_about_is_not_resolved(
    memory: Memory, prometheus: Prometheus
) -> None:
    # First the rules of second 7 have been recorded, and its alert has not; then two more seconds
    # have been evaluated, all of them firing.
    memory.samples("ALERTS{", [5, 6, 7, 8, 9], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(10), slo="checkout")
    memory.later, memory.series = memory.series, {}
    memory.samples("ALERTS{", [5, 6], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(8), slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(9))

    assert alert.resolved_at is None


async def test_an_evaluation_that_may_still_go_on_ends_no_alert(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [5, 6], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(8), slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(8))

    assert alert.resolved_at is None


async def test_an_alert_fires_at_its_first_firing_sample_and_resolves_at_the_next_evaluation(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [3, 4], alertstate="pending", **LABELS)
    memory.samples("ALERTS{", [5, 6, 7], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(12), slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(11))

    assert LABELS == alert.labels
    assert (second(3), second(5), second(8)) == (
        alert.active_at,
        alert.fired_at,
        alert.resolved_at,
    )


async def test_an_alert_is_not_resolved_because_prometheus_stopped(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [5, 6, 7], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(8), slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(60))

    assert alert.resolved_at is None


async def test_an_alert_that_fires_twice_is_two_alerts_and_a_lost_evaluation_is_no_end(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [2, 3, 7, 8, 11], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", [*range(9), 11, 12, 13], slo="checkout")

    first, again = await prometheus.alerts(slo="checkout", since=START, until=second(13))

    assert (second(2), second(4)) == (first.fired_at, first.resolved_at)
    assert (second(7), second(12)) == (again.fired_at, again.resolved_at)


async def test_recordings_of_another_group_only_prove_that_evaluation_went_on(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [2, 3], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", [0.4, 1.4, 2.4, 3.4, 4.4, 5.4], slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(6))

    assert second(4) == alert.resolved_at


async def test_branches_are_told_apart_by_their_labels(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [3], alertstate="firing", **LABELS)
    memory.samples("ALERTS{", [2], alertstate="pending", **{**LABELS, "long_window": "6h"})
    memory.samples("{__name__=~", range(6), slo="checkout")

    slow, fast = await prometheus.alerts(slo="checkout", since=START, until=second(6))

    assert ("6h", None) == (slow.labels["long_window"], slow.fired_at)
    assert ("1h", second(3)) == (fast.labels["long_window"], fast.fired_at)


async def test_a_pending_alert_tells_when_it_became_so_and_one_that_gave_up_never_fired(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [1, 2, 5, 6], alertstate="pending", **LABELS)
    memory.samples("ALERTS{", [7], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(10), slo="checkout")

    gave_up, fired = await prometheus.alerts(slo="checkout", since=START, until=second(9))

    assert (second(1), None, None) == (gave_up.active_at, gave_up.fired_at, gave_up.resolved_at)
    assert (second(5), second(7), second(8)) == (
        fired.active_at,
        fired.fired_at,
        fired.resolved_at,
    )


async def test_an_alert_goes_on_over_a_restart_in_which_nothing_was_evaluated(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("ALERTS{", [3, 4, 30, 31], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", [2, 3, 4, 30, 31, 32, 33], slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(40))

    assert (second(3), second(32)) == (alert.fired_at, alert.resolved_at)


async def test_samples_that_rules_set_back_are_set_forward_again(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.paths["/api/v1/status/config"] = {"yaml": "global: {rule_query_offset: 1m30s}"}
    memory.samples("ALERTS{", [2], alertstate="pending", **LABELS)
    memory.samples("ALERTS{", [3], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(6), slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(120))

    assert (second(92), second(93), second(94)) == (
        alert.active_at,
        alert.fired_at,
        alert.resolved_at,
    )
    asked = {query["time"] for query in memory.asked}
    assert {f"{second(30).timestamp():.3f}"} == asked


async def test_a_named_alert_that_its_rule_sets_back_is_not_taken_for_over(
    memory: Memory, prometheus: Prometheus
) -> None:
    slo = Slo(
        id="served",
        service="pages",
        objective=Objective(0.99, timedelta(days=30)),
        windows=(BurnWindow(timedelta(hours=1), timedelta(minutes=5), 14.4),),
        bad_query="bad",
        total_query="all",
    )
    rule = {"name": "PagesFailing", "type": "alerting", "lastEvaluation": f"{second(64):%FT%TZ}"}
    memory.paths["/api/v1/status/config"] = {"yaml": "global: {rule_query_offset: 1m}"}
    memory.paths["/api/v1/rules"] = {"groups": [{"interval": 1, "rules": [rule]}]}
    memory.samples("ALERTS{", [3, 4], alertstate="firing", alertname="PagesFailing")
    named = NamedAlerts(prometheus.url, NamedAlert({"alertname": "PagesFailing"}, slo, 1))

    (alert,) = await named.alerts(slo="served", since=START, until=second(120))

    assert (second(63), None) == (alert.fired_at, alert.resolved_at)


async def test_a_server_without_a_configuration_sets_nothing_back(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.refused.add("/api/v1/status/config")
    memory.samples("ALERTS{", [3], alertstate="firing", **LABELS)
    memory.samples("{__name__=~", range(6), slo="checkout")

    (alert,) = await prometheus.alerts(slo="checkout", since=START, until=second(9))

    assert second(3) == alert.fired_at


@pytest.mark.parametrize(
    ("stamp", "instant"),
    [
        ("2026-01-05T12:00:01.123456789Z", second(1.123456)),
        ("2026-01-05T13:00:01+01:00", second(1)),
        ("yesterday", None),
        (None, None),
    ],
)
async def test_a_restart_is_told_by_when_prometheus_was_started(
    memory: Memory, prometheus: Prometheus, stamp: str | None, instant: datetime | None
) -> None:
    memory.paths["/api/v1/status/runtimeinfo"] = {"startTime": stamp}

    assert instant == await prometheus.started_at()


@pytest.mark.parametrize(("label", "scale"), [("60", 60.0), ("fast", None)])
async def test_how_much_faster_time_runs_is_a_label_of_the_recordings(
    memory: Memory, prometheus: Prometheus, label: str, scale: float | None
) -> None:
    assert await prometheus.time_scale(slo="checkout") is None

    memory.now("slo:objective:ratio{", "0.99", time_scale=label)

    assert scale == await prometheus.time_scale(slo="checkout")


async def test_values_are_those_of_every_series_that_has_one(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.now("up", "1", instance="a")
    memory.now("up", "NaN", instance="b")

    assert [1.0] == list(await prometheus.values("up"))
    assert [] == list(await prometheus.values("down"))


async def test_no_alert_is_no_error(prometheus: Prometheus) -> None:
    assert [] == list(await prometheus.alerts(slo="checkout", since=START, until=second(9)))


async def test_burn_rates_are_ratios_over_the_budget_and_none_without_events(
    memory: Memory, prometheus: Prometheus
) -> None:
    name = "slo:sli_error:ratio_rate"
    memory.now('{__name__=~"slo:sli_error', "0.144", __name__=f"{name}1h")
    memory.now('{__name__=~"slo:sli_error', "NaN", __name__=f"{name}5m")
    memory.now("slo:error_budget:ratio{", "0.01")

    rates = await prometheus.burn_rates(slo="checkout")

    assert ["5m", "1h"] == list(rates)
    assert rates["5m"] is None
    assert rates["1h"] == pytest.approx(14.4)


async def test_a_rebased_budget_is_taken_from_the_objective_where_none_is_recorded(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.now('{__name__=~"slo:sli_error', "0.01", __name__="slo:sli_error:ratio_rate1h")
    memory.now("1 - slo:objective:ratio{", "0.005")

    assert {"1h": pytest.approx(2)} == await prometheus.burn_rates(slo="checkout")


async def test_counters_keep_every_sample_and_their_own_labels(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.samples("good{", [0, 1.003, 2], "7", __name__="good", instance="a")
    memory.samples("good{", [0.5], "9", __name__="good", instance="b")

    counters = await prometheus.counters(
        good_query='good{le="0.1"}', total_query="total{}", since=START, until=second(10)
    )

    assert [{"instance": "a"}, {"instance": "b"}] == [s.labels for s in counters.good]
    assert [START, second(1.003), second(2)] == [s.at for s in counters.good[0].samples]
    assert [] == list(counters.total)
    assert 'good{le="0.1"}[10000ms]' in [q["query"] for q in memory.asked]


async def test_timing_is_that_of_the_slos_service_and_rules(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.now('{__name__=~"slo:sli_error', "0", service="storefront")

    assert (timedelta(seconds=1), timedelta(seconds=1)) == await prometheus.timing(slo="checkout")


async def test_without_rules_the_global_interval_counts(prometheus: Prometheus) -> None:
    assert (timedelta(seconds=90), timedelta(seconds=15)) == await prometheus.timing(slo="other")
    assert await prometheus.rules(slo="checkout")
    assert not await prometheus.rules(slo="other")


async def test_a_range_keeps_the_milliseconds_and_drops_what_is_no_number(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.series["rate(x[5s])"] = [
        {"metric": {}, "values": [[START.timestamp(), "NaN"], [second(1).timestamp(), "2"]]}
    ]

    (series,) = await prometheus.range(
        "rate(x[5s])",
        since=second(0.25),
        until=second(1.75),
        step=timedelta(seconds=0.5),
    )

    assert [2.0] == [s.value for s in series.samples]
    (asked,) = memory.asked
    assert ("0.5", f"{second(0.25).timestamp():.3f}") == (asked["step"], asked["start"])


async def test_a_name_with_quotes_cannot_leave_its_label(
    memory: Memory, prometheus: Prometheus
) -> None:
    await prometheus.burn_rates(slo='x"} or up{a="')

    assert 'slo="x\\"} or up{a=\\""' in memory.asked[0]["query"]


async def test_what_prometheus_refuses_is_permanent_and_says_why(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.status = 400

    with pytest.raises(PermanentDriverError, match="bad"):
        await prometheus.burn_rates(slo="checkout")


async def test_an_overloaded_prometheus_may_be_asked_again(
    memory: Memory, prometheus: Prometheus
) -> None:
    memory.status = 503

    with pytest.raises(TemporaryDriverError):
        await prometheus.burn_rates(slo="checkout")
    with pytest.raises(TemporaryDriverError):
        await prometheus.rules(slo="checkout")


@pytest.mark.parametrize("body", [b"<html>", b'{"status":"success"}', b'{"data":{"result":[{}]}}'])
async def test_something_else_that_answers_is_said_to_be_something_else(
    memory: Memory, prometheus: Prometheus, body: bytes
) -> None:
    memory.raw = body

    with pytest.raises(PermanentDriverError, match="not as Prometheus does"):
        await prometheus.burn_rates(slo="checkout")


async def test_a_prometheus_that_is_gone_is_temporary_and_not_alive() -> None:
    gone = Prometheus("http://127.0.0.1:9")

    with pytest.raises(TemporaryDriverError, match="does not answer"):
        await gone.burn_rates(slo="checkout")
    with pytest.raises(TemporaryDriverError, match="does not answer"):
        await gone.rules(slo="checkout")
    assert not await gone.alive()
