"""What a seed draws: a scenario, the people in it, and what goes wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.testing.failures import DEADLY, KILLING, NEEDS_AWAIT, ORDERS, RAISING, Failure, Way
from gameday.testing.oncall import Character
from gameday.testing.world import ROLLBACK, SHIELD

__all__ = ["CALLS", "Drawn", "DrawnMoment", "draw", "possible"]

RUN, SENTINEL, OPERATOR = "run", "sentinel", "operator"

CALLS: dict[str, dict[str, int]] = {
    RUN: {
        "alerts.timing": 1,
        "store.open_run": 1,
        "store.append": 60,
        "store.orders": 200,
        "store.commit": 20,
        "store.facts_after": 200,
        "store.last_number": 1,
        "store.open_groups": 1,
        "store.group_facts": 1,
        "store.incidents": 1,
        "store.save_undo": 3,
        "store.close_undo": 3,
        "store.close_run": 1,
        "lease.start": 1,
        "lease.hold": 4,
        "lease.release": 3,
        "target.check": 1,
        "target.route_pages": 1,
        "target.mitigate": 2,
        "alerts.alerts": 40,
        "alerts.burn_rates": 50,
        "alerts.counters": 4,
        "alerts.values": 4,
        "faults.steady": 4,
        "faults.inject": 2,
        "faults.is_present": 4,
        "undoer.is_present": 3,
        "undoer.recover": 3,
        "responder.page": 1,
        "responder.ended": 1,
    },
    SENTINEL: {
        "store.append": 6,
        "store.give": 1,
        "store.open_undos": 1,
        "store.close_undo": 2,
        "store.facts": 1,
        "store.documents": 1,
        "store.close_run": 1,
        "undoer.is_present": 8,
        "undoer.recover": 3,
    },
    OPERATOR: {
        "store.close_undo": 2,
        "undoer.is_present": 2,
        "undoer.recover": 2,
    },
}
"""Every outside call of each process, and how often a run makes it, about."""

NOT_AWAITED = "store."
NEVER_RAISES = frozenset({"lease.release"})

FOR_EVER = 1_000_000
BY_HAND = 5  # longer than this nobody's tools are out while they type a command again and again

LANDS_WITHIN = 3.0
"""Seconds after which what is under way has landed: less than a lease, or nobody could know."""


@dataclass(frozen=True, slots=True)
class DrawnMoment:
    """Something that happens at an instant of its own, whatever is being called then.

    Attributes:
        second: after the beginning.
        process: whom it hits.
        way: killed before, frozen before, or one of those that end a run early.
        lasts: how long a standstill takes.
    """

    second: float
    process: str
    way: Way
    lasts: timedelta

    def __str__(self) -> str:
        long = f", {self.lasts.total_seconds():g} s" if self.way is Way.FROZEN_BEFORE else ""
        return f"{self.process}: {self.way.split()[0]}{long}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One rehearsal, before it is played.

    Attributes:
        scenario: text of the scenario's file.
        character: who answers the page.
        failures: what goes wrong, at which calls.
        moments: what goes wrong at an instant of its own.
        theirs: error ratio of a fault that somebody else has in place; None: there is none.
        interrupts: how often Ctrl-C is pressed, where it is.
        kills_in_vain: how often the sentinel tries in vain to end the run's process.
        hand_after: how many seconds after the run died somebody types ``gameday recover``, beside
            the sentinel that is at work; None: not before all is over.
        pager_is_out: whether no page ever comes through.
        steps: (second, by how much) the wall clock of the operator's machine is set; the target's
            stays right.
        elsewhere: from which second on, and for how long, another target answers at the address of
            the one that is played on; None: never.
    """

    scenario: str
    character: Character
    failures: tuple[Failure, ...]
    moments: tuple[DrawnMoment, ...]
    theirs: float | None
    interrupts: int
    kills_in_vain: int
    hand_after: float | None
    pager_is_out: bool
    steps: tuple[tuple[float, timedelta], ...] = ()
    elsewhere: tuple[float, float] | None = None


