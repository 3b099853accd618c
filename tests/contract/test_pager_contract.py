"""The pagers: PagerDuty, Slack, and a webhook of one's own."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gameday.drivers.pagerduty import PagerDuty
from gameday.drivers.slack import Slack
from gameday.drivers.webhook import Webhook
from gameday.model.notification import Action
from gameday.ports import Pager
from gameday.testing.contracts import PagedTool, PagerContract
from gameday.testing.receiver import Reply, Request

pytestmark = pytest.mark.served

KEY = "r0ut1ngk3y-of-32-characters-long"
HOOK = "/services/T00000000/B00000000/s3cr3tOfTheIncomingHook"
TOKEN = "t0ken/with+odd=characters"
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()


def pagerduty(url: str, **more: Any) -> Pager:
    return PagerDuty(KEY, url=url, **more)


def slack(url: str, **more: Any) -> Pager:
    return Slack(url + HOOK, **more)


def webhook(url: str, **more: Any) -> Pager:
    return Webhook(f"{url}/pages?code=inTheQueryOfTheUrl", secrets=[SECRET], token=TOKEN, **more)


def pagerduty_action(request: Request) -> Action:
    said = json.loads(request.body)["event_action"]
    return Action({"trigger": "page"}.get(said, said))


def slack_action(request: Request) -> Action:
    text = json.loads(request.body)["text"]
    words = {"*Page*": "page", "*Acknowledged*": "acknowledge", "*Resolved*": "resolve"}
    return next(Action(action) for word, action in words.items() if word in text)


class TestPagerDuty(PagerContract):
    @pytest.fixture
    def subject(self) -> PagedTool:
        body = b'{"status": "success", "message": "Event processed", "dedup_key": "k"}'
        return PagedTool(
            "PagerDuty",
            pagerduty,
            accepted=Reply(202, body),
            action_of=pagerduty_action,
            sameness_of=lambda request: json.loads(request.body)["dedup_key"],
            secrets=(KEY,),
            has_its_secrets=lambda request: KEY == json.loads(request.body)["routing_key"],
        )


class TestSlack(PagerContract):
    @pytest.fixture
    def subject(self) -> PagedTool:
        return PagedTool(
            "Slack",
            slack,
            accepted=Reply(200, b"ok"),
            action_of=slack_action,
            # It has no word for it: what was accepted already is not sent again.
            sameness_of=id,
            secrets=(HOOK, "s3cr3tOfTheIncomingHook"),
            has_its_secrets=lambda request: HOOK == request.path,
        )


class TestWebhook(PagerContract):
    @pytest.fixture
    def subject(self) -> PagedTool:
        return PagedTool(
            "webhook",
            webhook,
            accepted=Reply(204),
            action_of=lambda request: Action(
                json.loads(request.body)["type"].removeprefix("incident.")
            ),
            sameness_of=lambda request: request.headers["webhook-id"],
            secrets=(TOKEN, SECRET, SECRET.removeprefix("whsec_"), "inTheQueryOfTheUrl"),
            has_its_secrets=lambda r: f"Bearer {TOKEN}" == r.headers["authorization"],
            any_2xx_accepts=True,
        )
