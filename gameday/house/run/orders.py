"""Orders to runs from outside them: abort one, stop all, lift the stop."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from gameday.drivers.clock import SystemClock
from gameday.errors import UsageError
from gameday.house.run.announcement import going_on, left_behind
from gameday.ports import Order, OrderKind, Store
from gameday.settings import Settings

LOOK_EVERY = 0.1
"""Seconds."""


def abort(store: Store, settings: Settings, run: str | None, *, reason: str) -> Sequence[str]:
    """Order runs that are going on to recover and end; return their ids.

    Args:
        run: a run's id or its beginning; None: the one that is going on here.

    Raises:
        UsageError: there is no such run, it has ended, or several go on and none is named.
    """
    if run is not None:
        found = store.find(run)
        if store.result(found) is not None:
            raise UsageError(f"run {found} has ended; `gameday show {found}` tells how")
        chosen = found
    else:
        here = going_on(settings)
        if not here:
            raise UsageError("no run is going on here; `gameday runs` lists the ones that were")
        if len(here) > 1:
            raise UsageError(f"several runs are going on: {', '.join(here)}; name one")
        chosen = here[0]
    store.give(Order(OrderKind.ABORT, chosen, reason, _who(), SystemClock().now()))
    return [chosen]


def stop(store: Store, settings: Settings, *, reason: str) -> Sequence[str]:
    """Order every run to end and none to begin until the stop is lifted; return who goes on here.

    A stop in force stays as it is.
    """
    if stopped(store) is None:
        store.give(Order(OrderKind.STOP, None, reason, _who(), SystemClock().now()))
    return going_on(settings)


def lift_stop(store: Store) -> bool:
    """Let runs begin again; return whether there was a stop."""
    return store.lift_stop(at=SystemClock().now())


def stopped(store: Store) -> Order | None:
    """Return the stop in force, or None."""
    return next((o for o in store.orders() if o.kind is OrderKind.STOP), None)


def await_end(
    store: Store, settings: Settings, runs: Sequence[str], *, on_wait: Callable[[str], None]
) -> dict[str, str]:
    """Return, per run, what it ended with once it has, by itself or by its sentinel.

    Recovery has a budget of its own. A run that takes longer is reported as "going on", here or
    where this machine does not see it; one whose process here is gone, and that got no end from
    its sentinel either, as "gone".
    """
    limit = settings.recovery_budget + settings.lease + timedelta(seconds=30)
    deadline = time.monotonic() + limit.total_seconds()
    ended: dict[str, str] = {}
    told = time.monotonic() + 2
    while len(ended) < len(runs) and time.monotonic() < deadline:
        for run in runs:
            result = store.result(run)
            if result is not None:
                ended[run] = str(result.verdict)
        if time.monotonic() > told and len(ended) < len(runs):
            told = time.monotonic() + 2
            on_wait("waiting for every fault to be recovered …")
        time.sleep(LOOK_EVERY)
    gone = set(left_behind(settings))
    return {run: ended.get(run, "gone" if run in gone else "going on") for run in runs}


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