def draw(seed: int) -> Drawn:
    """Return the rehearsal of a seed; the same one every time."""
    dice = random.Random(seed)
    scenario = _scenario(dice)
    character = dice.choice([*Character, Character.PROMPT, Character.PROMPT])
    theirs = dice.choice([None, 0.0, 0.001, 0.2]) if dice.random() < 0.3 else None
    return Drawn(
        scenario=json.dumps(scenario),
        character=character,
        failures=tuple(_failures(dice)),
        moments=tuple(_moments(dice)),
        theirs=theirs,
        interrupts=dice.choice([1, 1, 2, 3]),
        kills_in_vain=dice.choice([0, 0, 0, 1, 5, 40]),
        hand_after=dice.uniform(0, 6) if dice.random() < 0.2 else None,
        pager_is_out=dice.random() < 0.05,
        steps=tuple(_steps(dice)),
        elsewhere=_elsewhere(dice),
    )


STEPS = tuple(timedelta(seconds=s) for s in (-3600, -120, -40, 40, 3600, 86_400))


def _steps(dice: random.Random) -> Sequence[tuple[float, timedelta]]:
    if dice.random() < 0.5:
        return ()
    return [
        (round(dice.uniform(0, 60), 2), dice.choice(STEPS)) for _ in range(dice.choice([1, 1, 2]))
    ]


def _elsewhere(dice: random.Random) -> tuple[float, float] | None:
    if dice.random() > 0.1:
        return None
    return round(dice.uniform(0, 60), 2), dice.choice([0.1, 2.0, 10.0, 45.0])


# --- the scenario -------------------------------------------------------------------------------


def _scenario(dice: random.Random) -> dict[str, Any]:
    silent = dice.random() < 0.1
    ratio = 0.0 if silent else dice.choice([0.4, 0.7, 1.0])
    faults = []
    for number in range(dice.choice([1, 1, 1, 2, 3])):
        lasts = dice.choice([8, 12]) if silent else dice.choice([45, 60, 150])
        faults.append(
            {
                "experiment": f"fault-{number + 1}",
                "with": {
                    "ratio": ratio,
                    "places": dice.choice([1, 2]),
                    "ttl": dice.random() < 0.5,
                },
                "at": f"{dice.choice([0, 0, 2, 6]) if number else 0}s",
                "duration": f"{lasts}s",
            }
        )
    expect: dict[str, Any] = {
        "errorRatio": ratio,
        "culprit": {"service": "catalog", "downstream": "db"},
        "mitigation": [dice.choice([SHIELD, SHIELD, ROLLBACK])],
    }
    if silent:
        expect["alert"] = "none"
    return {
        "apiVersion": "gameday/v1",
        "kind": "Scenario",
        "metadata": {"name": "rehearsal", "title": "A rehearsal", "severity": "SEV-3"},
        "spec": {
            "target": "sandbox",
            "slo": "orders",
            "steadyState": {"for": "2s", "burnRateBelow": 1, "within": "6s"},
            "faults": faults,
            "abort": dice.choice(
                [
                    [],
                    [],
                    [],
                    [{"burnRateAbove": 300}],
                    [{"burnRateAbove": 40}],
                    [{"errorBudgetSpentAbove": "90%"}],
                    [{"errorBudgetSpentAbove": "0.05%"}],
                    [{"query": "errors", "above": 2}],
                    [{"query": "errors", "above": 0.5}],
                    [{"probe": "fault-1"}],
                ]
            ),
            "expect": expect,
            "responder": dice.choice(["bot", "bot", "bot", "bot", "none"]),
            "rubric": "default",
        },
    }


# --- what goes wrong ----------------------------------------------------------------------------


