"""The recordings of an SLO: its error ratio over every window, its burn rates, its budget.

Names and labels are those Sloth writes, so that its dashboards work; windows keep their nominal
names when time is compressed. Where nothing happened nothing is recorded: no traffic is neither
good nor bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from gameday.errors import UsageError
from gameday.model.slo import Ratio, Raw, Reading, Sli, Slices, Slo, Threshold, scaled
from gameday.rules.rule_file import Rule
from gameday.spec.openslo.promql import over
from scoring.slo import Severity, nominal

POINT_BAD, POINT_TOTAL = "slo:sli_point_bad:sum", "slo:sli_point_total:sum"
POINT_ERROR = "slo:sli_point_error:ratio"
SLICE_ERROR = "slo:sli_slice_error:ratio"

COVERAGE_STEPS = 720
"""In how many steps the period is looked through to see how much of it is held: one hour each in
30 days."""

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_SECOND = timedelta(seconds=1)
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@lru_cache(maxsize=4096)
def prometheus_duration(duration: timedelta) -> str:
    """Return a duration as Prometheus writes it, to the millisecond: ``1m30s``, ``24m``, ``416ms``.

    Raises:
        UsageError: the duration is shorter than a millisecond, which Prometheus cannot express.
    """
    left = round(duration / timedelta(milliseconds=1))
    if left <= 0:
        raise UsageError(
            f"a window of {duration.total_seconds():g} s is shorter than a millisecond;"
            " use a smaller time scale"
        )
    parts = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def number(value: float) -> str:
    """Return a number as it stands in rules and labels: ``14.4``, ``60``, never ``60.0``."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def complement(ratio: float) -> str:
    """Return 1 − ratio without the noise of binary floats: 0.001, not 0.0010000000000000009."""
    return f"{Decimal(1) - Decimal(repr(ratio)):f}"


def error_ratio_name(window: timedelta) -> str:
    """Return the name of the series that holds the error ratio over a (nominal) window."""
    return f"slo:sli_error:ratio_rate{nominal(window)}"


