"""The one imperative shell of a run.

Here a `Plan` meets time: steady state, inject, watch, wait for the people, recover, measure. All it
sees becomes facts in the ledger; it judges nothing. It reaches the world through ports only, and it
may be cancelled at any await: whatever it injected is recovered before the cancellation goes on.
"""

from gameday.conductor.recovery import Recoverer
from gameday.conductor.run import Conductor
from gameday.conductor.sentinel import Outcome, Sentinel

__all__ = ["Conductor", "Outcome", "Recoverer", "Sentinel"]
