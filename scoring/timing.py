"""The intervals between an event and the page that tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

ZERO = timedelta(0)


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
