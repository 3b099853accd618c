"""Earlier runs of a scenario that a run can be compared with."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.errors import GamedayError
from gameday.model.result import RunResult
from gameday.model.scenario import ResponderKind
from gameday.ports import Store
from scoring.verdict import RunVerdict

LOOKED_AT = 200
"""How many runs of the list are looked through, newest first."""

_MEASURED = (RunVerdict.PASSED, RunVerdict.MISSED, RunVerdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What came before a run, of the same scenario on the same target.

    Attributes:
        last: the last run with the same kind of responder; None: it is the first.
        bot: the bot's last run, a yardstick only; None: there is none, or the run is the bot's.
    """

    last: RunResult | None
    bot: RunResult | None


def earlier_runs(store: Store, result: RunResult) -> Earlier:
    """Return what a run can be compared with; runs without numbers, and pruned ones, are not."""
    last = bot = None
    for record in store.runs(limit=LOOKED_AT):
        # Its own line is older by a moment than the fact that it began.
        if record.id == result.run:
            continue
        is_same = (record.scenario, record.target) == (result.scenario, result.target)
        is_before = result.started_at is not None and record.started_at < result.started_at
        if not is_same or not is_before or record.verdict not in _MEASURED or record.pruned_at:
            continue
        try:
            found = store.result(record.id)
        except GamedayError:  # one that cannot be read any more is nothing to compare with
            continue
        if found is None or found.score.system is None:
            continue
        if last is None and found.responder == result.responder:
            last = found
        if bot is None and found.responder == ResponderKind.BOT != result.responder:
            bot = found
        if last is not None and (bot is not None or result.responder == ResponderKind.BOT):
            break
    return Earlier(last, bot)
