"""Pages in: what an Alertmanager, or a Grafana, sends to us by its webhook, handed on to a run's.

Who reads them, and whether the sender is known, is the listener's; see `gameday.server.page_door`.
A page has come when it is received here. What is not taken is sent again, by Alertmanager's own
rules, so that nothing is kept here.

Source: Alertmanager's documentation, "Configuration", *webhook_config*: a status of 5xx is tried
again, also in the next ``group_interval``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gameday.errors import TemporaryDriverError
from gameday.http.tool import HttpTool

__all__ = ["SKEW", "SentPages"]

SKEW = timedelta(seconds=2)
"""How much earlier than the run's beginning, by Prometheus' clock, an alert of it may have begun:
what lies further apart a drill is refused for."""

ARRIVED_AT = "X-Gameday-Arrived-At"

WATCHDOG = "Watchdog"

Labels = Mapping[str, str]
Alert = Mapping[str, Any]


class SentPages:
    """The alerts that are sent to us, handed on while a run awaits them.

    A webhook tells of a whole group, and of what it could not tell before: what began before the
    run is left out. Of another alert, who is on call knows it; of the one that is meant, it is an
    earlier drill's, since none begins while it burns.
    """

    def __init__(
        self,
        told: Callable[[Labels], Labels | None],
        instant: Callable[[object], datetime | None],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Await nothing yet.

        Args:
            told: returns the labels of an alert that is meant as gameday goes by them; None: it is
                another one.
            instant: reads what a webhook says of time; None: it says nothing that can be read.
            transport: another way than the network, for tests.
            now: the present instant.
        """
        self._told = told
        self._instant = instant
        self._transport = transport
        self._now = now
        self._webhook = ""
        self._since = now()

    async def alive(self) -> None:
        """Return at once: whoever sends pages is not asked."""

    async def carry(self, webhook: str) -> None:
        """Hand every page to this webhook, from now on."""
        self._webhook, self._since = webhook, self._now()

    async def take(self, said: Mapping[str, Any]) -> None:
        """Hand on what a webhook says, as `gameday.incidents.alerts.alerts_of` would read it.

        Raises:
            TemporaryDriverError: no run awaits it yet, or its own webhook does not take it: it is
                to be sent again.
        """
        arrived_at = self._now()
        if not self._webhook:
            raise TemporaryDriverError("no drill awaits pages yet: send it again")
        alerts = [own for alert in said["alerts"] if (own := self._own(alert)) is not None]
        if not alerts:
            return
        door = HttpTool(
            "the run's webhook",
            self._webhook,
            timeout=timedelta(seconds=5),
            # Longer than the run itself takes to say no: who sends it tries again as well.
            tries=1,
            headers={ARRIVED_AT: arrived_at.isoformat()},
            transport=self._transport,
        )
        await door.ask("POST", "", body={**said, "alerts": alerts})

    def _own(self, alert: Alert) -> Alert | None:
        """Return an alert as gameday goes by its labels; None: it is not handed on."""
        found = alert.get("labels")
        labels = {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
        if labels.get("alertname") == WATCHDOG:
            return alert
        began = self._instant(alert.get("startsAt"))
        if began is not None and began < self._since - SKEW:
            return None
        told = self._told(labels)
        return {**alert, "labels": dict(labels if told is None else told)}
