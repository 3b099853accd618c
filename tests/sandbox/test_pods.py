"""What starts the shop's parts in pods, where a kubelet keeps them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gameday.errors import PermanentDriverError
from gameday.sandbox.pods import database, discovery, mailbox, releases, service

BAD_RELEASE = Path(__file__).parents[2] / "scenarios" / "bad-release.yaml"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def held(folder: Path, *revisions: str) -> Path:
    """A folder as an image holds it; the first revision is main."""
    for revision in revisions:
        (folder / "releases" / revision).mkdir(parents=True)
    (folder / "releases.json").write_text(json.dumps({"versions": {"main": revisions[0]}}))
    return folder


# --- the database ---------------------------------------------------------------------------------


def test_a_database_that_was_begun_and_not_finished_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "stock"
    made: list[str] = []

    def make(home: Path, names: tuple[str, ...], *, password: str) -> tuple[Path, ...]:
        (home / names[0]).mkdir()
        made.append(names[0])
        if len(made) == 1:
            raise PermanentDriverError("initdb took too long")
        (home / names[0] / "PG_VERSION").write_text("18")
        return (home / names[0],)

    with pytest.raises(PermanentDriverError):
        database.ensure(folder, make=make)
    assert not folder.exists()

    for _ in range(2):  # the next container, and one after it
        database.ensure(folder, make=make)

    assert ["stock"] == [p.name for p in tmp_path.iterdir()]
    assert ["PG_VERSION"] == [p.name for p in folder.iterdir()]
    assert 2 == len(made)


# --- releases -------------------------------------------------------------------------------------


def test_main_is_the_release_the_index_names(tmp_path: Path) -> None:
    folder = held(tmp_path, "a1b2c3", "d4e5f6")

    assert ("a1b2c3", folder / "releases" / "a1b2c3") == releases.find(folder, "main")


def test_a_release_is_found_by_its_beginning(tmp_path: Path) -> None:
    folder = held(tmp_path, "a1b2c3", "d4e5f6")

    assert "d4e5f6" == releases.find(folder, "d4")[0]


@pytest.mark.parametrize("name", ["ffff", "", "a"])
def test_a_release_that_is_not_one_is_an_error(tmp_path: Path, name: str) -> None:
    folder = held(tmp_path, "a1", "a2")

    with pytest.raises(PermanentDriverError, match="release"):
        releases.find(folder, name)


def test_an_image_without_releases_says_so(tmp_path: Path) -> None:
    with pytest.raises(PermanentDriverError, match="holds no releases"):
        releases.find(tmp_path, "main")


@pytest.mark.served
def test_an_image_holds_the_commit_that_the_shipped_scenario_expects(tmp_path: Path) -> None:
    spec = yaml.safe_load(BAD_RELEASE.read_text())["spec"]
    live = spec["faults"][0]["with"]["env"].removeprefix("SHOP_REVISION=")

    versions = releases.prepare(tmp_path / "image")["versions"]

    assert versions[live].startswith(spec["expect"]["culprit"]["commit"])


# --- a service ------------------------------------------------------------------------------------


def test_a_service_runs_the_code_of_its_release_before_all_other(tmp_path: Path) -> None:
    folder = held(tmp_path, "a1b2c3")

    env = service.environment({"SHOP_FOLDER": str(folder), "PYTHONPATH": "/app", "HOSTNAME": "x-1"})

    assert f"{folder}/releases/a1b2c3:/app" == env["PYTHONPATH"]
    assert "a1b2c3" == env["SHOP_REVISION"]
    assert "x-1" == env["SHOP_INSTANCE"]


def test_what_the_pod_says_stands_before_what_is_usual(tmp_path: Path) -> None:
    folder = held(tmp_path, "a1b2c3")

    env = service.environment({"SHOP_FOLDER": str(folder), "SHOP_PORT": "1234"})

    assert ("1234", "9100") == (env["SHOP_PORT"], env["SHOP_ADMIN_PORT"])


# --- the mailbox ----------------------------------------------------------------------------------


async def test_a_page_waits_with_the_instant_it_arrived() -> None:
    box = mailbox.Mailbox(now=lambda: NOW)
    box.put({"alerts": []})

    said = await box.after(0, wait_seconds=0)

    assert [{"number": 1, "arrived_at": NOW.isoformat(), "payload": {"alerts": []}}] == (
        said["letters"]
    )


async def test_whoever_begins_is_told_the_last_number_and_no_old_page() -> None:
    box = mailbox.Mailbox()
    box.put({"old": True})

    said = await box.after(-1, wait_seconds=0)

    assert (1, []) == (said["last"], said["letters"])


async def test_who_waits_gets_a_page_as_soon_as_it_comes() -> None:
    box = mailbox.Mailbox()
    waiting = asyncio.create_task(box.after(0, wait_seconds=30))
    await asyncio.sleep(0)

    box.put({"new": True})

    assert [1] == [letter["number"] for letter in (await waiting)["letters"]]


async def test_a_mailbox_that_starts_anew_is_another() -> None:
    assert mailbox.Mailbox().box != mailbox.Mailbox().box


async def test_the_webhook_refuses_what_is_no_json(tmp_path: Path) -> None:
    app = mailbox.create_app(mailbox.Mailbox(), folder=tmp_path)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://mailbox"
    ) as http:
        refused = await http.post("/hook", content=b"no")
        taken = await http.post("/hook", json={"version": "4"})
        letters = (await http.get("/letters", params={"after": 0})).json()["letters"]

    assert (400, 200) == (refused.status_code, taken.status_code)
    assert [{"version": "4"}] == [letter["payload"] for letter in letters]


# --- discovery ------------------------------------------------------------------------------------


def pod(name: str, *, phase: str = "Running", ip: str = "10.0.0.1", port: str = "metrics") -> Any:
    labels = {
        "shop.gameday.dev/service": "checkout",
        "shop.gameday.dev/region": "region-a",
        # What the API server writes over it on a node of another region.
        "topology.kubernetes.io/region": "region-c",
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"ports": [{"name": port, "containerPort": 9100}]}]},
        "status": {"phase": phase, "podIP": ip},
    }


def test_a_pod_is_asked_under_the_names_that_its_labels_give() -> None:
    found = discovery.targets([pod("checkout-1")])

    labels = {"service": "checkout", "region": "region-a", "pod": "checkout-1"}
    assert [{"targets": ["10.0.0.1:9100"], "labels": labels}] == found


@pytest.mark.parametrize(
    "other", [{"phase": "Pending"}, {"phase": "Succeeded"}, {"ip": ""}, {"port": "http"}]
)
def test_a_pod_that_counts_nothing_is_left_out(other: dict[str, str]) -> None:
    assert [] == discovery.targets([pod("checkout-1", **other)])


async def test_prometheus_keeps_its_list_when_the_api_server_does_not_answer(
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("secret\n")

    def broken(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500)

    inner = httpx.AsyncClient(transport=httpx.MockTransport(broken), base_url="https://api")
    app = discovery.create_app(inner, namespace="shop", account=tmp_path)
    async with (
        inner,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http,
    ):
        answer = await http.get("/targets")

    assert 503 == answer.status_code
    assert "secret" not in answer.text
