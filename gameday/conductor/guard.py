"""What ends a run early: abort rules, what it sets off, orders from outside, a real page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.conductor.limit import limited
from gameday.conductor.watch import Watch
from gameday.errors import DriverError, StoreError
from gameday.ledger import Ledger
from gameday.model.effects import TooMuch, too_much
from gameday.model.scenario import AbortRule
from gameday.model.signals import samples
from gameday.plan import Plan
from gameday.ports import AlertSource, Clock, EffectSource, OrderKind, Store
from scoring.detection import recompute
from scoring.slo import NoData, nominal
from scoring.timeline import Fact, Kind

LOOK_EVERY = timedelta(milliseconds=200)
"""How often orders are looked for: what `gameday abort` waits for before anything happens."""

RULES_EVERY = timedelta(seconds=1)
EXPENSIVE_EVERY = timedelta(seconds=5)
"""Rules that read raw counters or start a probe are looked at this often."""

BLIND_FOR = timedelta(seconds=60)
"""A rule that cannot be read for this long ends the run: an abort rule nobody can read is none."""

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run ends early, and who says so."""

    text: str
    by: str


class Guard:
    """Tells when a run has to end early.

    Args:
        probes: per name in the scenario's abort rules, what tells whether its steady state holds.
        effects: what the drill sets off, once it is watched; None where nobody can tell.
        unwatched: says why no sentinel watches over the run any more; empty while one does.

    Attributes:
        effects: as given.
        set_off: what was too much of what the drill set off; None: nothing was.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        ledger: Ledger,
        store: Store,
        alerts: AlertSource,
        watch: Watch,
        clock: Clock,
        probes: Mapping[str, Probe],
        effects: EffectSource | None = None,
        unwatched: Callable[[], str] = lambda: "",
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._store = store
        self._alerts = alerts
        self._watch = watch
        self._clock = clock
        self._probes = probes
        self._unwatched = unwatched
        self.effects = effects
        self._limits = plan.scenario.spec.limits
        self._watches_effects = False
        self.set_off: TooMuch | None = None
        self._since = ledger.now()
        self._looked: dict[int, timedelta] = {}
        self._blind_since: dict[int, timedelta] = {}

    def watch_effects(self) -> None:
        """Look at what the drill sets off from now on: it is known how things were before."""
        self._watches_effects = True

    async def reason(self) -> Reason:
        """Return once the run has to end, with the first reason there is."""
        rules_at = self._clock.elapsed()
        while True:
            found = self._ordered() or self._stranger() or self._alone()
            now = self._clock.elapsed()
            if found is None and now >= rules_at:
                rules_at = now + RULES_EVERY
                found = self._set_off() or await self._ruled()
            if found is not None:
                return found
            await self._clock.sleep(LOOK_EVERY)

    def _ordered(self) -> Reason | None:
        try:
            orders = self._store.orders(self._plan.run)
        except StoreError:
            # A store that cannot be read ends the run anyway, at the next fact to be written.
            return None
        for order in orders:
            if order.kind is OrderKind.FENCE:
                return Reason(f"taken over by the {order.by}: {order.reason}", order.by)
            word = "stop of all runs" if order.kind is OrderKind.STOP else "abort"
            why = f": {order.reason}" if order.reason else ""
            return Reason(f"{word} ordered{why}", order.by)
        return None

    def _stranger(self) -> Reason | None:
        """Return a page that this drill does not explain: somebody has a real incident."""
        expected = {self._plan.slo.id, *self._plan.scenario.spec.expect.collateral}
        for fact in self._ledger.timeline.of_kind(Kind.PAGE_RECEIVED):
            if fact.data.get("severity") == "page" and fact.happened_at >= self._since:
                names = {str(fact.data.get(key, "")) for key in ("slo", "alert", "service")}
                if not names & expected:
                    return Reason(_unrelated(fact), "alertmanager")
        return None

    def _alone(self) -> Reason | None:
        """Return that nobody would take the faults back any more if this run died."""
        why = self._unwatched()
        return Reason(f"{why}, and without it no fault is held", "conductor") if why else None

    def _set_off(self) -> Reason | None:
        """Return what the drill has set off beyond a limit, or that nobody can tell any more."""
        if self.effects is None or not self._watches_effects:
            return None
        try:
            self.set_off = too_much(self.effects.seen(), self._limits)
        except DriverError as error:
            return Reason(str(error), "conductor")
        return None if self.set_off is None else Reason(self.set_off.text, "conductor")

    # --- abort rules --------------------------------------------------------------------------

    async def _ruled(self) -> Reason | None:
        injected = self._ledger.timeline.first(Kind.FAULT_INJECTED)
        if injected is None:
            return None
        for number, rule in enumerate(self._plan.scenario.spec.abort):
            text = await self._broken(number, rule, injected.happened_at)
            if text:
                return Reason(text, "conductor")
        return None

    async def _broken(self, number: int, rule: AbortRule, since: datetime) -> str:
        if rule.burn_rate_above is not None:
            text = self._burning(rule.burn_rate_above)
            if text:
                return text
        if rule.error_budget_spent_above is None and rule.query is None and rule.probe is None:
            return ""  # nothing to ask for: read above, or one of the limits on what is set off
        now = self._clock.elapsed()
        last = self._looked.get(number)
        if last is not None and now - last < EXPENSIVE_EVERY:
            return ""
        self._looked[number] = now
        try:
            text = await self._read(rule, since)
        except DriverError as error:
            return self._blind(number, rule, error, now)
        self._blind_since.pop(number, None)
        return text

    async def _read(self, rule: AbortRule, since: datetime) -> str:
        if rule.error_budget_spent_above is not None:
            spent = await self._budget_spent(since)
            if spent is not None and spent > rule.error_budget_spent_above:
                return (
                    f"this run spent {spent:.1%} of the period's error budget, above the abort "
                    f"rule's {rule.error_budget_spent_above:.0%}"
                )
        if rule.query is not None:
            return await self._asked(rule, rule.query)
        if rule.probe is not None:
            probe = self._probes[rule.probe]
            holds = await limited(self._clock, _call(probe), f"the probe {rule.probe!r}")
            if not holds:
                return f"the steady state of the abort rule's probe {rule.probe!r} does not hold"
        return ""

    def _burning(self, limit: float) -> str:
        # Of the alert's own windows: in the period's an old fault lingers for weeks.
        windows = {nominal(w) for b in self._plan.slo.windows for w in (b.short, b.long)}
        seen = self._watch.burn_rates.items()
        highest = max((r for w, r in seen if w in windows and r is not None), default=0.0)
        if highest > limit:
            return f"the burn rate is {highest:.1f}, above the abort rule's {limit:g}"
        return ""

    async def _asked(self, rule: AbortRule, query: str) -> str:
        values = await limited(self._clock, self._alerts.values(query), "Prometheus")
        for value in values:
            if rule.above is not None and value > rule.above:
                return f"{query} is {value:g}, above the abort rule's {rule.above:g}"
            if rule.below is not None and value < rule.below:
                return f"{query} is {value:g}, below the abort rule's {rule.below:g}"
        return ""

    async def _budget_spent(self, since: datetime) -> float | None:
        now = self._clock.now()
        reading = self._alerts.counters(
            good_query=self._plan.slo.good_query or self._plan.slo.bad_query,
            total_query=self._plan.slo.total_query,
            since=since,
            until=now,
        )
        counters = await limited(self._clock, reading, "Prometheus")
        spent = recompute(
            samples(counters.good),
            samples(counters.total),
            self._plan.page_windows,
            self._plan.real_objective,
            timing=self._plan.target.timing,
            injected_at=since.timestamp(),
            until=now.timestamp(),
            counts_bad=bool(self._plan.slo.bad_query),
        )
        return None if isinstance(spent, NoData) else spent.budget_spent_ratio

    def _blind(self, number: int, rule: AbortRule, error: DriverError, now: timedelta) -> str:
        first = self._blind_since.setdefault(number, now)
        self._ledger.record(
            Kind.MEASUREMENT_FAILED,
            source="conductor",
            subject=self._plan.slo.id,
            data={"what": "abort_rule", "error": str(error)},
        )
        if now - first < BLIND_FOR:
            return ""
        name = rule.query or rule.probe or "errorBudgetSpentAbove"
        return (
            f"the abort rule {name!r} could not be read for "
            f"{(now - first).total_seconds():.0f} s: {error}"
        )


async def _call(probe: Probe) -> bool:
    return await probe()


def _unrelated(fact: Fact) -> str:
    data = fact.data
    name = data.get("alert") or "a page"
    service = f" of {data['service']}" if data.get("service") else ""
    return f"a real page came that this drill does not explain: {name}{service}"
