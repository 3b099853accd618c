"""A page as a fact: what the webhook said is kept, and read back, whichever gameday wrote it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.alerts import Alert, alerts_of, firing_id_of
from scoring.timeline import Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGES = json.loads(
    (Path(__file__).parents[1] / "scoring/golden/pages-v1.json").read_text(encoding="utf-8")
)


def alerts() -> list[Alert]:
    return [a for hook in PAGES["webhooks"] for a in alerts_of(hook, received_at=NOON)]


def undated(**more: Any) -> Alert:
    alert = {"labels": {"alertname": "A"}, "fingerprint": "f", **more}
    (found,) = alerts_of({"alerts": [alert]}, received_at=NOON)
    return found


def test_todays_fact_is_what_the_services_old_one_is_read_as() -> None:
    assert [a.to_fact() for a in alerts()] == [Fact.from_json(raw) for raw in PAGES["service"]]


def test_an_alert_comes_back_from_its_fact_unchanged() -> None:
    for alert in (*alerts(), undated(), undated(status="resolved")):
        stored = Fact.from_json(json.loads(json.dumps(alert.to_fact().to_json())))

        assert alert == Alert.from_fact(stored)
        assert alert.firing_id == firing_id_of(stored)


def test_an_old_incident_of_the_service_is_read_as_it_was() -> None:
    firing, _, over = (Fact.from_json(raw) for raw in PAGES["service"])

    group = AlertGroup("storefront/checkout-latency", [firing, over])

    (incident,) = group.incidents()
    assert (0, "SEV-2") == (incident.firing, incident.severity)
    assert group.knows(firing)
    assert group.knows(over)


def test_an_alert_that_does_not_say_when_it_fired_is_dated_by_nobody() -> None:
    said = undated().to_fact()
    over = undated(status="resolved", endsAt="2026-11-23T11:00:00Z").to_fact()

    assert None is said.data["starts_at"]
    assert (None, "2026-11-23T11:00:00+00:00") == (over.data["starts_at"], over.data["ends_at"])
    assert (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED) == (said.kind, over.kind)
