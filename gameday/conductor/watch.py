"""Watching Prometheus during a run: its alerts and burn rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from gameday.conductor.limit import limited
from gameday.errors import DriverError
from gameday.ledger import Ledger
from gameday.model.signals import AlertState
from gameday.plan import Plan
from gameday.ports import AlertSource, Clock
from scoring.timeline import Kind

READING = timedelta(seconds=10)
"""The longest one reading may take: abort rules rest on the last one."""

REPEAT_FAILURES = timedelta(seconds=5)
"""A measurement that keeps failing is recorded again this often, so that a gap has a length."""


class Watch:
    """Polls the alert source and records what changed.

    Attributes:
        burn_rates: latest burn rate per nominal window; None where Prometheus has no data.
    """

    def __init__(
        self, plan: Plan, *, ledger: Ledger, alerts: AlertSource, clock: Clock, every: timedelta
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._alerts = alerts
        self._clock = clock
        self._every = every
        self._seen: set[tuple[str, str]] = set()
        self._failed_at: dict[str, timedelta] = {}
        self.burn_rates: Mapping[str, float | None] = {}

    async def watch(self, since: datetime) -> None:
        """Poll until cancelled; ``since`` is the instant of the first injection."""
        while True:
            await self.look(since)
            await self._clock.sleep(self._every)

    async def look(self, since: datetime) -> None:
        """Read alerts and burn rates once and record what is new."""
        now = self._clock.now()
        slo = self._plan.slo.id
        try:
            reading = self._alerts.alerts(slo=slo, since=since, until=now)
            for state in await limited(self._clock, reading, "Prometheus", READING):
                self._record(state, since)
        except DriverError as error:
            self._record_failure("alerts", error)
        try:
            asking = self._alerts.burn_rates(slo=slo)
            self.burn_rates = await limited(self._clock, asking, "Prometheus", READING)
        except DriverError as error:
            self.burn_rates = {}
            self._record_failure("burn_rate", error)
        else:
            self._ledger.record(
                Kind.MEASUREMENT,
                source="prometheus",
                subject=slo,
                data={"what": "burn_rate", "values": dict(self.burn_rates)},
            )

    def firing(self) -> bool:
        """Return whether a page branch of the SLO was firing when last seen."""

        # A branch that flaps fires and clears several times: what counts is whether every firing
        # has been cleared.
        def seen(kind: str) -> Counter[str]:
            facts = self._ledger.timeline.of_kind(kind)
            return Counter(str(f.data["long"]) for f in facts if f.data["severity"] == "page")

        return bool(seen(Kind.ALERT_FIRED) - seen(Kind.ALERT_RESOLVED))

    def _record(self, state: AlertState, since: datetime) -> None:
        labels = state.labels
        branch = labels.get("long_window", "")
        data = {
            "alert": labels.get("alertname", ""),
            "slo": labels.get("slo", ""),
            "service": labels.get("service", ""),
            "severity": labels.get("severity", ""),
            "long": branch,
            "short": labels.get("short_window", ""),
            "burn_rate": labels.get("burn_rate", ""),
            "active_at": state.active_at.isoformat() if state.active_at else None,
        }
        if state.fired_at is None or state.fired_at < since:
            return
        for kind, at in (
            (Kind.ALERT_FIRED, state.fired_at),
            (Kind.ALERT_RESOLVED, state.resolved_at),
        ):
            key = (str(kind), f"{labels.get('severity')}/{branch}/{state.fired_at.isoformat()}")
            if at is not None and key not in self._seen:
                self._seen.add(key)
                self._ledger.record(
                    kind,
                    source="prometheus",
                    subject=self._plan.slo.id,
                    data=data,
                    happened_at=at,
                )

    def _record_failure(self, what: str, error: DriverError) -> None:
        now = self._clock.elapsed()
        last = self._failed_at.get(what)
        if last is None or now - last >= REPEAT_FAILURES:
            self._failed_at[what] = now
            self._ledger.record(
                Kind.MEASUREMENT_FAILED,
                source="conductor",
                subject=self._plan.slo.id,
                data={"what": what, "error": str(error)},
            )
