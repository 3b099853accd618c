"""Every window of the house on the world, a file for each noun.

A port says what the rooms above need of the world, in the field's words; a driver under
``gameday.drivers`` fulfils it with one tool. Drivers raise only `gameday.errors.DriverError`.
All instants are aware UTC. Async once: there is no sync twin.
"""

from __future__ import annotations

from gameday.model.fault import MITIGATIONS, Injection, PlannedFault, Undo
from gameday.model.record import (
    AuditEntry,
    GroupFact,
    IncidentRow,
    Recorded,
    Role,
    Token,
    Written,
)
from gameday.model.run import Order, OrderKind, RunRecord
from gameday.ports.actions import ActionStore
from gameday.ports.alerts import AlertRouting, AlertSource, Counters
from gameday.ports.changes import CodeHistory, DeployLog
from gameday.ports.effects import EffectSource
from gameday.ports.faults import FaultDriver, Lease, Undoer
from gameday.ports.incidents import IncidentStore
from gameday.ports.pager import Pager
from gameday.ports.past import PastStore
from gameday.ports.people import IncidentDesk, Responder
from gameday.ports.postmortems import PostmortemStore
from gameday.ports.retention import RetentionStore
from gameday.ports.runs import Store, WholeStore
from gameday.ports.target import Target
from gameday.ports.telemetry import ProfileSource, SignalSource, TraceSource
from gameday.ports.time import Clock

__all__ = [
    "ActionStore",
    "AlertRouting",
    "AlertSource",
    "AuditEntry",
    "Clock",
    "CodeHistory",
    "Counters",
    "DeployLog",
    "EffectSource",
    "FaultDriver",
    "IncidentDesk",
    "IncidentRow",
    "IncidentStore",
    "Injection",
    "Lease",
    "GroupFact",
    "MITIGATIONS",
    "Order",
    "OrderKind",
    "Pager",
    "PastStore",
    "PlannedFault",
    "PostmortemStore",
    "ProfileSource",
    "Recorded",
    "Responder",
    "RetentionStore",
    "Role",
    "RunRecord",
    "SignalSource",
    "Store",
    "Target",
    "Token",
    "TraceSource",
    "Undo",
    "Undoer",
    "WholeStore",
    "Written",
]
