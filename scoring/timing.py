"""The intervals between an event and the page that tells of it, and when something is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

ZERO = timedelta(0)

THEORY_MARGIN = 1.25
"""``within: theory`` allows this many times the predicted time; nothing is added again."""

Span = TypeVar("Span", float, timedelta)


def theory_limit(predicted: Span, latest: Span | None) -> Span:
    """Return by when something must have happened whose time is predicted, in the same unit.

    That is the prediction with its margin, and never earlier than the theory itself allows: within
    one evaluation interval it cannot tell when Prometheus looks, and for a prediction of a second
    or two that is more than the margin.

    Args:
        predicted: the expected time, over all phases of the evaluation grid.
        latest: the time for the unluckiest phase; None where it is not known.
    """
    with_margin = predicted * THEORY_MARGIN
    return with_margin if latest is None else max(with_margin, latest)


@dataclass(frozen=True, slots=True)
class Timing:
    """The delays between an event and the alert that counts it.

    An event waits for the next scrape and the scrape for the next evaluation. Both grids have an
    unknown phase, so the wait is expected to be half an interval and is at most a whole one. The
    same scrapes also make a window shorter than it says, see `predict`.

    Attributes:
        scrape: scrape interval.
        evaluation: evaluation interval of the rule group.
        group_wait: how long Alertmanager holds the page back; part of the page, not of the alert.
        rule_chain: how old a recording may be when the alert reads it: 0 where both stand in one
            group, recordings first; up to one evaluation interval otherwise.

    Source: Prometheus ``rules/group.go``: a group's slots are offset by a hash of its name.
    """

    scrape: timedelta
    evaluation: timedelta
    group_wait: timedelta = ZERO
    rule_chain: timedelta = ZERO

    @property
    def expected(self) -> timedelta:
        """Return the expected delay of an alert: half a scrape, half an evaluation, the chain."""
        return (self.scrape + self.evaluation) / 2 + self.rule_chain

    @property
    def longest(self) -> timedelta:
        """Return the longest delay of an alert: a whole scrape, a whole evaluation, the chain."""
        return self.scrape + self.evaluation + self.rule_chain
