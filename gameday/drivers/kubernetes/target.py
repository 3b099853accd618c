"""A shop in a cluster as a target: what it takes to play a game day on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes import rollouts
from gameday.drivers.kubernetes.cluster import Cluster
from gameday.drivers.kubernetes.identity import ClusterIdentity
from gameday.drivers.kubernetes.mitigations import ShopMitigations, state_of
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.keys import auth_for
from gameday.ports import MITIGATIONS, Undo
from gameday.shop import SELECTOR

__all__ = ["ARRIVED_AT", "KubernetesTarget"]

ARRIVED_AT = "X-Gameday-Arrived-At"
"""Header of a forwarded page: when it arrived at the mailbox, by the mailbox's clock."""

WAIT_SECONDS = 20
PAUSE = timedelta(seconds=1)


class KubernetesTarget:
    """The shop of one namespace; fulfils `gameday.ports.Target`.

    Made right before a run: how things are then is what its mitigations are taken back to.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        time_scale: float,
        mailbox_url: str,
        identity: ClusterIdentity,
        kubeconfig: str | None = None,
    ) -> None:
        """Note how the shop is now.

        Args:
            mailbox_url: where pages wait, as this machine reaches it.
            identity: of the cluster that is meant.
            kubeconfig: what the cluster was opened with, for an undo to do the same.

        Raises:
            DriverError: the API server does not answer, or says no.
        """
        self.name = f"kubernetes/{cluster.context}"
        self.time_scale = time_scale
        self._cluster = cluster
        self._namespace = namespace
        self._mailbox = mailbox_url
        self._kubeconfig = kubeconfig
        self._identity = identity
        self._before = state_of(cluster, namespace)
        self._run = ""
        self._forwarding: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Return when everything of the shop is rolled out.

        Raises:
            PermanentDriverError: there is no shop.
            TemporaryDriverError: names what is not ready.
        """
        found = await asyncio.to_thread(
            self._cluster.list, "deployments", self._namespace, labels=SELECTOR
        )
        up = f"`gameday sandbox up --context {self._cluster.context}`"
        if not found:
            raise PermanentDriverError(
                f"there is no shop in {self._namespace!r} of {self.name}; {up} puts it there"
            )
        lagging = [d for d in found if not rollouts.is_through(d) or not d["spec"].get("replicas")]
        if lagging:
            raise TemporaryDriverError(
                f"not ready in {self._namespace!r} of {self.name}:"
                f" {', '.join(rollouts.readiness(d) for d in lagging)}; {up} waits for it"
            )

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what a responder asked for; return what was done. See `ShopMitigations.apply`."""
        doing = ShopMitigations(self._cluster, self._namespace, run=self._run)
        return await asyncio.to_thread(doing.apply, name, dict(parameters))

    def undo_of_mitigation(self, run: str, name: str, parameters: Mapping[str, str]) -> Undo:
        """Return what takes back every mitigation of a run; needs nothing but the API server."""
        self._run = run
        return Undo(
            id=f"gd-{run}-mitigations",
            kind=MITIGATIONS,
            run=run,
            description=f"mitigations in {self._namespace} of {self.name}",
            command=f"gameday recover {run}",
            data={
                "context": self._cluster.context,
                "kubeconfig": self._kubeconfig,
                "namespace": self._namespace,
                "identity": self._identity.to_json(),
                "before": self._before,
            },
        )

    async def route_pages(self, url: str) -> None:
        """Fetch the pages from the mailbox and hand them to this webhook, from now on.

        Lasts as long as the event loop; called again, pages go to the new address only.

        Raises:
            TemporaryDriverError: the mailbox does not answer.
        """
        if self._forwarding is not None:
            self._forwarding.cancel()
        box, last = await self._begin()
        self._forwarding = asyncio.create_task(self._forward(url, box, last))

    async def _begin(self) -> tuple[str, int]:
        import httpx

        try:
            async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
                answer = await http.get(f"{self._mailbox}/letters", auth=auth_for(self._mailbox))
            said = answer.json()
            return str(said["box"]), int(said["last"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise TemporaryDriverError(
                f"the mailbox in {self._namespace!r} of {self.name} does not answer ({error!r}):"
                f" `kubectl -n {self._namespace} get pods` shows why"
            ) from error

    async def _forward(self, url: str, box: str, last: int) -> None:
        import httpx

        async with httpx.AsyncClient(timeout=WAIT_SECONDS + 15, trust_env=False) as http:
            while True:
                try:
                    answer = await http.get(
                        f"{self._mailbox}/letters",
                        params={"after": last, "wait": WAIT_SECONDS},
                        auth=auth_for(self._mailbox),
                    )
                    said = answer.json()
                    letters, now_box = list(said["letters"]), str(said["box"])
                except (httpx.HTTPError, ValueError, KeyError, TypeError):
                    # Nothing is lost: what came meanwhile waits. That pages stay away is seen by
                    # whoever waits for them, and by the watchdog's missing beat.
                    await asyncio.sleep(PAUSE.total_seconds())
                    continue
                if now_box != box:
                    box, last = now_box, 0  # it started anew, and counts from one again
                    continue
                for letter in letters:
                    await self._hand_in(http, url, letter)
                    last = int(letter["number"])

    async def _hand_in(self, http: Any, url: str, letter: Mapping[str, Any]) -> None:
        import httpx

        headers = {ARRIVED_AT: str(letter["arrived_at"])}
        for _ in range(3):
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.post(url, json=letter["payload"], headers=headers)
                if answer.status_code < 500:
                    return
            await asyncio.sleep(0.2)
