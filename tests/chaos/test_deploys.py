"""Changes that go live and come back, against a control API in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos.deploys import (
    change_is_live,
    deploy_change,
    deploys_are_known,
    recover_change,
)


class Control:
    """The control API's deploys, with a version of checkout live everywhere."""

    def __init__(self) -> None:
        self.deploys = [{"service": "checkout", "revision": "base", "region": None}]
        self.refuses = ""
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(200, {"deploys": control.deploys})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/changes":
                    self.reply(200, {"revision": f"new{body['seed']}", "function": "price"})
                elif body["region"] == control.refuses:
                    self.reply(409, {"error": "the release does not start"})
                else:
                    control.deploys.append(body)
                    self.reply(200, {"ok": True})

            def reply(self, status: int, body: Any) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def live(self) -> dict[str, str]:
        found = {}
        for deploy in self.deploys:
            for region in [deploy["region"]] if deploy["region"] else ["eu-west", "us-east"]:
                found[str(region)] = str(deploy["revision"])
        return found


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    api = Control()
    monkeypatch.setenv("GAMEDAY_CONTROL_URL", f"http://127.0.0.1:{api.server.server_port}")
    thread = threading.Thread(target=api.server.serve_forever, args=(0.01,))
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


def test_a_change_goes_live_in_one_region_and_comes_back(control: Control) -> None:
    made = deploy_change("checkout", ["eu-west"], seed=4, change_name="gd-r-1")

    assert "new4" == made["revision"]
    assert {"eu-west": "new4", "us-east": "base"} == control.live()
    assert change_is_live("gd-r-1")

    assert ["eu-west"] == recover_change("gd-r-1")

    assert {"eu-west": "base", "us-east": "base"} == control.live()
    assert not change_is_live("gd-r-1")


def test_a_change_everywhere_is_one_deploy_and_so_is_its_recovery(control: Control) -> None:
    deploy_change("checkout", seed="9")
    recover_change()

    assert ["base", "new9", "base"] == [d["revision"] for d in control.deploys]
    assert {"eu-west": "base", "us-east": "base"} == control.live()


def test_recovering_twice_or_without_a_change_does_nothing(control: Control) -> None:
    assert [] == recover_change()
    deploy_change("checkout", revision="given")
    recover_change()
    deploys = list(control.deploys)

    assert [] == recover_change()

    assert deploys == control.deploys


def test_what_somebody_rolled_back_already_is_left_alone(control: Control) -> None:
    deploy_change("checkout", ["eu-west"])
    control.deploys.append({"service": "checkout", "revision": "fix", "region": "eu-west"})

    assert not change_is_live()
    assert [] == recover_change()

    assert {"eu-west": "fix", "us-east": "base"} == control.live()


def test_regions_that_differed_before_differ_again(control: Control) -> None:
    control.deploys.append({"service": "checkout", "revision": "canary", "region": "us-east"})
    deploy_change("checkout")

    recover_change()

    assert {"eu-west": "base", "us-east": "canary"} == control.live()


def test_a_deploy_that_fails_half_way_is_taken_back(control: Control) -> None:
    control.refuses = "us-east"

    with pytest.raises(ActivityFailed, match="does not start"):
        deploy_change("checkout", "eu-west,us-east")

    assert {"eu-west": "base", "us-east": "base"} == control.live()
    assert not change_is_live()


def test_one_change_name_is_used_once_at_a_time(control: Control) -> None:
    deploy_change("checkout")

    with pytest.raises(ActivityFailed, match="recover it first"):
        deploy_change("checkout")


def test_a_service_nobody_deployed_is_an_error(control: Control) -> None:
    assert deploys_are_known("checkout")
    assert not deploys_are_known("billing")
    with pytest.raises(ActivityFailed, match="deploys of checkout"):
        deploy_change("billing")


def test_a_name_that_is_a_path_is_refused(control: Control) -> None:
    with pytest.raises(ActivityFailed, match="no name for a change"):
        recover_change("../../etc/passwd")


def test_without_a_sandbox_the_message_says_what_to_do() -> None:
    with pytest.raises(ActivityFailed, match="gameday sandbox up"):
        deploys_are_known("checkout")


def test_a_control_api_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(ActivityFailed, match=r"nobody listens at http://127\.0\.0\.1:9"):
        deploys_are_known("checkout", control_url="http://127.0.0.1:9")


def test_with_the_sandbox_its_changes_are_gone(control: Control) -> None:
    deploy_change("checkout")
    ended = "http://127.0.0.1:9"

    assert not change_is_live(control_url=ended)
    assert [] == recover_change(control_url=ended)
    assert not change_is_live()
