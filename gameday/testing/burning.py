"""Prometheus and Alertmanager over a simulated world: alerts and counters in closed form.

The error ratio of the world is a step function of time, so the value of a counter at any scrape is
an integral: no samples are kept, and an hour costs nothing. Windows begin and end at scrapes, as
those of ``rate()`` do; scrapes fall half-way between evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gameday.model.signals import AlertState, Sample, Series
from gameday.model.slo import Slo
from gameday.ports import Counters
from gameday.testing.world import ONE_STEP, World
from scoring.slo import BurnWindow, nominal

__all__ = ["SimulatedAlertmanager", "SimulatedPrometheus"]

EVENTS_PER_SECOND = 10.0

BEAT = timedelta(seconds=5)
RETRIES = (timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=5))
"""After how long Alertmanager sends a page again that was not taken."""

Deliver = Callable[[Mapping[str, Any], Callable[[bool], None]], None]
"""Sends a payload to the webhook and tells whether it was taken; never, if nobody answers."""


@dataclass(slots=True)
class _Branch:
    declared: BurnWindow
    real: BurnWindow
    states: list[AlertState] = field(default_factory=list)

    @property
    def is_firing(self) -> bool:
        return bool(self.states) and self.states[-1].resolved_at is None


class SimulatedAlertmanager:
    """Sends what fires and what is resolved to the world's webhook, and beats."""

    def __init__(self, world: World, deliver: Deliver) -> None:
        self._world = world
        self._deliver = deliver
        world.machine.after(BEAT, self._beat)

    def send(self, state: AlertState) -> None:
        """Send the page of an alert that fires, or that is resolved."""
        resolved = state.resolved_at is not None
        alert = {
            "status": "resolved" if resolved else "firing",
            "labels": dict(state.labels),
            "annotations": {"summary": "the budget burns"},
            "startsAt": state.fired_at.isoformat() if state.fired_at else None,
            "endsAt": state.resolved_at.isoformat() if state.resolved_at else None,
            "fingerprint": "/".join(state.labels.values()),
        }
        self._post({"version": "4", "status": alert["status"], "alerts": [alert]}, RETRIES)

    def page_of(self, service: str) -> None:
        """Send the page of another service's alert: somebody has a real incident."""
        labels = {"alertname": "RealTrouble", "slo": service, "service": service}
        alert = {
            "status": "firing",
            "labels": {**labels, "severity": "page"},
            "fingerprint": service,
        }
        self._post({"version": "4", "alerts": [alert]}, RETRIES * 20)

    def _beat(self) -> None:
        alert = {"status": "firing", "labels": {"alertname": "Watchdog"}}
        self._post({"version": "4", "alerts": [alert]}, ())
        self._world.machine.after(BEAT, self._beat)

    def _post(self, payload: Mapping[str, Any], again: Sequence[timedelta]) -> None:
        def told(taken: bool) -> None:
            if not taken and again:
                self._world.machine.after(again[0], self._post, payload, again[1:])

        if self._world.webhook is None:
            told(False)
        else:
            self._deliver(payload, told)


class SimulatedPrometheus:
    """A `gameday.ports.AlertSource` that evaluates one SLO's rules over a simulated world.

    Args:
        evaluation: both the scrape and the evaluation interval.
        notify: told of every alert that begins to fire and of every one that is resolved.
    """

    def __init__(
        self,
        world: World,
        slo: Slo,
        *,
        time_scale: float,
        evaluation: timedelta,
        notify: Callable[[AlertState], None],
    ) -> None:
        self._world = world
        self._slo = slo
        self._evaluation = evaluation
        self._notify = notify
        self._branches = [_Branch(w, w.scaled(time_scale)) for w in slo.windows]
        self._longest = max(b.real.long for b in self._branches).total_seconds()
        self._started = world.machine.clock.now()
        world.machine.after(evaluation, self._evaluate)

    # --- rules -------------------------------------------------------------------------------

    def _evaluate(self) -> None:
        world = self._world
        world.machine.after(self._evaluation, self._evaluate)
        now = world.machine.time()
        burned = world.bad_seconds(now) - world.bad_seconds(now - self._longest)
        if burned <= 0 and not any(b.is_firing for b in self._branches):
            return
        for branch in self._branches:
            threshold = branch.real.burn_rate
            holds = (
                self._burn(now, branch.real.long) > threshold
                and self._burn(now, branch.real.short) > threshold
            )
            if holds is not branch.is_firing:
                self._flip(branch, world.machine.clock.now())

    def _flip(self, branch: _Branch, at: datetime) -> None:
        if branch.is_firing:
            branch.states[-1] = replace(branch.states[-1], resolved_at=at)
        else:
            labels = {
                "alertname": self._slo.alert_name(),
                "slo": self._slo.id,
                "service": self._slo.service,
                "severity": str(branch.declared.severity),
                "long_window": nominal(branch.declared.long),
                "short_window": nominal(branch.declared.short),
                "burn_rate": f"{branch.declared.burn_rate:g}",
            }
            branch.states.append(AlertState(labels, at, at))
        self._notify(branch.states[-1])

    def _burn(self, now: float, window: timedelta) -> float:
        """Return the burn rate between the first and the last scrape of a window."""
        step = self._evaluation.total_seconds()
        first = (math.ceil((now - window.total_seconds()) / step - 0.5) + 0.5) * step
        last = (math.floor(now / step - 0.5) + 0.5) * step
        bad = self._world.bad_seconds(last) - self._world.bad_seconds(first)
        return bad / (last - first) / self._slo.objective.budget_ratio

    # --- what the port asks ------------------------------------------------------------------

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        """Return the alerts that fired in this span."""
        await self._world.machine.clock.sleep(ONE_STEP)
        found: list[AlertState] = []
        if slo != self._slo.id:
            return found
        for branch in self._branches:
            for state in branch.states:
                assert state.fired_at is not None
                ended = state.resolved_at
                if state.fired_at <= until and (ended is None or ended >= since):
                    later = ended is not None and ended > until
                    found.append(replace(state, resolved_at=None) if later else state)
        return found

    async def counters(
        self, *, good_query: str, total_query: str, since: datetime, until: datetime
    ) -> Counters:
        """Return a sample of both counters per scrape."""
        await self._world.machine.clock.sleep(ONE_STEP)
        step = self._evaluation.total_seconds()
        begins = math.ceil((since - self._started).total_seconds() / step - 0.5)
        until_second = min((until - self._started).total_seconds(), self._world.machine.time())
        good, total = [], []
        for number in range(begins, math.floor(until_second / step - 0.5) + 1):
            second = (number + 0.5) * step
            at = self._started + timedelta(seconds=second)
            everything = EVENTS_PER_SECOND * (second + self._longest)
            bad = EVENTS_PER_SECOND * self._world.bad_seconds(second)
            total.append(Sample(at, everything))
            good.append(Sample(at, everything - bad))
        return Counters((Series({}, tuple(good)),), (Series({}, tuple(total)),))

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        """Return the present burn rate per nominal window."""
        await self._world.machine.clock.sleep(ONE_STEP)
        now = self._world.machine.time()
        return {nominal(b.declared.long): self._burn(now, b.real.long) for b in self._branches}

    async def started_at(self) -> datetime | None:
        """Return that it does not say."""
        return None

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        """Return the intervals in force."""
        return self._evaluation, self._evaluation

    async def values(self, query: str) -> Sequence[float]:
        """Return the share of requests that fail now, whatever was asked."""
        await self._world.machine.clock.sleep(ONE_STEP)
        return (self._world.ratio,)
