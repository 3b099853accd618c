"""What whoever runs the tests gives them: variables of their own, read once, before any test.

Every ``GAMEDAY_*`` is taken out of a test's environment, so a test that reads one itself never
finds it; and a program of ours that a test starts is not to meet a variable it does not know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Given:
    """The tests' own variables; what is empty is not given.

    Attributes:
        peers: GAMEDAY_TEST_PEERS, a folder whose ``get NAME`` prints the path of a real program;
            by default ``shared/peers`` beside the repository.
        corpora: GAMEDAY_TEST_CORPORA, a folder of published documents; by default
            ``shared/corpora`` beside the repository.
        postgres_url: GAMEDAY_TEST_POSTGRES_URL, a server that may be used instead of one of our
            own (``postgresql+psycopg://…``); databases are made and dropped in it.
        jaeger_url: GAMEDAY_TEST_JAEGER_URL, the query service of a running Jaeger.
        jaeger_otlp_url: GAMEDAY_TEST_JAEGER_OTLP_URL, its OTLP receiver; by default port 4318 of
            the same machine.
        toxiproxy_url: GAMEDAY_TEST_TOXIPROXY_URL, the control API of a running Toxiproxy.
        pyroscope_url: GAMEDAY_TEST_PYROSCOPE_URL, a running Pyroscope.
        grafana_url: GAMEDAY_TEST_GRAFANA_URL, a running Grafana.
        grafana_token: GAMEDAY_TEST_GRAFANA_TOKEN, of a service account of it.
        screenshots: GAMEDAY_TEST_SCREENSHOTS, a folder for the console's pictures.
    """

    peers: Path
    corpora: Path
    postgres_url: str
    jaeger_url: str
    jaeger_otlp_url: str
    toxiproxy_url: str
    pyroscope_url: str
    grafana_url: str
    grafana_token: str
    screenshots: str


def _given(name: str) -> str:
    return os.environ.get(f"GAMEDAY_TEST_{name.upper()}", "")


GIVEN = Given(
    peers=Path(_given("peers") or REPOSITORY.parent / "shared/peers"),
    corpora=Path(_given("corpora") or REPOSITORY.parent / "shared/corpora"),
    postgres_url=_given("postgres_url"),
    jaeger_url=_given("jaeger_url"),
    jaeger_otlp_url=_given("jaeger_otlp_url"),
    toxiproxy_url=_given("toxiproxy_url"),
    pyroscope_url=_given("pyroscope_url"),
    grafana_url=_given("grafana_url"),
    grafana_token=_given("grafana_token"),
    screenshots=_given("screenshots"),
)