class Recordings:
    """The recordings of one SLO on a target whose time runs ``time_scale`` times faster.

    Attributes:
        identity: the labels every recording carries.
        windows: the nominal windows of its alert branches, shortest first, each once.
    """

    def __init__(self, slo: Slo, time_scale: float) -> None:
        self.slo = slo
        self.time_scale = time_scale
        self.budget = complement(slo.objective.target_ratio)
        self.windows = sorted({w for b in slo.windows for w in (b.short, b.long)})
        self.identity = {
            "slo": slo.id,
            "service": slo.service,
            "sloth_id": f"{slo.service}-{slo.id}",
            "sloth_service": slo.service,
            "sloth_slo": slo.id,
            "time_scale": number(time_scale),
        }
        service = slo.service.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self.selector = f'slo="{slo.id}",service="{service}"'
        # Over a span of time, series of an earlier time scale do not belong to this SLO.
        self._history = f'{{{self.selector},time_scale="{number(time_scale)}"}}'

    def rules(self) -> list[Rule]:
        """Return every recording, each after those it reads."""
        return [
            *self._bases(),
            *(self._record(error_ratio_name(w), self._over(w), w) for w in self.windows),
            *self._guards(),
            *self._about(),
            *self._burning(),
        ]

    def instant(self, name: str) -> str:
        """Return PromQL of one of the SLO's series now, labelled with SLO and service only."""
        return f"max by (slo, service) ({name}{{{self.selector}}})"

    def guarded_windows(self) -> Sequence[timedelta]:
        """Return the windows over which events are counted, for the guard of low traffic."""
        if not (self.slo.min_events or self.slo.min_bad_events):
            return ()
        return sorted({b.long for b in self.slo.windows if b.severity is Severity.PAGE})

    # --- the error ratio ----------------------------------------------------------------------

    def _bases(self) -> list[Rule]:
        """Return what is recorded at every evaluation, for SLIs whose windows are made of that."""
        sli = self.slo.sli
        inner = sli.sli if isinstance(sli, Slices) else sli
        rules = [self._record(name, expr) for name, expr in _points(inner)]
        if isinstance(sli, Slices):
            rules.append(self._record(SLICE_ERROR, self._slice(sli)))
        return rules

    def _slice(self, sli: Slices) -> str:
        ratio = self._within(sli.sli, sli.window)
        if sli.target_ratio is None:
            return ratio
        # Rounded, or 5 % of a hundred events would be a hair above 5 %.
        op = ">=" if sli.is_strict else ">"
        return f"round(\n{ratio},\n1e-9\n) {op} bool {complement(sli.target_ratio)}"

    def _over(self, window: timedelta) -> str:
        """Return PromQL of the error ratio over a window."""
        sli = self.slo.sli
        if isinstance(sli, Slices):
            return self._average(SLICE_ERROR, window)
        return self._within(sli, window)

    def _within(self, sli: Ratio | Raw | Threshold, window: timedelta) -> str:
        span = self._span(window)
        match sli:
            case Ratio(reading=Reading.GAUGE):
                return self._share(POINT_BAD, POINT_TOTAL, window)
            case Ratio(reading=Reading.WINDOWED):
                part = _number_of(over(sli.good or sli.bad, span))
                return _ratio_of(part, _summed(over(sli.total, span)), is_good=bool(sli.good))
            case Ratio():
                part = f"(sum(rate({sli.good or sli.bad}[{span}])) or vector(0))"
                return _ratio_of(part, f"sum(rate({sli.total}[{span}]))", is_good=bool(sli.good))
            case Raw() if sli.is_windowed:
                return _clamped(sli, over(sli.query, span))
            case Raw() | Threshold():
                return self._average(POINT_ERROR, window)

    def _average(self, name: str, window: timedelta) -> str:
        return f"avg(avg_over_time({name}{self._history}[{self._span(window)}]))"

    def _share(self, bad: str, total: str, window: timedelta) -> str:
        span = self._span(window)
        return (
            "clamp_max(\n"
            f"  sum(sum_over_time({bad}{self._history}[{span}]))\n"
            "  /\n"
            f"  (sum(sum_over_time({total}{self._history}[{span}])) > 0),\n"
            "  1\n"
            ")"
        )

    # --- the rest -----------------------------------------------------------------------------

    def _guards(self) -> list[Rule]:
        sli = self.slo.sli
        inner = sli.sli if isinstance(sli, Slices) else sli
        if not isinstance(inner, Ratio):
            return []
        return [
            self._record(
                f"slo:sli_total:increase{nominal(window)}",
                f"sum(increase({inner.total}[{self._span(window)}]))",
                window,
            )
            for window in self.guarded_windows()
        ]

    def _about(self) -> list[Rule]:
        slo = self.slo
        percent = (Decimal(repr(slo.objective.target_ratio)) * 100).normalize()
        days = number(slo.objective.period / timedelta(days=1))
        info = {"sloth_mode": "gameday", "sloth_objective": f"{percent:f}"}
        return [
            self._record("slo:objective:ratio", f"vector({number(slo.objective.target_ratio)})"),
            self._record("slo:error_budget:ratio", f"vector({self.budget})"),
            self._record("slo:time_period:days", f"vector({days})"),
            Rule("sloth_slo_info", "vector(1)", {**self.identity, **info}),
        ]

    def _burning(self) -> list[Rule]:
        if not self.windows:
            return []
        shortest, period = self.windows[0], self.slo.objective.period
        current = self.instant(error_ratio_name(shortest))
        rules = [
            self._record("slo:current_burn_rate:ratio", f"{current} / {self.budget}", shortest)
        ]
        sli = self.slo.sli
        if isinstance(sli, Ratio) and sli.reading is Reading.COUNTER:
            total, bad = (f"slo:sli_{w}:rate{nominal(shortest)}" for w in ("total", "bad"))
            rate = f"sum(rate({sli.total}[{self._span(shortest)}]))"
            rules.append(self._record(total, rate, shortest))
            rules.append(self._record(bad, f"{current} * {self.instant(total)}", shortest))
            over_period = self._share(bad, total, period)
        elif isinstance(sli, Ratio) and sli.reading is Reading.GAUGE:
            over_period = self._share(POINT_BAD, POINT_TOTAL, period)
        elif isinstance(sli, Slices):
            over_period = self._average(SLICE_ERROR, period)
        elif isinstance(sli, Threshold) or (isinstance(sli, Raw) and not sli.is_windowed):
            over_period = self._average(POINT_ERROR, period)
        else:
            over_period = self._average(error_ratio_name(shortest), period)
        if period not in self.windows:
            rules.append(self._record(error_ratio_name(period), over_period, period))
        burn, coverage = "slo:period_burn_rate:ratio", "slo:period_coverage:ratio"
        spent = f"{self.instant(burn)} * {self.instant(coverage)}"
        rules += [
            self._record(burn, f"{self.instant(error_ratio_name(period))} / {self.budget}"),
            self._record(coverage, self._coverage(shortest, period)),
            # What is not held was neither spent nor saved: it is left out, not made up. The
            # coverage beside it says how much of the period that is.
            self._record("slo:period_error_budget_remaining:ratio", f"1 - {spent}"),
        ]
        return rules

    def _coverage(self, shortest: timedelta, period: timedelta) -> str:
        real = scaled(period, self.time_scale)
        step = max(_SECOND, real / COVERAGE_STEPS)
        series = f"{error_ratio_name(shortest)}{self._history}"
        span = f"{prometheus_duration(real)}:{prometheus_duration(step)}"
        steps = number(round(real / step, 6))
        return f"clamp_max(sum(count_over_time({series}[{span}])) / {steps}, 1)"

    def _span(self, window: timedelta) -> str:
        return prometheus_duration(scaled(window, self.time_scale))

    def _record(self, name: str, expr: str, window: timedelta | None = None) -> Rule:
        if window is None:
            return Rule(name, expr, self.identity)
        return Rule(name, expr, {**self.identity, "sloth_window": nominal(window)})


