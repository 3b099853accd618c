"""What the store keeps of facts and beside them: tokens, the audit, the rows of lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gameday.model.severity import IncidentSeverity
from scoring.timeline import Fact


class Role(StrEnum):
    """What the bearer of a token may do; each may also do what stands above it."""

    WEBHOOK = "webhook"  # hand in alerts and deploys; reads nothing
    OBSERVER = "observer"  # read incidents
    RESPONDER = "responder"  # ack, find, mitigate, resolve
    FACILITATOR = "facilitator"  # also sees what a drill injected


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: what it opens, never what it is.

    Attributes:
        id: short, for people; not a secret.
        hash: hex SHA-256 of the token, which is random and long, so that a plain hash is enough.
    """

    id: str
    hash: str
    role: Role
    name: str
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change, and who made it."""

    at: datetime
    who: str
    what: str
    about: str


@dataclass(frozen=True, slots=True)
class GroupFact:
    """A fact and the group it belongs to; the fact's id is unique in the whole store.

    Attributes:
        run: the run whose drill explains it, and whose timeline it then belongs to; None: no run.
    """

    group: str
    fact: Fact
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact as the store has it, whoever wrote it.

    Attributes:
        number: its place among all facts of the store, in the order they were committed.
        run: the run whose timeline it belongs to, or None.
        group: the group it belongs to; None: a run recorded it about itself.
    """

    number: int
    fact: Fact
    run: str | None = None
    group: str | None = None


CLOSED = ("resolved", "false alarm", "merged")
"""States of an incident that nothing is left to do for."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident in a list.

    Attributes:
        group: service and SLO, as `gameday.incidents` writes them in one.
        drill: the run it was made by on purpose; None: it is real.
        merged_into: the incident that took this one in, or None.
        pruned_at: when all but this line was deleted, by the retention; None: it is there.
        pruned_after: how long incidents were kept then.
        began_at: when its first alert fired; None: a gameday wrote it that did not keep it yet.
        acked_at, mitigated_at, cleared_at, closed_at: of the last time that it began anew.
        postmortem_at: when its postmortem was said to be there.
        team: whose alert it is, by its labels; may be empty, and so may the region.
    """

    id: str
    group: str
    service: str
    slo: str
    severity: IncidentSeverity
    opened_at: datetime
    state: str
    drill: str | None = None
    merged_into: str | None = None
    pruned_at: datetime | None = None
    pruned_after: timedelta | None = None
    began_at: datetime | None = None
    acked_at: datetime | None = None
    mitigated_at: datetime | None = None
    cleared_at: datetime | None = None
    closed_at: datetime | None = None
    postmortem_at: datetime | None = None
    team: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What a commit did.

    Attributes:
        before: number of the last fact in the store before it; whoever has heard everything up to
            there has missed nothing that others wrote.
        after: number of the last fact after it.
        is_done: False: others wrote about the same groups, and nothing of it was written.
    """

    before: int
    after: int
    is_done: bool = True
