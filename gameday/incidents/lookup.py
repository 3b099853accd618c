"""What is looked up beside an incident: its tools, its runbook, its SLO, what went live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gameday.incidents.links import Destinations
from gameday.incidents.state import IncidentState
from gameday.model.runbook import Runbook
from gameday.model.signals import Deploy


@dataclass(frozen=True, slots=True)
class Lookup:
    """What stands around the incidents of an engine, for its API and its console.

    Attributes:
        destinations: where deeplinks lead.
        runbook: alert → its runbook, or None; runbook_text: alert → its text, empty for none.
        slower: SLO → from when on a request breaks it; zero where nobody said.
        time_scale: SLO → how many times faster its time runs.
        deploys: what went live before and during an incident, oldest first.
    """

    destinations: Destinations
    runbook: Callable[[str], Runbook | None]
    runbook_text: Callable[[str], str]
    slower: Callable[[str], timedelta]
    time_scale: Callable[[str], Awaitable[float]]
    deploys: Callable[[IncidentState], Awaitable[Sequence[Deploy]]]
