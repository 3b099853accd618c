"""Whom Alertmanager's routes tell: read as Alertmanager reads them, and said in the plan."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import yaml

from gameday.drivers.alertmanager import AlertmanagerRoutes
from gameday.errors import DriverError, PermanentDriverError
from gameday.house.run.alert_routing import paged_past_gameday, routing_of
from gameday.rules.alert_routes import past_gameday, receivers
from gameday.settings import ToolSettings
from gameday.spec import Catalogue

PAGE = {"service": "shop", "slo": "latency", "severity": "page"}


def configuration(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("[]", ["root"]),
        ("[{receiver: a, matchers: ['severity=\"page\"']}]", ["a"]),
        ("[{receiver: a, matchers: ['severity=\"ticket\"']}]", ["root"]),
        ("[{receiver: a, matchers: [severity=page, team!=db]}]", ["a"]),
        ('[{receiver: a, matchers: [\'{severity="page",service=~"sh.p"}\']}]', ["a"]),
        ("[{receiver: a, matchers: ['service=~\"sho\"']}]", ["root"]),
        ("[{receiver: a, matchers: ['service!~\"sh.*\"']}]", ["root"]),
        ("[{receiver: a, matchers: ['team=\"\"']}]", ["a"]),
        ("[{receiver: a, match: {service: shop}, match_re: {slo: 'lat.*'}}]", ["a"]),
        ("[{receiver: a, match_re: {slo: 'at.*'}}]", ["root"]),
        ("[{receiver: a}, {receiver: b}]", ["a"]),
        ("[{receiver: a, continue: true}, {receiver: b}]", ["a", "b"]),
        ("[{matchers: [severity=page], routes: [{receiver: c}]}]", ["c"]),
        ("[{matchers: [severity=page], routes: [{receiver: c, match: {slo: x}}]}]", ["root"]),
        ("[{receiver: a, matchers: ['not a matcher at all']}]", ["root"]),
    ],
)
def test_an_alert_reaches_who_alertmanager_would_tell(routes: str, expected: list[str]) -> None:
    given = configuration(f"route: {{receiver: root, routes: {routes}}}")

    assert expected == list(receivers(given, PAGE))


GAMEDAY = "{name: gameday, webhook_configs: [{url: 'http://x/hooks/alertmanager'}]}"
HIDDEN = "{name: gameday-hook, webhook_configs: [{url: <secret>}]}"
OTHER = "{name: rota, pagerduty_configs: [{routing_key: <secret>}]}"
BOTH = (
    "{name: gameday, webhook_configs: [{url: 'http://x/hooks/alertmanager'}],"
    " slack_configs: [{api_url: <secret>}]}"
)


@pytest.mark.parametrize(
    ("routes", "receiver", "said"),
    [
        ("[]", GAMEDAY, None),
        ("[]", HIDDEN, None),
        ("[]", OTHER, "'rota' and not to gameday"),
        ("[]", BOTH, "and not to gameday"),
        ("[{receiver: rota, continue: true}, {receiver: gameday}]", GAMEDAY, "also goes to 'rota'"),
    ],
)
def test_the_plan_says_that_the_real_rota_will_be_paged(
    routes: str, receiver: str, said: str | None
) -> None:
    name = yaml.safe_load(receiver)["name"]
    given = configuration(
        f"{{route: {{receiver: {name}, routes: {routes}}}, receivers: [{receiver}, {OTHER}]}}"
    )

    found = past_gameday(given, PAGE)

    if said is None:
        assert () == found
    else:
        assert said in found[0]
        assert "the real rota will be paged" in found[0]


def answering(body: Any, status: int = 200) -> AlertmanagerRoutes:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    return AlertmanagerRoutes("http://alertmanager.invalid", transport=transport)


async def test_the_routes_of_a_running_alertmanager_are_held_against_the_slos_pages() -> None:
    slo = Catalogue.around().slo("checkout-latency")
    text = f"{{route: {{receiver: rota}}, receivers: [{OTHER}]}}"

    (said,) = await paged_past_gameday(slo, answering({"config": {"original": text}}))
    unknown = await paged_past_gameday(slo, answering({}, status=404))

    assert "the real rota will be paged" in said
    assert "is not known" in unknown[0]
    assert () == await paged_past_gameday(slo, None)


@pytest.mark.parametrize("body", [{}, [], {"config": {"original": "["}}, {"config": 1}])
async def test_an_answer_that_is_no_configuration_is_refused(body: Any) -> None:
    with pytest.raises(PermanentDriverError, match="is it an Alertmanager"):
        await answering(body).configuration()


def test_without_a_setting_nobody_is_asked() -> None:
    assert routing_of(ToolSettings()) is None
    assert routing_of(ToolSettings(alertmanager_url="http://x")) is not None
    assert issubclass(PermanentDriverError, DriverError)
