"""A page as a pager carries it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from gameday.drivers.slack import Slack
from gameday.errors import PermanentDriverError
from gameday.model.notification import Severity, notification
from gameday.model.page import Links, Page
from gameday.testing.virtual import VirtualClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAGE = Page(
    incident="https://gameday.example/api/incidents/capability",
    service="checkout",
    slo="checkout-latency",
    alert="CheckoutLatencyBurn",
    burn_rate=14.44,
    window="1h",
    fired_at=NOON,
    burn_from=NOON,
    burn_until=NOON,
    links=Links(red="https://g/r", traces="https://g/t", profile="https://g/p", runbook=""),
    drill=True,
)


def test_a_page_becomes_a_notification_without_its_capability() -> None:
    carried = notification(PAGE, key="k", source="prometheus", details={"region": "eu-west"})

    assert "[DRILL] checkout spends the error budget of checkout-latency 14.4 times too fast" == (
        carried.headline
    )
    assert {
        "alert": "CheckoutLatencyBurn",
        "slo": "checkout-latency",
        "burn_rate": 14.44,
        "window": "1h",
        "fired_at": "2026-01-01T12:00:00+00:00",
        "drill": True,
        "region": "eu-west",
    } == carried.details
    assert (Severity.CRITICAL, NOON, "") == (
        carried.severity,
        carried.happened_at,
        carried.incident,
    )
    assert "capability" not in repr(carried)


def test_a_ticket_is_a_warning_and_what_is_unknown_is_left_out() -> None:
    ticket = PAGE.model_copy(
        update={"severity": "ticket", "burn_rate": None, "window": "", "summary": "slow"}
    )

    carried = notification(ticket, key="k", source="prometheus")

    assert (Severity.WARNING, "slow") == (carried.severity, carried.summary)
    assert {"alert", "slo", "fired_at", "drill"} == set(carried.details)


async def test_what_slack_does_not_take_is_cut_and_told() -> None:
    carried = notification(PAGE, key="k", source="prometheus")
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200, text="ok")

    slack = Slack(
        "https://hooks.example/x", clock=VirtualClock(), transport=httpx.MockTransport(answer)
    )
    receipt = await slack.page(
        replace(
            carried,
            summary="&" * 2400,
            drill=False,
            links=Links(red="https://g/" + "r" * 1000, traces="", profile="", runbook=""),
            details={str(n): n for n in range(20)},
        )
    )

    assert (
        "the summary was cut from 2400 characters",
        "12 details were left out: Slack takes ten fields",
        "the link RED was left out: it has 1010 characters",
    ) == receipt.notes
    assert "&amp;… [cut]" in sent[0].decode()


async def test_a_certificate_that_is_not_trusted_is_permanent() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")

    slack = Slack(
        "https://hooks.example/x", clock=VirtualClock(), transport=httpx.MockTransport(refuse)
    )

    with pytest.raises(PermanentDriverError, match=r"certificate that cannot be trusted"):
        await slack.page(notification(PAGE, key="k", source="prometheus"))
