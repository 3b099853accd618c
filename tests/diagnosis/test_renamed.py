"""Stores that name services otherwise are asked, and answer, in the metrics' names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from opened_drill import NOON, slow_trace

from gameday.diagnosis.exclusive import region_of
from gameday.diagnosis.renamed import RenamedProfiles, RenamedTraces
from gameday.model.service_names import SAME_NAMES, ServiceNames
from gameday.model.signals import Frame, Profile, Stack, Trace
from gameday.testing.telemetry import FakeProfiles, FakeTraces

NAMES = ServiceNames({"pages": "storefront", "stock": "inventory"})


def theirs() -> Trace:
    """A trace in the store's names: a storefront that calls the inventory."""
    trace = slow_trace(1)
    peer = {**trace.spans[0].attributes, "peer.service": "inventory"}
    return replace(trace, spans=(replace(trace.spans[0], attributes=peer), *trace.spans[1:]))


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        ({"deployment.zone": "eu"}, "eu"),
        ({"deployment.zone": "eu", "cloud.region": "europe-west1"}, "eu"),
        ({"cloud.region": "europe-west1"}, "europe-west1"),
        ({}, None),
    ],
)
async def test_a_process_is_in_the_region_that_the_label_of_the_metrics_tells(
    resource: dict[str, object], told: str | None
) -> None:
    trace = slow_trace(1)
    root = replace(trace.root(), resource=resource)
    source = RenamedTraces(
        FakeTraces([replace(trace, spans=(root,))]), SAME_NAMES, region="deployment_zone"
    )

    found = await source.trace(trace.trace_id)

    assert found is not None
    assert told == region_of(found.root())


async def test_traces_are_found_by_our_names_and_told_in_them() -> None:
    trace = theirs()
    source = RenamedTraces(FakeTraces([trace]), NAMES)

    found = await source.search(
        service="pages", since=NOON - timedelta(hours=1), until=NOON + timedelta(hours=1)
    )

    expected = [NAMES.to_ours(span.service) for span in trace.spans]
    assert "pages" in expected and "storefront" not in expected
    assert [expected] == [[span.service for span in t.spans] for t in found]
    assert "stock" == found[0].spans[0].attributes["peer.service"]


async def test_one_trace_is_told_in_our_names_and_one_that_is_not_there_stays_none() -> None:
    trace = theirs()
    source = RenamedTraces(FakeTraces([trace]), NAMES)

    found = await source.trace(trace.trace_id)

    assert found is not None and "pages" == found.spans[0].service
    assert await source.trace("0" * 32) is None


async def test_profiles_are_asked_for_by_the_stores_names() -> None:
    profile = Profile((Stack((Frame("f", "a.py", 1),), timedelta(seconds=1)),))
    inner = FakeProfiles({"inventory": profile})

    found = await RenamedProfiles(inner, NAMES).by_trace(
        service="stock", trace_ids=["1"], since=NOON, until=NOON
    )

    assert profile == found
    assert [("inventory", ("1",))] == inner.asked
