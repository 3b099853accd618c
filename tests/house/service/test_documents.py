"""What the console looks up beside an incident, and the instruments the settings name."""

from __future__ import annotations

from datetime import timedelta

from gameday.house.service.documents import IncidentDocuments
from gameday.house.targets.instruments import instruments_of_settings
from gameday.settings import ToolSettings


def test_a_runbook_is_found_by_its_alert_and_a_limit_by_its_slo() -> None:
    documents = IncidentDocuments()

    found = documents.runbook("CheckoutLatencyBudgetBurn")

    assert documents.problems == []
    assert found is not None and found.id == "checkout-latency"
    assert documents.slower("checkout-latency") == timedelta(milliseconds=100)
    assert (documents.runbook("Nothing"), documents.slower("nothing")) == (None, timedelta(0))


async def test_time_runs_at_its_own_pace_where_nothing_says_otherwise() -> None:
    assert await IncidentDocuments().time_scale(None, "checkout-latency") == 1.0


def test_an_instrument_nobody_names_is_not_there() -> None:
    found = instruments_of_settings(ToolSettings(traces_url="http://jaeger:16686"))

    assert (found.metrics, found.alerts, found.profiles) == (None, None, None)
    assert found.traces is not None
