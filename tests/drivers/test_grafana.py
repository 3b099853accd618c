"""A Grafana is asked for the data source that a document names; what is none is refused."""

from __future__ import annotations

from collections.abc import Iterator

import grafana_front
import pytest
from grafana_front import TOKEN, Source

from gameday.drivers.grafana import Grafana
from gameday.errors import PermanentDriverError
from gameday.http.credentials import Credentials

ASKED = Credentials({"Authorization": f"Bearer {TOKEN}"})
SOURCES = {
    "Prometheus EU": Source("prom/eu", "prometheus", "http://127.0.0.1:1"),
    "Managed": Source("amp", "grafana-amazonprometheus-datasource", "http://127.0.0.1:1"),
    "Metrics plugin": Source("vm", "victoriametrics-metrics-datasource", "http://127.0.0.1:1"),
    "Logs": Source("loki", "loki", "http://127.0.0.1:1"),
}


@pytest.fixture
def front() -> Iterator[grafana_front.Grafana]:
    with grafana_front.serving(grafana_front.Grafana(SOURCES)) as front:
        yield front


@pytest.mark.parametrize(
    ("told", "uid"),
    [
        ("Prometheus EU", "prom%2Feu"),
        ("prom/eu", "prom%2Feu"),
        ("Managed", "amp"),
        ("Metrics plugin", "vm"),
    ],
)
async def test_a_data_source_is_found_by_its_name_and_by_its_uid(
    front: grafana_front.Grafana, told: str, uid: str
) -> None:
    found = await Grafana(front.url, credentials=ASKED).proxy(told, tool="prometheus")

    assert f"{front.url}/api/datasources/proxy/uid/{uid}" == found


async def test_who_may_not_list_the_data_sources_names_one_by_its_uid(
    front: grafana_front.Grafana,
) -> None:
    front.lists = False

    found = await Grafana(front.url, credentials=ASKED).proxy("amp", tool="prometheus")

    assert f"{front.url}/api/datasources/proxy/uid/amp" == found


@pytest.mark.parametrize(
    ("told", "asked", "reason"),
    [
        ("Prometheus", ASKED, "has no data source 'Prometheus' (did you mean 'Prometheus EU'?"),
        ("Logs", ASKED, "'Logs' of Grafana at {url} is of loki, and not of prometheus"),
        ("Logs", Credentials(), "Invalid API key; a token or password is missing, wrong or"),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_words(
    front: grafana_front.Grafana, told: str, asked: Credentials, reason: str
) -> None:
    with pytest.raises(PermanentDriverError) as refused:
        await Grafana(front.url, credentials=asked).proxy(told, tool="prometheus")

    assert reason.format(url=front.url) in str(refused.value)
