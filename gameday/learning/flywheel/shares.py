"""How much of what was due was done in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.model.flywheel import InTime
from gameday.model.past_incident import OURS, PastIncident
from gameday.model.severity import IncidentSeverity

__all__ = ["POSTMORTEM_WITHIN", "actions_in_time", "postmortems_in_time"]

POSTMORTEM_WITHIN = timedelta(hours=48)
"""After a severe incident. Source: mechanism 2 of the design."""


SEVERE = frozenset(severity for severity in IncidentSeverity if severity.wakes)


def postmortems_in_time(incidents: Sequence[PastIncident], as_of: datetime) -> InTime:
    """Return how many severe incidents had a postmortem within 48 h, of those that are due.

    Of a source that knows of no postmortem at all nothing can be said; ours would know.
    """
    knows = {one.source for one in incidents if one.postmortem_at is not None} | {OURS}
    met = of = 0
    for one in incidents:
        if one.severity not in SEVERE:
            continue
        over_at = one.closed_at or one.cleared_at
        if over_at is None:
            continue
        due_at = over_at + POSTMORTEM_WITHIN
        if one.source not in knows or (one.postmortem_at is None and as_of < due_at):
            continue
        of += 1
        met += one.postmortem_at is not None and one.postmortem_at <= due_at
    return InTime(met, of)


def actions_in_time(incidents: Sequence[PastIncident]) -> InTime:
    """Return how many action items were done within 30 days, of those that are due."""
    return InTime(
        sum(one.tally.in_time for one in incidents), sum(one.tally.due for one in incidents)
    )
