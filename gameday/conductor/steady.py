"""The steady state before a fault: the burn rate over every page branch's long window is low."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from gameday.conductor.limit import limited
from gameday.errors import Ground, PlanRefused, Refusal
from gameday.ledger import Ledger
from gameday.plan import Plan
from gameday.ports import AlertSource, Clock
from scoring.slo import BurnWindow, nominal
from scoring.timeline import Kind

Forget = Callable[[], Coroutine[Any, Any, None]]
"""Makes a target forget what its Prometheus has measured so far."""

FORGETTING = timedelta(seconds=60)
"""How long that may take; the sandbox's takes a few seconds."""


async def burn_rates(plan: Plan, alerts: AlertSource, clock: Clock) -> dict[str, float | None]:
    """Return the burn rate over every page branch's long window; None: not known.

    Raises:
        DriverError: Prometheus cannot be asked.
    """
    rates = await limited(clock, alerts.burn_rates(slo=plan.slo.id), "Prometheus")
    return {nominal(w.long): rates.get(nominal(w.long)) for w in _page_branches(plan)}


def foretold(plan: Plan, rates: Mapping[str, float | None], *, forgets: bool) -> tuple[str, ...]:
    """Return what should be known of the steady state before a run that begins now; may be empty.

    Args:
        rates: as `burn_rates` returns them.
        forgets: whether an earlier drill's bad minutes are forgotten first.
    """
    wanted = plan.scenario.spec.steady_state
    high = _too_high(plan, rates)
    unknown = [long for long, rate in rates.items() if rate is None]
    shown = _shown(high)
    if high and forgets:
        return (
            f"the burn rate of {plan.slo.id!r} is {shown}: what was measured so far is forgotten "
            "first (`--keep-history` lets it count)",
        )
    waits = f"the run waits up to {wanted.within.total_seconds():.0f} s, and is refused otherwise"
    if high:
        limit = f"{wanted.burn_rate_below:g}"
        return (f"the burn rate of {plan.slo.id!r} is {shown}, and must be below {limit}: {waits}",)
    if unknown:
        return (f"no burn rate of {plan.slo.id!r} over {', '.join(unknown)} is known yet: {waits}",)
    return ()


def _page_branches(plan: Plan) -> list[BurnWindow]:
    """Return the declared windows of the branches that page."""
    branches = zip(plan.slo.windows, plan.windows, strict=True)
    return [declared for declared, real in branches if real in plan.page_windows]


def _too_high(plan: Plan, rates: Mapping[str, float | None]) -> Mapping[str, float]:
    limit = plan.scenario.spec.steady_state.burn_rate_below
    return {long: rate for long, rate in rates.items() if rate is not None and rate >= limit}


def _shown(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{rate:.1f} over {long}" for long, rate in rates.items())


class SteadyStateCheck:
    """Waits until a system is well enough to be harmed.

    Args:
        forget: of a target whose history may be forgotten; None: it may not.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        ledger: Ledger,
        alerts: AlertSource,
        clock: Clock,
        every: timedelta,
        forget: Forget | None = None,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._alerts = alerts
        self._clock = clock
        self._every = every
        self._forget = forget
        self._forgotten_at: timedelta | None = None

    async def cleared(self) -> None:
        """Have the target forget the bad minutes that an earlier fault left in the windows.

        Nothing is forgotten where the burn rates are low enough or unknown, or where it may not be.
        What is bad at present is bad again at once, and `awaited` refuses the run.

        Raises:
            DriverError: Prometheus cannot be asked, or the target cannot forget.
        """
        if self._forget is None:
            return
        rates = await self._rates()
        if _too_high(self._plan, rates):
            await self._forgotten(self._forget, rates)

    async def _forgotten(self, forget: Forget, rates: Mapping[str, float | None]) -> None:
        await limited(self._clock, forget(), "the target", FORGETTING)
        self._forgotten_at = self._clock.elapsed()
        self._ledger.record(
            Kind.HISTORY_FORGOTTEN,
            source="conductor",
            subject=self._plan.slo.id,
            data={"burn_rates": dict(rates)},
        )

    async def awaited(self) -> None:
        """Return once the steady state has held for as long as the scenario says.

        Where silence is expected, also once Prometheus holds as much history as that needs: on
        less, a fault that full windows bear would fire.

        A bad moment that is over is forgotten as well, where it may be: in a history that has just
        begun, a single one keeps every long window too high for as long as that window is.

        Raises:
            PlanRefused: it did not hold within the scenario's time.
            DriverError: Prometheus cannot be asked, or the target cannot forget.
        """
        wanted = self._plan.scenario.spec.steady_state
        started = self._clock.elapsed()
        held_since: timedelta | None = None
        enough_at = await self._enough_history_at()
        while True:
            seen = await self._rates()
            now = self._clock.elapsed()
            met = all(r is not None and r < wanted.burn_rate_below for r in seen.values())
            if not met:
                held_since = None
            elif held_since is None:
                held_since = now
            is_enough = enough_at is None or now >= enough_at
            if held_since is not None and now - held_since >= wanted.for_ and is_enough:
                self._record_steady_state(True, seen)
                return
            if held_since is None and now - started > wanted.within:
                self._record_steady_state(
                    None if any(r is None for r in seen.values()) else False, seen
                )
                raise PlanRefused(self._why_unsteady(seen))
            if self._forget is not None and await self._is_over(seen):
                await self._forgotten(self._forget, seen)
                enough_at = await self._enough_history_at()
            await self._clock.sleep(self._every)

    async def _enough_history_at(self) -> timedelta | None:
        """Return when, by the elapsed time, Prometheus will hold what silence needs.

        None: nothing is needed, or nobody knows since when Prometheus measures.
        """
        needed = self._plan.silent_history
        if not needed:
            return None
        if self._forgotten_at is not None:
            return self._forgotten_at + needed
        since = await limited(self._clock, self._alerts.started_at(), "Prometheus")
        if since is None:
            return None
        return self._clock.elapsed() + needed - (self._clock.now() - since)

    async def _is_over(self, seen: Mapping[str, float | None]) -> bool:
        """Return whether what makes a long window too high has left every short one."""
        if not _too_high(self._plan, seen):
            return False
        asking = self._alerts.burn_rates(slo=self._plan.slo.id)
        rates = await limited(self._clock, asking, "Prometheus")
        limit = self._plan.scenario.spec.steady_state.burn_rate_below
        short = [rates.get(nominal(w.short)) for w in _page_branches(self._plan)]
        return all(rate is not None and rate < limit for rate in short)

    async def _rates(self) -> dict[str, float | None]:
        """Return the burn rate over every page branch's long window; None: not known."""
        return await burn_rates(self._plan, self._alerts, self._clock)

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
        shown = _shown(_too_high(self._plan, rates))
        longest = max(w.long for w in self._plan.page_windows)
        return Refusal(
            Ground.STEADY_STATE,
            f"steady state not met: the burn rate of {self._plan.slo.id!r} is {shown}; it must be "
            f"below {limit:g}",
            f"an earlier fault leaves the windows after at most {longest.total_seconds():.0f} s: "
            "wait; on the sandbox leave out `--keep-history`, or start from an empty history with "
            "`gameday sandbox reset --history`",
        )