def _ratio_of(part: str, total: str, *, is_good: bool) -> str:
    # `> 0` drops the series where there is no traffic (0/0 would be NaN); clamped because two
    # counters are extrapolated apart and one may come out a hair above the other.
    if is_good:
        return f"clamp_min(\n  1 - (\n    {part}\n    /\n    ({total} > 0)\n  ),\n  0\n)"
    return f"clamp_max(\n  {part}\n  /\n  ({total} > 0),\n  1\n)"


def _points(sli: Sli) -> list[tuple[str, str]]:
    """Return what of an SLI is recorded at every evaluation, by name."""
    match sli:
        case Ratio(reading=Reading.GAUGE):
            total, part = _summed(sli.total), _number_of(sli.good or sli.bad)
            bad = f"{total} - {part}" if sli.good else part
            # Events of which it is not known how many were bad are no good ones.
            return [
                (POINT_TOTAL, f"({total} > 0)\nand on ()\n{part}"),
                (POINT_BAD, f"clamp_min({bad}, 0)\nand on ()\n({total} > 0)"),
            ]
        case Threshold():
            missed = f"{_numbers(sli.query)} {_OPPOSITE[sli.op]} bool {number(sli.value)}"
            return [(POINT_ERROR, f"avg({missed})")]
        case Raw() if not sli.is_windowed:
            return [(POINT_ERROR, _clamped(sli, sli.query))]
    return []


def _clamped(sli: Raw, query: str) -> str:
    return f"clamp({'1 - ' if sli.is_success else ''}avg({_numbers(query)}), 0, 1)"


def _numbers(query: str) -> str:
    """Return PromQL of those series of a query whose value is a number.

    A value that is not a number is no value, of each series, before anything is made of several:
    one pod of many that had no traffic must not take the others with it.
    """
    return f"((\n{query}\n) > -Inf < +Inf)"


def _summed(query: str) -> str:
    return f"sum({_numbers(query)})"


def _number_of(query: str) -> str:
    """Return PromQL of how many events a query counts.

    None where there is no series: that one was never born. Nothing where there are series and none
    has a number: how many there were is not known.
    """
    return f"({_summed(query)} or (vector(0) unless on () (\n{query}\n)))"
