"""Facts of older versions say today what they said when they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from drill_facts import SLOW_DB, fact, good_run, plus

from scoring.run_facts import RunFacts
from scoring.timeline import UPCASTS, Fact, Kind, Timeline

PAGES = json.loads((Path(__file__).parent / "golden" / "pages-v1.json").read_text("utf-8"))
"""The same webhooks as a drill and as the service wrote them down when there were two shapes."""


def loaded(raw: dict[str, Any], **changes: Any) -> Fact:
    return Fact.from_json({**raw, **changes})


@pytest.mark.parametrize("number", range(3))
def test_both_shapes_of_a_page_say_the_same_of_it(number: int) -> None:
    drill, service = (loaded(PAGES[who][number]) for who in ("drill", "service"))

    said = ("alert", "slo", "severity", "long", "burn_rate", "summary", "starts_at", "ends_at")
    assert (2, 2) == (drill.version, service.version)
    assert drill.data.keys() == service.data.keys()
    assert {key: service.data[key] for key in said} == {key: drill.data[key] for key in said}


def test_a_drills_old_page_has_the_labels_that_it_still_tells_of() -> None:
    told, heard = (loaded(PAGES[who][0]).data["labels"] for who in ("drill", "service"))

    assert {"alertname", "service", "slo", "severity", "long_window", "burn_rate"} == told.keys()
    assert told.items() <= heard.items()


def test_a_page_that_names_its_service_by_its_job_tells_it() -> None:
    assert "node" == loaded(PAGES["service"][1]).data["service"]
    assert "" == loaded(PAGES["drill"][1]).data["service"]


def test_what_an_old_page_did_not_say_stays_unknown() -> None:
    raw = fact(Kind.PAGE_RECEIVED, 1).to_json()

    data = loaded(raw, version=1, subject="checkout-latency", data={"long": "1h"}).data

    assert ("checkout-latency", None, None) == (data["slo"], data["severity"], data["starts_at"])
    assert ("", "", {"long_window": "1h"}) == (data["alert"], data["service"], data["labels"])


def test_a_page_that_does_not_say_how_loud_it_is_counts_as_one() -> None:
    raw = fact(Kind.PAGE_RECEIVED, 18, "unsaid").to_json()
    unsaid = loaded(raw, version=1, subject=SLOW_DB.slo, data={})

    incident = RunFacts(plus(good_run(), unsaid), SLOW_DB)

    assert incident.page is not None
    assert "unsaid" == incident.page.id
    assert "unsaid" in [page.id for page in incident.pages]


def test_a_fact_of_today_or_of_a_newer_gameday_is_left_as_it_is() -> None:
    for version in (2, 3):
        raw = {**PAGES["drill"][0], "version": version}
        assert raw == Fact.from_json(raw).to_json()


def test_a_fact_that_is_made_today_is_of_the_newest_version() -> None:
    made = {kind: fact(kind, 0).version for kind in Kind}

    assert {Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED} == {k for k, v in made.items() if v == 2}
    assert {1, 2} == set(made.values())
    assert {(kind, version - 1) for kind, version in made.items() if version > 1} == set(UPCASTS)


def test_a_timeline_that_was_brought_up_to_date_is_stored_as_it_is_now() -> None:
    old = Timeline.of(loaded(raw) for raw in PAGES["drill"])

    again = Timeline.of(Fact.from_json(fact.to_json()) for fact in old)

    assert old == again
