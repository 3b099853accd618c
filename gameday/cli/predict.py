"""``gameday slo predict``: when the alerts must fire and reset, before anything is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import typer

from gameday.cli.output import print_json, print_table

if TYPE_CHECKING:
    from gameday.model.slo import Slo
    from scoring.detection import ErrorShape, Prediction, Timing

T = TypeVar("T")

RATIOS = ("100%", "50%", "20%", "10%", "5%", "2%", "1%", "0.5%", "0.2%", "0.1%")
DURATIONS = ("1m", "10m", "1h", "6h", "1d")
"""The grid where none is asked for; durations in nominal time."""

KINDS = ("constant", "ramp", "spike", "intermittent")


def predict(
    slo: str = typer.Argument(help="SLO id, or the path of an OpenSLO document."),
    error_ratio: list[str] = typer.Option(
        [], help="Bad events / all events while the fault lasts: 5%. May be repeated."
    ),
    fault_duration: list[str] = typer.Option(
        [], help="How long the fault lasts, in the target's real time: 10m. May be repeated."
    ),
    shape: str = typer.Option(
        "constant",
        help="constant, ramp, spike, intermittent, or points: 0s=0%,5m=50%,10m=50%,15m=0%.",
    ),
    rise: str = typer.Option("", help="How long a ramp rises; without it, all along."),
    on: str = typer.Option("1m", help="How long each pulse of an intermittent fault lasts."),
    off: str = typer.Option("9m", help="How long it pauses between two pulses."),
    baseline: str = typer.Option("0%", help="Error ratio before and after the fault."),
    time_scale: float = typer.Option(1, help="Compress windows and period by this factor."),
    scrape: str = typer.Option("0s", help="Scrape interval of the SLI's counters."),
    evaluation: str = typer.Option("0s", help="Evaluation interval of the alert's rules."),
    group_wait: str = typer.Option("0s", help="How long Alertmanager holds the page back."),
    json: bool = typer.Option(False, "--json", help="Print every case as JSON."),
) -> None:
    """Say when each burn-rate branch must fire and reset, and which faults are never seen.

    With neither --error-ratio nor --fault-duration a grid of both is printed. Without --scrape and
    --evaluation it is the bare formula of the SRE Workbook.
    """
    from gameday.errors import UsageError
    from gameday.house.slos.catalogue import find_slo
    from gameday.report import prediction as words
    from scoring.detection import Timing, predict_shape

    if not 0 < time_scale < float("inf"):
        raise UsageError(f"--time-scale {time_scale!r} must be above 0")
    found = find_slo(slo)
    objective = found.objective.scaled(time_scale)
    windows = [w.scaled(time_scale) for w in found.windows]
    timing = Timing(
        scrape=_duration("--scrape", scrape),
        evaluation=_duration("--evaluation", evaluation),
        group_wait=_duration("--group-wait", group_wait),
    )
    shapes = _shapes(
        shape,
        ratios=error_ratio,
        durations=fault_duration,
        rise=rise,
        on=on,
        off=off,
        baseline=_ratio("--baseline", baseline),
        time_scale=time_scale,
    )
    cases = [
        words.PredictedFault(
            max(ratio for _, ratio in one.points),
            one.lasts,
            _endless(found, one, time_scale, timing)
            if one.lasts is None and shape == "constant"
            else predict_shape(objective, windows, one, timing=timing),
        )
        for one in shapes
    ]
    if json:
        print_json(words.document(found, shape, cases, time_scale=time_scale, timing=timing))
        return
    print(words.title(found, time_scale=time_scale))
    if len(cases) == 1:
        fault = words.fault_in_words(cases[0], shape, time_scale=time_scale)
        print(f"For {fault}; detects after the onset, resets after its end:\n")
        columns, rows = words.branches_table(found, cases[0], time_scale=time_scale)
        print_table(columns, rows, empty="")
        firings = cases[0].prediction.page_firings
        if firings != 1:
            flaps = f"The page flaps: it fires {firings} times."
            print(f"\n{flaps if firings else 'No page ever tells of this fault.'}")
    else:
        print(
            f"Faults ({shape}) by error ratio and duration. A cell: the page fires that long after"
        )
        print("the onset / clears that long after the end; ×3: it fires three times.\n")
        columns, rows = words.grid(cases)
        print_table(columns, rows, empty="")
    print(f"\n{words.never_seen(found, time_scale=time_scale)}")


def _endless(slo: Slo, shape: ErrorShape, time_scale: float, timing: Timing) -> Prediction:
    """Return the prediction for a constant fault that lasts until every branch has fired.

    The formula knows its reset; the general form waits for an end that does not come.
    """
    from scoring.detection import predict as by_formula

    return by_formula(
        slo.objective.scaled(time_scale),
        [w.scaled(time_scale) for w in slo.windows],
        shape.points[0][1],
        timing=timing,
        baseline_ratio=shape.baseline_ratio,
    )


# --- what is asked ------------------------------------------------------------------------------


def _ratio(option: str, text: str) -> float:
    """Return a share 0–1 from ``5%`` or ``0.05``; 5 alone is refused."""
    from gameday.quantity import ratio

    try:
        number: object = float(text) if "." in text or not text.isdigit() else int(text)
    except ValueError:
        number = text
    return _read(option, ratio, number)


def _duration(option: str, text: str) -> timedelta:
    from gameday.quantity import duration

    return _read(option, duration, text)


def _read(option: str, read: Callable[[object], T], value: object) -> T:
    from gameday.errors import UsageError
    from gameday.quantity import QuantityError

    try:
        return read(value)
    except QuantityError as error:
        raise UsageError(f"{option}: {error}") from error


def _shapes(
    kind: str,
    *,
    ratios: Sequence[str],
    durations: Sequence[str],
    rise: str,
    on: str,
    off: str,
    baseline: float,
    time_scale: float,
) -> list[ErrorShape]:
    """Return the shape of each case, ratio by ratio and duration by duration."""
    from gameday.errors import UsageError
    from scoring.detection import ErrorShape

    if "=" in kind:
        if ratios or durations:
            raise UsageError(
                "--shape with points says how bad the fault is and how long it lasts: "
                "leave out --error-ratio and --fault-duration"
            )
        return [_drawn(kind, baseline)]
    if kind not in KINDS:
        from gameday.names import did_you_mean

        raise UsageError(
            f"--shape {kind!r} is not known ({did_you_mean(kind, KINDS, what='shapes')}; or "
            "points: 0s=0%,5m=50%,10m=50%,15m=0%)"
        )
    asked = [_error_ratio(text) for text in ratios or RATIOS]
    needs_end = kind in ("spike", "intermittent") or (kind == "ramp" and not rise)
    lasts: list[timedelta | None] = [_lasting(text) for text in durations]
    if not lasts:
        grid = [_duration("", text) / time_scale for text in DURATIONS]
        lasts = [*grid] if needs_end or not ratios else [None]

    def shaped(ratio: float, duration: timedelta | None) -> ErrorShape:
        match kind:
            case "ramp":
                rises = _duration("--rise", rise) if rise else duration
                assert rises is not None  # a ramp without --rise has a duration
                return ErrorShape.ramp(ratio, rises, duration, baseline_ratio=baseline)
            case "spike":
                assert duration is not None
                return ErrorShape.spike(ratio, duration, baseline_ratio=baseline)
            case "intermittent":
                assert duration is not None
                return ErrorShape.intermittent(
                    ratio,
                    on=_duration("--on", on),
                    off=_duration("--off", off),
                    duration=duration,
                    baseline_ratio=baseline,
                )
            case _:
                return ErrorShape.constant(ratio, duration, baseline_ratio=baseline)

    try:
        return [shaped(ratio, duration) for ratio in asked for duration in lasts]
    except ValueError as error:
        raise UsageError(f"--shape {kind}: {error}") from error


def _error_ratio(text: str) -> float:
    from gameday.errors import UsageError

    ratio = _ratio("--error-ratio", text)
    if ratio == 0:
        raise UsageError(f"--error-ratio {text!r}: a fault without errors is none; write 5%")
    return ratio


def _lasting(text: str) -> timedelta:
    from gameday.errors import UsageError

    duration = _duration("--fault-duration", text)
    if not duration:
        raise UsageError(f"--fault-duration {text!r}: a fault lasts for a while; write 10m")
    return duration


def _drawn(text: str, baseline: float) -> ErrorShape:
    """Return the shape of ``0s=0%,5m=50%``."""
    from gameday.errors import UsageError
    from scoring.detection import ErrorShape

    points = []
    for part in text.split(","):
        at, sign, ratio = part.partition("=")
        if not sign:
            raise UsageError(f"--shape: {part.strip()!r} is no point; write time=ratio, 5m=50%")
        points.append((_duration("--shape", at.strip()), _ratio("--shape", ratio.strip())))
    try:
        return ErrorShape(tuple(points), baseline)
    except ValueError as error:
        raise UsageError(f"--shape: {error}") from error
