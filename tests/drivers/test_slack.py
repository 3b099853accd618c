"""What `Slack` posts, and what it makes of Slack's own answers."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.drivers.slack import Slack
from gameday.errors import PermanentDriverError, UsageError
from gameday.model.notification import Notification
from gameday.model.page import Links
from gameday.testing.virtual import VirtualClock

URL = "https://hooks.slack.com/services/T00000000/B00000000/s3cr3tOfTheIncomingHook"
PAGE = Notification(
    key="checkout/latency/7",
    summary="too slow",
    service="checkout",
    source="prometheus",
    links=Links(
        red="https://g/red?a=1&b=2|c>d e", traces="https://g/t", profile="", runbook="ftp://g/rb"
    ),
    incident="https://g/incidents/7",
    details={"burn_rate": 14.6},
)


class Channel:
    """Slack's side: keeps what came, answers as told."""

    def __init__(self, status: int = 200, body: str = "ok") -> None:
        self.messages: list[dict[str, Any]] = []
        self.answer = (status, body)

    def pager(self) -> Slack:
        def answer(request: httpx.Request) -> httpx.Response:
            assert URL == str(request.url)
            self.messages.append(json.loads(request.content))
            return httpx.Response(self.answer[0], text=self.answer[1])

        return Slack(
            URL, clock=VirtualClock(), rng=random.Random(1), transport=httpx.MockTransport(answer)
        )


def texts(message: dict[str, Any]) -> list[str]:
    """Return every text a message shows."""
    found = [message["text"]]
    for block in message["blocks"]:
        found += [block["text"]["text"]] if "text" in block else []
        found += [part["text"] for part in block.get("fields", []) + block.get("elements", [])]
    return found


async def test_a_page_shows_what_fired_and_where_to_look() -> None:
    channel = Channel()

    receipt = await channel.pager().page(PAGE)

    (message,) = channel.messages
    assert [
        ":rotating_light: *Page* checkout: too slow",
        ":rotating_light: *Page* too slow",
        "*Service*\ncheckout",
        "*Severity*\ncritical",
        "*burn_rate*\n14.6",
        "<https://g/incidents/7|Incident> · <https://g/red?a=1&amp;b=2%7Cc%3Ed%20e|RED>"
        " · <https://g/t|Traces>",
        "prometheus · checkout/latency/7",
    ] == texts(message)
    assert ("the link Runbook was left out: it is not a web address",) == receipt.notes


async def test_no_preview_opens_a_deeplink() -> None:
    channel = Channel()

    await channel.pager().page(PAGE)

    assert (False, False) == (
        channel.messages[0]["unfurl_links"],
        channel.messages[0]["unfurl_media"],
    )


async def test_an_acknowledgement_is_one_line() -> None:
    channel = Channel()

    await channel.pager().acknowledge(PAGE)

    assert [
        ":eyes: *Acknowledged* checkout: too slow",
        ":eyes: *Acknowledged* too slow",
        "prometheus · checkout/latency/7",
    ] == texts(channel.messages[0])


@given(
    st.text(max_size=200),
    st.text(alphabet="<>&!@|#`*_~\n", max_size=6000),
    st.dictionaries(st.text(alphabet="<a&", max_size=20), st.text(max_size=900), max_size=30),
)
async def test_nothing_in_an_alert_can_mention_link_or_overflow(
    service: str, summary: str, details: dict[str, str]
) -> None:
    channel = Channel()
    page = replace(PAGE, service=service, summary=summary, source=summary, details=details)

    await channel.pager().page(replace(page, key=summary, incident="", links=NO_LINKS))

    (message,) = channel.messages
    for text in texts(message):
        assert not re.search("[<>]", text)
        assert not re.search("&(?!amp;|lt;|gt;)", text)
        assert len(text) <= 3000
    fields = [block["fields"] for block in message["blocks"] if "fields" in block]
    assert all(len(found) <= 10 for found in fields)
    assert all(len(part["text"]) <= 2000 for found in fields for part in found)
    assert len(json.dumps(message["blocks"], ensure_ascii=False)) <= 13_000


NO_LINKS = Links(red="", traces="", profile="", runbook="")


@given(st.text(max_size=3000))
async def test_a_summary_short_enough_is_shown_whole(summary: str) -> None:
    channel = Channel()

    receipt = await channel.pager().page(replace(PAGE, summary=summary, links=NO_LINKS))

    escaped = summary.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = channel.messages[0]["blocks"][0]["text"]["text"].removeprefix(
        ":rotating_light: *Page* "
    )
    assert (shown == escaped) == (len(escaped) <= 2500) == (() == receipt.notes)


async def test_a_repeat_is_not_posted_twice_and_the_receipt_says_so() -> None:
    channel = Channel()
    pager = channel.pager()

    first = await pager.page(PAGE)
    again = await pager.page(PAGE)
    await pager.acknowledge(PAGE)
    third = await pager.page(PAGE)

    assert (1, 0, 0) == (first.tries, again.tries, third.tries)
    assert 2 == len(channel.messages)


async def test_what_changed_is_posted() -> None:
    channel = Channel()
    pager = channel.pager()

    await pager.page(PAGE)
    await pager.page(replace(PAGE, summary="nobody acknowledged"))

    assert 2 == len(channel.messages)


async def test_what_was_refused_is_not_taken_for_posted() -> None:
    channel = Channel(404, "no_service")
    pager = channel.pager()
    with pytest.raises(PermanentDriverError):
        await pager.page(PAGE)
    channel.answer = (200, "ok")

    receipt = await pager.page(PAGE)

    assert (1, 2) == (receipt.tries, len(channel.messages))


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (400, "invalid_payload", "incoming webhook"),
        (403, "action_prohibited", "administrator"),
        (403, "invalid_token", "copy it again"),
        (404, "channel_not_found", "make a webhook"),
        (404, "no_service", "make a new one"),
        (410, "channel_is_archived", "unarchive"),
        (400, '{"ok": false, "error": "invalid_blocks"}', "layout"),
    ],
)
async def test_slacks_words_are_explained(status: int, body: str, remedy: str) -> None:
    word = re.escape(body.split('"')[-2] if "{" in body else body)

    with pytest.raises(PermanentDriverError, match=f"answers {status}: {word}: .*{remedy}"):
        await Channel(status, body).pager().page(PAGE)


async def test_a_word_we_do_not_know_is_passed_on() -> None:
    with pytest.raises(PermanentDriverError, match=r"answers 400: something_new$"):
        await Channel(400, "something_new").pager().page(PAGE)


@pytest.mark.parametrize("url", ["", "hooks.slack.com/x", URL.replace("https", "http"), f"{URL}#x"])
def test_a_url_that_cannot_be_right_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="Slack") as caught:
        Slack(url, clock=VirtualClock())

    assert "s3cr3t" not in str(caught.value)
