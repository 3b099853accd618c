"""Deploys that a cluster makes, told to the engine of incidents as markers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from gameday.errors import DriverError, StoreError, UsageError
from gameday.model.signals import Deploy
from gameday.ports import Clock, DeployLog

LOOK_EVERY = timedelta(seconds=10)
"""How often a cluster is asked: a diagnosis gets to the deploys two minutes after its page."""

BACK = timedelta(days=1)
"""How far back deploys are told when the service starts: an incident may be older than it."""

Tell = Callable[[Mapping[str, Any]], Awaitable[Any]]

_log = logging.getLogger(__name__)


def rollouts_of(name: str) -> DeployLog | None:
    """Return the deploy timeline that ``kubernetes/<context>/<namespace>`` names; None where empty.

    Raises:
        UsageError: it is not of this form.
        DriverError: the kubeconfig has no such context, or the settings do not allow it.
    """
    if not name:
        return None
    kind, _, rest = name.partition("/")
    context, _, namespace = rest.rpartition("/")  # a context may hold slashes of its own
    if kind != "kubernetes" or not context or not namespace:
        raise UsageError(
            f"GAMEDAY_DEPLOYS_FROM: {name!r} is not of the form kubernetes/<context>/<namespace>"
        )
    from gameday.drivers.kubernetes import connect
    from gameday.drivers.kubernetes.deploys import ReplicaSetDeploys

    return ReplicaSetDeploys(connect(context), namespace, labels="")


class Following:
    """What a timeline of deploys shows, each told once.

    A rollback's instant moves until it is through, so a deploy is told when two looks agree on it.
    """

    def __init__(self, source: DeployLog, tell: Tell, *, clock: Clock) -> None:
        """Remember whom to ask, and whom to tell; nothing is done yet."""
        self._source = source
        self._tell = tell
        self._clock = clock
        self._since = clock.now() - BACK
        self._seen: set[Deploy] = set()
        self._told: set[Deploy] = set()

    async def look(self) -> None:
        """Ask once, and tell what is new and settled.

        Raises:
            DriverError: the cluster does not answer.
            StoreError: it could not be written down; it is told at the next look.
        """
        found = await self._source.deploys(since=self._since, until=self._clock.now())
        for deploy in found:
            if deploy in self._seen and deploy not in self._told:
                await self._tell(
                    {
                        "service": deploy.service,
                        "revision": deploy.revision,
                        "deployed_at": deploy.deployed_at.isoformat(),
                        "region": deploy.region,
                        "summary": deploy.summary,
                    }
                )
                self._told.add(deploy)
        self._seen = set(found)

    async def forever(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except (DriverError, StoreError) as error:
                _log.warning("deploys cannot be followed error=%s", error)
            await asyncio.sleep(LOOK_EVERY.total_seconds())
