"""The steady state before a fault: the burn rate over every page branch's long window is low."""

from __future__ import annotations

from datetime import datetime, timedelta

from gameday.conductor.limit import limited
from gameday.errors import Ground, PlanRefused, Refusal
from gameday.ledger import Ledger
from gameday.plan import Plan
from gameday.ports import AlertSource, Clock
from scoring.slo import nominal
from scoring.timeline import Kind


class SteadyState:
    """Waits until a system is well enough to be harmed."""

    def __init__(
        self, plan: Plan, *, ledger: Ledger, alerts: AlertSource, clock: Clock, every: timedelta
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._alerts = alerts
        self._clock = clock
        self._every = every

    async def awaited(self) -> None:
        """Return once the steady state has held for as long as the scenario says.

        Raises:
            PlanRefused: it did not hold within the scenario's time.
            DriverError: Prometheus cannot be asked.
        """
        wanted = self._plan.scenario.spec.steady_state
        pages = [
            nominal(w.long)
            for w, real in zip(self._plan.slo.windows, self._plan.windows, strict=True)
            if real in self._plan.page_windows
        ]
        started = self._clock.now()
        held_since: datetime | None = None
        while True:
            reading = self._alerts.burn_rates(slo=self._plan.slo.id)
            rates = await limited(self._clock, reading, "Prometheus")
            seen = {long: rates.get(long) for long in pages}
            now = self._clock.now()
            met = all(r is not None and r < wanted.burn_rate_below for r in seen.values())
            if not met:
                held_since = None
            elif held_since is None:
                held_since = now
            if held_since is not None and now - held_since >= wanted.for_:
                self._record_steady_state(True, seen)
                return
            if held_since is None and now - started > wanted.within:
                self._record_steady_state(
                    None if any(r is None for r in seen.values()) else False, seen
                )
                raise PlanRefused(self._why_unsteady(seen))
            await self._clock.sleep(self._every)

    def _record_steady_state(self, met: bool | None, rates: dict[str, float | None]) -> None:
        self._ledger.record(
            Kind.STEADY_STATE_CHECKED,
            source="prometheus",
            subject=self._plan.slo.id,
            data={"met": met, "burn_rates": rates},
        )

    def _why_unsteady(self, rates: dict[str, float | None]) -> Refusal:
        limit = self._plan.scenario.spec.steady_state.burn_rate_below
        missing = [long for long, rate in rates.items() if rate is None]
        if missing:
            return Refusal(
                Ground.STEADY_STATE,
                f"steady state is unknown: Prometheus has no burn rate of {self._plan.slo.id!r} "
                f"over {', '.join(missing)}",
                "see that its rules are loaded and that there is traffic",
            )
        high = {long: rate for long, rate in rates.items() if rate is not None and rate >= limit}
        shown = ", ".join(f"{rate:.1f} over {long}" for long, rate in high.items())
        longest = max(w.long for w in self._plan.page_windows)
        return Refusal(
            Ground.STEADY_STATE,
            f"steady state not met: the burn rate of {self._plan.slo.id!r} is {shown}; it must be "
            f"below {limit:g}",
            f"an earlier fault leaves the windows after at most {longest.total_seconds():.0f} s: "
            "wait, or on the sandbox start from an empty history with "
            "`gameday sandbox reset --history`",
        )
