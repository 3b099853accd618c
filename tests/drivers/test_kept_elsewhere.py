"""Metrics in one place and rules in another: each is asked for what it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gameday.drivers.prometheus import KeptElsewhere, Prometheus
from gameday.testing.served import served
from gameday.testing.virtual import START

pytestmark = pytest.mark.served


class Recording:
    """What speaks Prometheus' API, has nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.queries: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"].removeprefix("/api/v1/"))
        self.queries.append(scope["query_string"])
        data = {
            "rules": b'{"groups": []}',
            "targets": b'{"activeTargets": [{"scrapeInterval": "5s"}]}',
            "status/config": b'{"yaml": "global: {evaluation_interval: 7s}"}',
        }.get(self.asked[-1], b'{"result": []}')
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"data": ' + data + b"}"})


@pytest.fixture
def both() -> Iterator[tuple[KeptElsewhere, Recording, Recording]]:
    evaluating, keeping = Recording(), Recording()
    with served(evaluating) as one, served(keeping) as other:
        yield KeptElsewhere(Prometheus(one), Prometheus(other)), evaluating, keeping


async def test_rules_targets_and_alerts_are_asked_for_where_they_are_evaluated(
    both: tuple[KeptElsewhere, Recording, Recording],
) -> None:
    source, evaluating, keeping = both

    scrape, evaluation = await source.timing(slo="a")
    await source.alerts(slo="a", since=START, until=START)
    await source.started_at()

    assert (5, 7) == (scrape.total_seconds(), evaluation.total_seconds())
    assert {"rules", "targets", "query", "status/config", "status/runtimeinfo"} == set(
        evaluating.asked
    )
    assert [] == keeping.asked


async def test_what_is_measured_is_asked_for_where_it_is_kept_and_as_of_now(
    both: tuple[KeptElsewhere, Recording, Recording],
) -> None:
    source, evaluating, keeping = both

    await source.values("up")
    await source.burn_rates(slo="a")
    await source.counters(good_query="a", total_query="b", since=START, until=START)

    assert [] == evaluating.asked
    assert {"query"} == set(keeping.asked)
    assert all(b"nocache=1" in query for query in keeping.queries)
