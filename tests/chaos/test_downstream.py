"""The actions and probes on a real proxy, called as chaoslib calls them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos.downstream import (
    break_downstream,
    downstream_is_broken,
    downstream_is_clean,
    downstream_is_slow,
    recover_downstream,
    slow_downstream,
)
from gameday.sandbox import state
from gameday.testing.proxy import running_proxy

pytestmark = pytest.mark.served

EU = "inventory-db-eu-west"
US = "inventory-db-us-east"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_proxy([EU, US, "checkout-inventory-eu-west"]) as url:
        yield url


@pytest.fixture
def api(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("TOXIPROXY_URL", server)
    with httpx.Client(base_url=server, verify=False) as client:
        yield client
        client.post("/reset")


def toxics(api: httpx.Client, proxy: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.get(f"/proxies/{proxy}/toxics").json()
    return found


def test_slowing_one_region_leaves_the_other_alone(api: httpx.Client) -> None:
    done = slow_downstream("inventory", "db", ["eu-west"], latency="1.5s", jitter="40ms")

    assert [EU] == done["proxies"]
    assert {"latency": 1500, "jitter": 40} == toxics(api, EU)[0]["attributes"]
    assert [] == toxics(api, US)
    assert downstream_is_slow("inventory", "db", ["eu-west"])
    assert not downstream_is_slow("inventory", "db")
    assert not downstream_is_clean("inventory", "db", ["eu-west"])
    assert downstream_is_clean("inventory", "db", "us-east")


def test_no_region_means_every_region(api: httpx.Client) -> None:
    assert [EU, US] == slow_downstream("inventory", "db")["proxies"]


def test_regions_may_be_text_with_commas(api: httpx.Client) -> None:
    assert [EU, US] == slow_downstream("inventory", "db", "eu-west, us-east")["proxies"]


def test_recovering_removes_exactly_the_toxics_of_its_name_and_may_be_repeated(
    api: httpx.Client,
) -> None:
    slow_downstream("inventory", "db", toxic_name="mine")
    slow_downstream("inventory", "db", ["eu-west"], toxic_name="theirs")

    assert [EU, US] == recover_downstream("inventory", "db", toxic_name="mine")
    assert [] == recover_downstream("inventory", "db", toxic_name="mine")

    assert ["theirs"] == [t["name"] for t in toxics(api, EU)]


def test_a_fault_that_cannot_be_put_in_everywhere_is_put_in_nowhere(api: httpx.Client) -> None:
    slow_downstream("inventory", "db", ["us-east"], latency="7ms")

    with pytest.raises(ActivityFailed, match="toxic already exists"):
        slow_downstream("inventory", "db", ["eu-west", "us-east"])

    assert [] == toxics(api, EU)
    assert {"latency": 7, "jitter": 0} == toxics(api, US)[0]["attributes"]


@pytest.mark.parametrize(
    ("service", "regions", "hint"),
    [
        ("inventori", ["eu-west"], "did you mean 'inventory-db-eu-west'"),
        ("inventory", ["eu-wset"], "did you mean 'inventory-db-eu-west'"),
        ("inventory", ["eu-west", "mars"], "inventory-db-mars"),
        ("warehouse", None, "warehouse-db-<region>"),
    ],
)
def test_a_hop_without_a_proxy_is_an_error_that_names_the_nearest(
    api: httpx.Client, service: str, regions: list[str] | None, hint: str
) -> None:
    with pytest.raises(ActivityFailed, match=hint):
        slow_downstream(service, "db", regions)

    assert [] == toxics(api, EU)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("latency", "400"), ("jitter", "x"), ("toxicity", "2"), ("ttl_s", "-1"), ("ttl_s", "5m")],
)
def test_a_value_that_cannot_be_meant_is_refused(
    api: httpx.Client, argument: str, value: str
) -> None:
    with pytest.raises(ActivityFailed, match=argument):
        slow_downstream("inventory", "db", **{argument: value})  # type: ignore[arg-type]

    assert [] == toxics(api, EU)


def test_what_the_command_line_gives_as_text_is_understood(api: httpx.Client) -> None:
    slow_downstream("inventory", "db", "eu-west", toxicity="0.5", ttl_s="60")

    shown = toxics(api, EU)[0]
    assert 0.5 == shown["toxicity"]
    assert 50_000 < int(str(shown["ttl"])) <= 60_000


@pytest.mark.parametrize("mode", ["reset", "timeout", "down"])
def test_a_broken_downstream_comes_back(api: httpx.Client, mode: str) -> None:
    break_downstream("inventory", "db", ["eu-west"], mode=mode, toxic_name="mine")

    assert downstream_is_broken("inventory", "db", ["eu-west"])
    assert not downstream_is_slow("inventory", "db", ["eu-west"])
    assert (mode != "down") is api.get(f"/proxies/{EU}").json()["enabled"]

    assert [EU] == recover_downstream("inventory", "db", ["eu-west"], toxic_name="mine")
    assert api.get(f"/proxies/{EU}").json()["enabled"]
    assert downstream_is_clean("inventory", "db")


def test_a_proxy_that_somebody_else_disabled_is_not_touched(api: httpx.Client) -> None:
    api.patch(f"/proxies/{US}", json={"enabled": False})

    with pytest.raises(ActivityFailed, match="disabled already"):
        break_downstream("inventory", "db", mode="down")

    recover_downstream("inventory", "db")
    assert not api.get(f"/proxies/{US}").json()["enabled"]
    assert [] == toxics(api, EU)


def test_an_unknown_mode_is_refused(api: httpx.Client) -> None:
    with pytest.raises(ActivityFailed, match="reset, timeout, down"):
        break_downstream("inventory", "db", mode="explode")


def test_faults_of_the_same_run_do_not_count_as_foreign(api: httpx.Client) -> None:
    slow_downstream("inventory", "db", ["eu-west"], toxic_name="gd-7f-1")

    assert downstream_is_clean("inventory", "db", ignore="gd-7f-2")
    assert not downstream_is_clean("inventory", "db", ignore="gd-8a-1")


def test_without_any_address_the_running_sandbox_is_used(
    api: httpx.Client, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOXIPROXY_URL")
    with pytest.raises(ActivityFailed, match="gameday sandbox up"):
        downstream_is_clean("inventory", "db")
    folder = state.default_folder()
    folder.mkdir(parents=True)
    urls = dict.fromkeys(
        ["edge_url", "prometheus_url", "alertmanager_url", "store_url", "control_url"], server
    )
    state.write(
        state.SandboxState(
            pid=1,
            born="",
            started_at=datetime.now(UTC),
            time_scale=60,
            folder=str(folder),
            proxy_url=server,
            repository="",
            token="",
            **urls,
        )
    )

    assert downstream_is_clean("inventory", "db")


def test_a_proxy_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ActivityFailed, match="does not answer"):
        slow_downstream("inventory", "db", toxiproxy_url="http://127.0.0.1:9")
