"""The counters by which each RED preset tells services apart."""

from __future__ import annotations

from gameday.drafts.sources import sources
from gameday.model.red import RedPreset


def test_every_preset_can_be_seen() -> None:
    assert set(RedPreset) == {source.preset for source in sources()}


def test_a_preset_is_looked_for_by_each_of_its_names_and_labels() -> None:
    found = [s for s in sources() if s.preset == RedPreset.OTEL_HTTP]

    assert [
        ("service_name", "http_server_request_duration_seconds_count"),
        ("job", 'http_server_request_duration_seconds_count{service_name=""}'),
        ("service_name", "http_server_duration_milliseconds_count"),
        ("job", 'http_server_duration_milliseconds_count{service_name=""}'),
    ] == [(s.label, s.listing) for s in found]


def test_what_a_preset_leaves_out_is_left_out_of_its_counter() -> None:
    (linkerd,) = [s for s in sources() if s.preset == RedPreset.LINKERD]

    total = linkerd.total("checkout")

    assert {("direction", "inbound"), ("deployment", "checkout")} == {
        (m.name, m.value) for m in total.matchers
    }
    assert ("classification", "=", "failure") == (
        linkerd.failed.name,
        linkerd.failed.op,
        linkerd.failed.value,
    )


def test_another_label_takes_the_place_of_all_that_a_preset_knows() -> None:
    by_owner = {s.by_label("owner") for s in sources() if s.preset == RedPreset.TRAEFIK}

    assert ["traefik_service_requests_total"] == [s.listing for s in by_owner]
