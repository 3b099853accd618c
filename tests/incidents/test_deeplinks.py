"""Where the links of a page lead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from opened_drill import SLO

from gameday.incidents.deeplinks import Tools, profile, red, traces
from gameday.model.service_names import ServiceNames

TOOLS = Tools("http://prom", "http://traces", "http://profiles")


@pytest.mark.parametrize(
    ("until", "end", "span"),
    [
        (datetime(2026, 11, 23, 12, 0, 1, 500_000, tzinfo=UTC), "2026-11-23 12:01:00", "130s"),
        (datetime(2026, 11, 23, 12, 1, tzinfo=UTC), "2026-11-23 12:01:00", "72s"),
    ],
)
def test_a_dashboard_ends_with_a_minute_for_its_page_knows_no_seconds(
    until: datetime, end: str, span: str
) -> None:
    since = until - timedelta(seconds=72)

    asked = parse_qs(
        urlsplit(red(TOOLS, SLO, since=since, until=until, window=since - since)).query
    )

    assert {(end, span)} == {
        (asked[f"g{n}.end_input"][0], asked[f"g{n}.range_input"][0]) for n in range(3)
    }


def test_each_tool_is_asked_for_the_service_by_its_own_name_for_it() -> None:
    names = {"traced_as": ServiceNames({SLO.service: "gateway"})}
    tools = Tools("http://prom", "http://traces", "http://profiles", **names)
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    traced = traces(tools, SLO, since=noon, until=noon, slower=timedelta(0))
    profiled = profile(tools, SLO, since=noon, until=noon)

    assert ["gateway"] == parse_qs(urlsplit(traced).query)["service"]
    assert SLO.service in parse_qs(urlsplit(profiled).query)["query"][0]
