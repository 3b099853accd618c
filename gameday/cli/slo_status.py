"""``gameday slo status``: what is left of the error budgets, and how fast they go."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gameday.house.slos.status import SloStatus


def status(
    slo: list[str] = typer.Argument(None, help="SLO ids or OpenSLO documents; all without any."),
    prometheus: str = typer.Option(
        "",
        help="URL of Prometheus; else GAMEDAY_PROMETHEUS_URL, else the sandbox's if it is up.",
    ),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> None:
    """Show what is left of each error budget, its burn rates, and when it is gone at this rate.

    Only what Prometheus holds is counted: with a part of the period's history, what is left is an
    upper limit.
    """
    from gameday.house.slos.catalogue import find_slo, slos
    from gameday.house.slos.status import prometheus_to_ask, read_status
    from gameday.settings import Settings

    wanted = [find_slo(one) for one in slo] if slo else slos()
    server, time_scale = prometheus_to_ask(prometheus or None, Settings.from_environment())
    found = asyncio.run(read_status(server, wanted, now=datetime.now(UTC), time_scale=time_scale))
    if json:
        print_json([one.to_json() for one in found])
        return
    print_table(
        ("slo", "budget left", "history held", "burn rate over", "gone at this rate in"),
        [_row(one) for one in found],
        empty="no SLO found; they are OpenSLO documents under slos/",
    )
    for line in _notes(found):
        say(line)


def _row(one: SloStatus) -> tuple[object, ...]:
    from gameday.model.budget import BudgetLeft
    from gameday.report.wording import NO_DATA, figure, percent

    rates = (
        f"{window} {figure(rate) if rate is not None else NO_DATA}"
        for window, rate in one.burn_rates.items()
    )
    known = one.budget if isinstance(one.budget, BudgetLeft) else None
    at_most = "at most " if known and known.history_ratio < 1 else ""
    return (
        one.slo.id,
        f"{at_most}{percent(known.left_ratio)}" if known else NO_DATA,
        percent(known.history_ratio) if known else NO_DATA,
        ", ".join(rates) or NO_DATA,
        _gone(one),
    )


def _gone(one: SloStatus) -> str:
    from gameday.model.budget import BudgetLeft
    from gameday.report.wording import NO_DATA, both_times

    gone = one.exhausted_in
    if gone is None:
        is_still = isinstance(one.budget, BudgetLeft) and one.present_rate == 0
        return "never" if is_still else NO_DATA
    return "it is gone" if not gone else both_times(gone.total_seconds(), one.time_scale)


def _notes(found: list[SloStatus]) -> list[str]:
    """Return what a reader has to know to read the table right."""
    from gameday.model.budget import BudgetUnknown

    notes = [
        f"{one.slo.id}: {one.budget.reason}"
        for one in found
        if isinstance(one.budget, BudgetUnknown)
    ]
    short = [
        one
        for one in found
        if not isinstance(one.budget, BudgetUnknown) and one.budget.history_ratio < 1
    ]
    if short:
        notes.append(
            "Prometheus holds part of the period only; what the rest has spent is not known and "
            "not guessed."
        )
    windows = sorted({one.rate_window for one in found if one.rate_window})
    if windows:
        notes.append(f"This rate: the burn rate over {', '.join(windows)}.")
    return notes