def _failures(dice: random.Random) -> Sequence[Failure]:
    kind = dice.random()
    if kind < 0.04:
        return ()
    if kind < 0.34:  # the run dies or freezes, and those who take over have trouble too
        helpers = dice.choice([(SENTINEL,), (SENTINEL,), (SENTINEL, OPERATOR)])
        return (
            _failure(dice, RUN, DEADLY),
            *(_failure(dice, who) for who in helpers for _ in range(dice.choice([0, 1, 1, 2]))),
        )
    if kind < 0.44:  # tools are out at once, and stay so
        out = dice.sample(OUTAGES, dice.choice([2, 3]))
        return tuple(_outage(dice, process, call) for process, call in out)
    return tuple(_failure(dice, RUN) for _ in range(dice.choice([1, 1, 2, 2, 3])))


OUTAGES = (
    *((RUN, "undoer.recover"), (RUN, "undoer.is_present"), (RUN, "store.append")),
    *((RUN, "store.close_undo"), (RUN, "store.close_run"), (RUN, "alerts.alerts")),
    *((SENTINEL, "undoer.recover"), (SENTINEL, "undoer.is_present"), (SENTINEL, "store.append")),
    *((SENTINEL, "store.close_undo"), (SENTINEL, "store.open_undos"), (OPERATOR, "undoer.recover")),
)


def _outage(dice: random.Random, process: str, call: str) -> Failure:
    usual = CALLS[process][call]
    return Failure(
        process=process,
        call=call,
        way=dice.choice(sorted(w for w in RAISING if _fits(w, call, process))),
        skips=int(usual * dice.random() ** 2) if process == RUN else 0,
        times=BY_HAND if process == OPERATOR else FOR_EVER,
        lasts=timedelta(seconds=round(dice.uniform(0.1, LANDS_WITHIN), 2)),
    )


def _failure(dice: random.Random, process: str, ways: Iterable[Way] = tuple(Way)) -> Failure:
    call = dice.choice(sorted(CALLS[process]))
    way = dice.choice(sorted(w for w in ways if _fits(w, call, process)))
    usual = CALLS[process][call]
    once = way in DEADLY or way in ORDERS
    often = (
        1 if once else dice.choice([1, 1, 1, 2, 5, BY_HAND if process == OPERATOR else FOR_EVER])
    )
    return Failure(
        process=process,
        call=call,
        way=way,
        skips=int(usual * dice.random() ** 2),
        times=often,
        lasts=_lasts(dice, way),
    )


MOMENTS = (
    *(Way.KILLED_BEFORE, Way.FROZEN_BEFORE, Way.FROZEN_BEFORE),
    *sorted(ORDERS),
)


def _moments(dice: random.Random) -> Sequence[DrawnMoment]:
    if dice.random() > 0.2:
        return ()
    process = dice.choice([RUN, RUN, RUN, SENTINEL])
    way = dice.choice([w for w in MOMENTS if process == RUN or w in DEADLY])
    return (DrawnMoment(round(dice.uniform(0, 60), 2), process, way, _lasts(dice, way)),)


def _fits(way: Way, call: str, process: str) -> bool:
    if process != RUN and way in ORDERS:
        return False
    if process == OPERATOR and way in KILLING:
        return False  # whoever types a command types it again
    if call.startswith(NOT_AWAITED) and way in NEEDS_AWAIT:
        return False
    return not (call in NEVER_RAISES and way in RAISING)


def possible() -> set[tuple[str, str]]:
    """Return what can be drawn: (process and call, way), as tables name them."""
    return {
        (f"{process}: {call}", str(way))
        for process, calls in CALLS.items()
        for call in calls
        for way in Way
        if _fits(way, call, process)
    }


def _lasts(dice: random.Random, way: Way) -> timedelta:
    if way in (Way.LATE, Way.KILLED_LATE):
        return timedelta(seconds=round(dice.uniform(0.1, LANDS_WITHIN), 2))
    if way is Way.SLOW:
        return timedelta(seconds=dice.choice([0.3, 2, 8, 20]))
    return timedelta(seconds=dice.choice([0.5, 3, 4.9, 6, 15, 40]))
