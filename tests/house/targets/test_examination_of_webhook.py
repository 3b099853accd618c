"""That a page that is sent to us gets here is asked before a drill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from gameday.errors import TemporaryDriverError, UsageError
from gameday.house.targets.check import Check
from gameday.house.targets.examination.inquiry import answered
from gameday.house.targets.examination.look import Look
from gameday.house.targets.examination.webhook import webhook
from gameday.house.targets.sent_here import Came, SentHere
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.rules.loaded import LoadedRule, LoadedRules
from gameday.server.page_door import PageDoor
from gameday.settings import HookSettings
from scoring.slo import BurnWindow, Objective

SLO = Slo(
    id="served",
    service="pages",
    objective=Objective(0.99, timedelta(days=30)),
    windows=(BurnWindow(timedelta(minutes=1), timedelta(seconds=5), 10),),
    bad_query='answers{code="5xx"}',
    total_query="answers",
)
SHARE = 'sum(rate(answers{{code="5xx"}}[{0}])) / sum(rate(answers[{0}])) > 0.1'
RULE = LoadedRule(
    "PagesFailing", f"{SHARE.format('1m')} and {SHARE.format('5s')}", is_alert=True, labels={}
)
WATCHDOG = LoadedRule("Watchdog", "vector(1)", is_alert=True, labels={})
TOKEN = SecretStr("t")
HERE = HookSettings(listen="0.0.0.0:8081", url="http://drills:8081", token=TOKEN)
HOOK = "http://drills:8081/hooks/alertmanager"


def routed_to(name: str, url: str | None) -> Mapping[str, Any]:
    hooks = [] if url is None else [{"url": url}]
    return {"route": {"receiver": name}, "receivers": [{"name": name, "webhook_configs": hooks}]}


class Known(Look):
    """A look at a system whose Alertmanager is known to do this, and what it sends."""

    def __init__(
        self,
        configuration: Mapping[str, Any] | None,
        came: Came | None = None,
        *,
        settings: HookSettings = HERE,
        receiver: str | None = None,
        listens: bool = True,
    ) -> None:
        spec = {
            "metrics": {"prometheus": {"url": "http://127.0.0.1:9"}},
            "alerts": {"page": {"alertname": "PagesFailing"}},
            "pages": {"webhook": True, "receiver": receiver},
            "red": {"preset": "haproxy"},
        }
        system = System.model_validate({"metadata": {"name": "pages"}, "spec": spec})

        def opens(*_: Any) -> Any:
            raise AssertionError("it is known what comes")

        here = SentHere(settings, opens if listens else None)
        super().__init__(system, [SLO], (), {}, here)
        self.configuration = configuration
        self.sent = came or Came()
        self.loaded: Sequence[LoadedRule] = [RULE, WATCHDOG]
        self.is_taken = False

    async def came(self) -> Came:
        if self.is_taken:
            raise UsageError("cannot listen on 0.0.0.0:8081: it is in use; set `[hook] listen`")
        return self.sent

    async def sending(self) -> tuple[str, Mapping[str, Any]] | None:
        return None if self.configuration is None else ("http://am", self.configuration)

    async def rules(self) -> LoadedRules:
        return LoadedRules.of(self.loaded)

    async def checks(self) -> dict[str, Check]:
        inquiries = [one for one in webhook(self) if not one.what.startswith("silences")]
        return {c.what: c for c in await answered(inquiries, within=timedelta(seconds=5))}


async def test_a_watchdog_that_comes_and_a_receiver_that_sends_here_prove_the_way() -> None:
    look = Known(routed_to("drills", f"{HOOK}/"), Came(anything=True, beat=True))

    found = await look.checks()

    assert {
        "webhook": f"takes pages at {HOOK}",
        "watchdog": "fires, and comes through",
        "page of served": f"goes to 'drills', which sends to {HOOK}",
    } == {what: check.found for what, check in found.items() if check.ok}


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (HookSettings(), "no token is set by which a sender of pages is known"),
        (
            HookSettings(listen="0.0.0.0:8081", token=TOKEN),
            "takes pages on 0.0.0.0:8081, and how that is reached is not said",
        ),
        (
            HookSettings(listen="[::]:8081", token=TOKEN),
            "takes pages on [::]:8081, and how that is reached is not said",
        ),
    ],
)
async def test_settings_that_do_not_suffice_bar_a_drill(settings: HookSettings, found: str) -> None:
    check = (await Known(None, settings=settings).checks())["webhook"]

    assert (found, False, True) == (check.found, check.ok, check.bars)


async def test_an_address_that_is_taken_bars_a_drill() -> None:
    look = Known(routed_to("drills", HOOK))
    look.is_taken = True

    found = await look.checks()

    assert found["webhook"].bars
    assert "not looked at: it rests on webhook" == found["watchdog"].found


async def test_whoever_sends_without_the_token_is_told_of() -> None:
    check = (await Known(None, Came(denied=True)).checks())["webhook"]

    assert f"somebody sends to {HOOK} without that token" == check.found
    assert "http_config" in check.how


async def test_a_stranger_beside_the_one_who_has_the_token_is_nobodys_matter() -> None:
    check = (await Known(None, Came(anything=True, denied=True)).checks())["webhook"]

    assert check.ok


async def test_a_watchdog_that_is_loaded_and_does_not_come_bars_nothing() -> None:
    check = (await Known(routed_to("drills", HOOK)).checks())["watchdog"]

    assert (False, False) == (check.ok, check.bars)
    assert "no beat of it came within 3.5 s" in check.found


async def test_without_a_watchdog_silence_is_said_to_prove_nothing() -> None:
    look = Known(routed_to("drills", HOOK))
    look.loaded = [RULE]

    check = (await look.checks())["watchdog"]

    assert ("none: that no page comes will prove nothing", True) == (check.found, check.ok)


@pytest.mark.parametrize("url", ["http://rota/hooks/alertmanager", None])
async def test_a_page_that_goes_elsewhere_bars_a_drill(url: str | None) -> None:
    check = (await Known(routed_to("gameday", url)).checks())["page of served"]

    assert (f"goes to 'gameday', and not to {HOOK}", True) == (check.found, check.bars)


@pytest.mark.parametrize(
    ("name", "receiver", "ok"),
    [("gameday-eu", None, True), ("rota", None, False), ("rota", "rota", True)],
)
async def test_where_alertmanager_hides_the_address_the_name_of_the_receiver_counts(
    name: str, receiver: str | None, ok: bool
) -> None:
    look = Known(routed_to(name, "<secret>"), receiver=receiver)

    check = (await look.checks())["page of served"]

    assert f"goes to {name!r}; where that sends to, Alertmanager hides" == check.found
    assert (ok, False) == (check.ok, check.bars)


async def test_another_receiver_than_the_one_that_is_meant_bars_a_drill() -> None:
    look = Known(routed_to("gameday", HOOK), receiver="drills")

    check = (await look.checks())["page of served"]

    assert check.bars


@pytest.mark.parametrize(
    ("came", "listens", "ok"),
    [(Came(), True, False), (Came(anything=True), True, True), (Came(), False, True)],
)
async def test_where_alertmanager_is_not_reached_what_comes_is_the_proof(
    came: Came, listens: bool, ok: bool
) -> None:
    check = (await Known(None, came, listens=listens).checks())["page of served"]

    assert (ok, False) == (check.ok, check.bars)


async def test_before_a_run_nobody_waits_for_a_watchdog() -> None:
    found = await Known(routed_to("drills", HOOK), listens=False).checks()

    assert "watchdog" not in found
    assert found["webhook"].ok


async def test_whoever_looks_takes_nothing_and_is_done_at_the_first_beat() -> None:
    told: list[Exception] = []

    class Door:
        def __init__(self, take: Any, denied: Any) -> None:
            self.take, self.denied = take, denied

        async def __aenter__(self) -> None:
            self.denied()
            for alerts in (
                [{"labels": {"alertname": "A"}}],
                [{"labels": {"alertname": "Watchdog"}}],
            ):
                try:
                    await self.take({"alerts": alerts})
                except TemporaryDriverError as refusal:
                    told.append(refusal)

        async def __aexit__(self, *_: object) -> None: ...

    came = await SentHere(HERE, Door).came(within=timedelta(hours=1))

    assert (True, True, True) == (came.anything, came.beat, came.denied)
    assert ["this is the doctor, and no drill: send it again"] * 2 == [str(e) for e in told]


def test_the_door_that_is_opened_is_the_one_of_the_settings() -> None:
    assert HOOK == SentHere(HERE).url
    assert ("0.0.0.0", 8081) == HERE.place
    with pytest.raises(UsageError):
        PageDoor(HookSettings())
