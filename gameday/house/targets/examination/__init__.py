"""Whether what a system's document says holds today: asked before a drill, not in the middle.

One module for each part of a document, and nothing here changes the system. `EXAMINERS` is the list
of them: an instrument that is added to the document adds its module, and its line there.
`gameday doctor --system` shows every check; a run is not admitted where one of them bars it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from gameday.errors import DriverError
from gameday.house.targets.check import Check
from gameday.house.targets.declared_cluster import SystemDoors, without_doors
from gameday.house.targets.examination.changes import changes
from gameday.house.targets.examination.cluster import cluster
from gameday.house.targets.examination.grafana import grafana
from gameday.house.targets.examination.graph import graph
from gameday.house.targets.examination.inquiry import Examiner, answered
from gameday.house.targets.examination.links import links
from gameday.house.targets.examination.look import Look
from gameday.house.targets.examination.metrics import metrics
from gameday.house.targets.examination.mitigations import mitigations
from gameday.house.targets.examination.pagerduty import pagerduty
from gameday.house.targets.examination.pages import pages
from gameday.house.targets.examination.profiles import profiles
from gameday.house.targets.examination.promises import promises
from gameday.house.targets.examination.regions import regions
from gameday.house.targets.examination.secrets import secrets
from gameday.house.targets.examination.toxiproxy import toxiproxy
from gameday.house.targets.examination.traces import traces
from gameday.house.targets.examination.webhook import webhook
from gameday.house.targets.grafana_sources import with_sources
from gameday.house.targets.sent_here import SentHere
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.spec import Catalogue, read_scenario

__all__ = ["BEFORE_A_RUN", "EXAMINERS", "WITHIN", "Check", "drilled_on", "examined"]

EXAMINERS: tuple[Examiner, ...] = (
    cluster,
    grafana,
    metrics,
    pages,
    pagerduty,
    webhook,
    promises,
    regions,
    traces,
    graph,
    profiles,
    changes,
    mitigations,
    toxiproxy,
    links,
    secrets,
)
"""What looks at each part of a document, in the order in which it is told."""

WITHIN = timedelta(seconds=5)
"""How long all of them together may take: whoever asks at three in the morning is answered before
ten seconds are over, also where several tools hang."""

BEFORE_A_RUN = timedelta(seconds=20)
"""How long they may take before a run: a tool that is slow and answers is no reason against it."""


def drilled_on(system: str) -> list[Slo]:
    """Return the SLOs of the scenarios here that name this system, each once.

    Raises:
        SpecError: a scenario or an SLO is wrong.
    """
    around = Catalogue.around()
    scenarios = [read_scenario(around.scenario(name)) for name in around.scenarios()]
    ids = {s.spec.slo for s in scenarios if s.spec.place == system}
    return [around.slo(id) for id in sorted(ids)]


async def examined(
    system: System,
    slos: Sequence[Slo],
    *,
    mitigations: Sequence[str] = (),
    within: timedelta = WITHIN,
    sent_here: SentHere = SentHere(),
) -> Sequence[Check]:
    """Return every check of a system, for the SLOs that are drilled on it; changes nothing.

    Args:
        mitigations: those that are needed, by name; none: all of them.
        within: what has not answered by then is said not to.
        sent_here: where pages come, of a system that sends them to us.
    """
    doors = SystemDoors(system)
    try:
        with suppress(DriverError):  # told by the check of the cluster
            system = await asyncio.to_thread(doors.opened)
        system, troubles = await with_sources(system)
        async with Look.at(
            system, slos, mitigations, troubles=troubles, sent_here=sent_here
        ) as look:
            inquiries = [inquiry for examiner in EXAMINERS for inquiry in examiner(look)]
            found = _without_doors(system, await answered(inquiries, within=within))
    finally:
        await asyncio.to_thread(doors.close)
    if not slos:
        how = f"write one with `system: {system.metadata.name}` under scenarios/"
        found.append(Check("scenario", "none is played on it", ok=False, how=how))
    return found


def _without_doors(system: System, checks: Sequence[Check]) -> list[Check]:
    """Return checks that name a Service where they would name its address on this machine."""
    places = [place for _, place in system.spec.places()]
    return [
        replace(one, found=without_doors(one.found, places), how=without_doors(one.how, places))
        for one in checks
    ]
