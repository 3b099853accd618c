"""Alerts held against runbooks, and against the drills that a store remembers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gameday.house.runbooks.shelf import Shelf
from gameday.learning.runbook_coverage import coverage_of
from gameday.model.alerting_rule import AlertingRule
from gameday.model.runbook_coverage import DrilledAlerts, RunbookCoverage
from gameday.ports import Store
from scoring.timeline import Kind
from scoring.verdict import RunVerdict

__all__ = ["covered"]

MOST_RUNS = 1000
"""Runs that are looked through, newest first: years of drills."""

_PLAYED = (RunVerdict.PASSED, RunVerdict.MISSED, RunVerdict.UNKNOWN)
_SPOKEN_OF = (Kind.ALERT_FIRED, Kind.PAGE_RECEIVED)


def covered(shelf: Shelf, rules: Sequence[AlertingRule], store: Store) -> RunbookCoverage:
    """Return how every alert stands.

    Args:
        rules: beside those of the shelf: what a Prometheus has loaded.
    """
    every = [*shelf.rules, *rules]
    runbooks = [page.runbook for page in shelf.pages if page.runbook is not None]
    return coverage_of(every, runbooks, _drills(store, {rule.name for rule in every}))


def _drills(store: Store, wanted: Collection[str]) -> Sequence[DrilledAlerts]:
    """Return the newest drills, until each of these alerts has fired in one."""
    found: list[DrilledAlerts] = []
    left = set(wanted)
    for run in store.runs(limit=MOST_RUNS):
        if not left:
            break
        if run.verdict not in _PLAYED or run.pruned_at is not None:
            continue
        fired = frozenset(
            str(fact.data.get("alert"))
            for fact in store.facts(run.id)
            if fact.kind in _SPOKEN_OF and fact.data.get("alert")
        )
        if fired & left:
            left -= fired
            found.append(DrilledAlerts(run.id, run.scenario, run.started_at, run.verdict, fired))
    return found
