"""Which system a scenario is played on, and what opens it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from gameday.errors import DriverError, UsageError
from gameday.house.targets.check import Check
from gameday.house.targets.open_system import NamedTarget, OpenSystem
from gameday.house.targets.sent_here import SentHere
from gameday.model.programme import Programme
from gameday.model.scenario import Scenario, TargetKind, kind_of
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.settings import Settings
from gameday.spec import Catalogue, read_system


def choose_target(
    scenario: Scenario,
    slo: Slo,
    system: System | None,
    *,
    context: str | None,
    settings: Settings,
    programme: Programme | None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> NamedTarget:
    """Return the system a scenario is played on; it is not opened yet.

    Args:
        slo: whose page is awaited.
        system: what its document says; None: it is one of the shops.
        context: of the kubeconfig, for a cluster; None: the one in force.
        programme: says which clusters are disposable.
        on_progress: told in a few words what opening it waits for.

    Raises:
        UsageError: there is no such target, or a context for none that has any.
        DriverError: there is no such context, or the settings do not allow it.
    """
    kind = scenario.spec.target
    if kind is TargetKind.KUBERNETES:
        return _cluster(scenario, slo, context, settings, programme)
    if context is not None:
        raise UsageError("--context is for the target kubernetes; add `--target kubernetes`")
    if system is not None:
        return _declared(scenario, system, slo, settings)
    if kind is not TargetKind.SANDBOX:
        raise UsageError(
            f"target {str(kind)!r} is not supported yet; use sandbox or kubernetes, or name a"
            " `system`"
        )
    return _sandbox(slo, on_progress)


def system_named(name: str) -> System:
    """Return what is declared of a system, by its document; of the two shops, by their own.

    Args:
        name: or path of the document.

    Raises:
        SpecError: the document is wrong.
        UsageError: there is no such system.
        PermanentDriverError: it is the sandbox, which is not up, or the shop of the cluster that
            the kubeconfig means, which is not there.
        DriverError: that cluster does not answer.
    """
    if kind_of(name) is TargetKind.SANDBOX:
        from gameday.house.targets.sandbox import running_sandbox, sandbox_document

        return sandbox_document(running_sandbox())
    if kind_of(name) is TargetKind.KUBERNETES:
        return _on_cluster()
    return read_system(Catalogue.around().system(name))


def _on_cluster() -> System:
    from gameday.drivers.kubernetes import connect
    from gameday.house.targets.cluster import cluster_document, place_of

    place = place_of(None, context=None, environment=os.environ)
    with connect(place.context, kubeconfig=place.kubeconfig) as cluster:
        return cluster_document(cluster, place, Settings.from_environment().state)


def _declared(scenario: Scenario, system: System, slo: Slo, settings: Settings) -> NamedTarget:
    from gameday.house.targets.declared_cluster import SystemDoors
    from gameday.house.targets.declared_system import declared_system, name_of
    from gameday.house.targets.examination import BEFORE_A_RUN, examined

    doors = SystemDoors(system)

    async def open_it() -> OpenSystem:
        return await declared_system(await asyncio.to_thread(doors.opened), slo)

    async def examine() -> Sequence[Check]:
        needed, reached = scenario.spec.expect.mitigation, system
        with suppress(DriverError):  # told by the check of the cluster
            reached = await asyncio.to_thread(doors.opened)
        return await examined(
            reached,
            [slo],
            mitigations=needed,
            within=BEFORE_A_RUN,
            sent_here=SentHere(settings.hook),
        )

    return NamedTarget(name_of(system), open_it, examine=examine, close=doors.close)


def _sandbox(slo: Slo, on_progress: Callable[[str], None]) -> NamedTarget:
    from gameday.house.targets.sandbox import sandbox_system, start_sandbox
    from gameday.sandbox import state

    async def open_it() -> OpenSystem:
        found = await start_sandbox(reload_rules=False, on_progress=on_progress)
        return await sandbox_system(found, slo)

    def is_up() -> bool:
        found = state.read()
        return found is not None and found.is_alive()

    return NamedTarget(str(TargetKind.SANDBOX), open_it, is_up)


def _cluster(
    scenario: Scenario,
    slo: Slo,
    context: str | None,
    settings: Settings,
    programme: Programme | None,
) -> NamedTarget:
    from gameday.house.targets.cluster import ClusterShop, place_of

    place = place_of(scenario, context=context, environment=os.environ)
    meant = ClusterShop(place, settings)

    async def open_it() -> OpenSystem:
        return await meant.opened(slo, programme=programme)

    return NamedTarget(place.target, open_it, close=meant.close)
