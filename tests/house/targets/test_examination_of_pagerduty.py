"""That a page gets through PagerDuty is asked before a drill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday.drivers.pagerduty_incidents import OpenIncident, PagedService
from gameday.errors import PermanentDriverError
from gameday.house.targets.check import Check
from gameday.house.targets.examination.inquiry import NotAsked, answered
from gameday.house.targets.examination.look import Look
from gameday.house.targets.examination.metrics import metrics
from gameday.house.targets.examination.pagerduty import pagerduty
from gameday.house.targets.examination.pages import pages
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.rules.loaded import LoadedRule, LoadedRules
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
    "PagesFailing",
    f"{SHARE.format('1m')} and {SHARE.format('5s')}",
    is_alert=True,
    labels={"urgency": "now"},
)
OURS = {"alertname": "PagesFailing", "urgency": "now"}


def incident(*labels: Mapping[str, str]) -> OpenIncident:
    return OpenIncident(
        id="PD1",
        number=7,
        title="[FIRING:1] pages",
        created_at=datetime(2026, 11, 28, 10, 0, 3, tzinfo=UTC),
        alerts=tuple({"labels": one} for one in labels),
    )


class Known(Look):
    """A look at a system whose PagerDuty and Prometheus are known to say this."""

    def __init__(
        self, *incidents: OpenIncident, status: str = "active", by: str = "page", **more: Any
    ) -> None:
        alerts = {"page": {"page": {"alertname": "PagesFailing"}}, "gameday": {"rules": "gameday"}}
        spec = {
            "metrics": {"prometheus": {"url": "http://127.0.0.1:9"}},
            "alerts": alerts[by],
            "pages": {"pagerduty": {"token": {"env": "PAGERDUTY_TOKEN"}, "service": "PABC123"}},
            "red": {"preset": "haproxy"},
        }
        system = System.model_validate({"metadata": {"name": "pages"}, "spec": {**spec, **more}})
        super().__init__(system, [SLO], (), {})
        self.incidents: Sequence[OpenIncident] = incidents
        self.status = status
        self.loaded: Sequence[LoadedRule] = [RULE]
        self.answers = True

    async def paged_service(self) -> PagedService:
        if not self.answers:
            raise PermanentDriverError("PagerDuty has no service 'PABC123' for this key")
        return PagedService("Shop", self.status == "active", self.status)

    async def open_incidents(self) -> Sequence[OpenIncident]:
        if not self.answers:
            raise NotAsked("pagerduty")
        return self.incidents

    async def rules(self) -> LoadedRules:
        return LoadedRules.of(self.loaded)

    async def sent_to(self) -> Sequence[str]:
        return ["http://alertmanager:9093"]


async def asked(look: Look) -> Sequence[Check]:
    return await answered(list(pagerduty(look)), within=timedelta(seconds=5))


async def test_a_service_that_calls_somebody_and_is_free_is_proven() -> None:
    checks = await asked(Known())

    assert [
        ("pagerduty", "knows the service 'Shop'", True),
        ("open incidents of served", "none is open", True),
    ] == [(c.what, c.found, c.ok) for c in checks]


@pytest.mark.parametrize(
    ("status", "found", "how"),
    [
        ("disabled", "the service 'Shop' is disabled", "enable it in PagerDuty: until then"),
        ("maintenance", "the service 'Shop' is in maintenance", "end its maintenance window"),
    ],
)
async def test_a_service_that_calls_nobody_bars_the_drill(
    status: str, found: str, how: str
) -> None:
    service, _ = await asked(Known(status=status))

    assert (found, False, True) == (service.found, service.ok, service.bars)
    assert service.how.startswith(how)


@pytest.mark.parametrize(
    ("by", "labels"), [("page", OURS), ("gameday", {"alertname": "X", "slo": "served"})]
)
async def test_an_open_incident_of_the_alert_bars_the_drill(
    by: str, labels: dict[str, str]
) -> None:
    look = Known(incident({"alertname": "Another"}, labels), by=by)

    _, free = await asked(look)

    said = "incident #7, '[FIRING:1] pages', is open since 2026-11-28 10:00:03 UTC"
    assert (said, False, True) == (free.found, free.ok, free.bars)
    assert "resolve it in PagerDuty" in free.how


@pytest.mark.parametrize("by", ["page", "gameday"])
async def test_incidents_of_other_alerts_are_in_nobodys_way(by: str) -> None:
    others = incident({"alertname": "PagesFailing", "urgency": "later", "slo": "other"})

    _, free = await asked(Known(others, incident(), by=by))

    assert ("none of the 2 that are open is of its alert", True) == (free.found, free.ok)


async def test_without_its_rule_it_is_not_known_which_incident_is_the_alerts() -> None:
    look = Known(incident(OURS))
    look.loaded = []

    _, free = await asked(look)

    assert ("not looked at: it rests on the rule of served", False, "") == (
        free.found,
        free.ok,
        free.how,
    )


async def test_a_service_that_is_not_there_is_told_once() -> None:
    look = Known()
    look.answers = False

    service, free = await asked(look)

    assert "PagerDuty has no service 'PABC123' for this key" == service.how
    assert ("not looked at: it rests on pagerduty", "") == (free.found, free.how)


async def test_no_alertmanager_is_asked_after_that_the_document_does_not_name() -> None:
    look = Known()

    (sent,) = await answered(
        [one for one in metrics(look) if one.what == "alerts sent to"], within=timedelta(seconds=5)
    )

    assert [] == list(pages(look))
    assert ("http://alertmanager:9093", True) == (sent.found, sent.ok)


async def test_pagerduty_is_not_asked_after_that_the_document_does_not_name() -> None:
    look = Known(pages={"alertmanager": {"url": "http://127.0.0.1:9"}})

    assert [] == list(pagerduty(look))
