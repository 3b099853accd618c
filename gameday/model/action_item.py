"""What is to be done so that an incident of this class does not come again; how it stands. Pure.

An item is the sum of what was said of it, in order: each word is an `ActionChange`, and `changed`
is the one place that says what a word makes of an item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gameday.errors import Refused
from gameday.model.json_form import JsonForm
from gameday.model.severity import IncidentSeverity
from scoring.form import fields_to_json

__all__ = [
    "DUE_AFTER",
    "OPEN",
    "STANDS",
    "ActionChange",
    "ActionItem",
    "ActionKind",
    "ActionState",
    "ActionWord",
    "Filing",
    "Priority",
    "action_id",
    "changed",
]

DUE_AFTER = timedelta(weeks=1)
"""How long after it is found an item is due: the loop's T+1 week."""


class ActionKind(StrEnum):
    """What an item is to do about the next incident of its class."""

    PREVENT = "prevent"
    DETECT = "detect"
    MITIGATE = "mitigate"
    PROCESS = "process"


class Priority(StrEnum):
    """What goes first; the smallest."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"

    @classmethod
    def of(cls, severity: IncidentSeverity) -> Priority:
        """Return the priority of what an incident of this severity asks for."""
        match severity:
            case IncidentSeverity.SEV_1:
                return cls.P1
            case IncidentSeverity.SEV_2:
                return cls.P2
            case _:
                return cls.P3


class ActionState(StrEnum):
    """How far an item is."""

    OPEN = "open"
    BEGUN = "begun"
    UNPROVEN = "closed, not proven"  # on somebody's word alone
    PROVEN = "closed, proven"  # a run, or whatever else was given as evidence, shows it

    @property
    def is_open(self) -> bool:
        """Return whether there is something left to do."""
        return self in OPEN


OPEN = (ActionState.OPEN, ActionState.BEGUN)
"""The states in which there is something left to do."""


class ActionWord(StrEnum):
    """What may be said of an item."""

    FOUND = "found"  # a run or a postmortem asks for it; the first time this files it
    BEGUN = "begun"
    CLOSED = "closed"
    PROVEN = "proven"  # closed, with evidence
    REOPENED = "reopened"
    REMINDED = "reminded"


_OPEN_ALREADY = "is open already"
_BEGUN_ALREADY = "has been begun already"
_CLOSED_ALREADY = "is closed already; give evidence, or reopen it"
_REOPEN_FIRST = "is closed: reopen it first"

STANDS: Mapping[tuple[ActionState, ActionWord], ActionState | str] = {
    (ActionState.OPEN, ActionWord.FOUND): ActionState.OPEN,
    (ActionState.OPEN, ActionWord.BEGUN): ActionState.BEGUN,
    (ActionState.OPEN, ActionWord.CLOSED): ActionState.UNPROVEN,
    (ActionState.OPEN, ActionWord.PROVEN): ActionState.PROVEN,
    (ActionState.OPEN, ActionWord.REOPENED): _OPEN_ALREADY,
    (ActionState.OPEN, ActionWord.REMINDED): ActionState.OPEN,
    (ActionState.BEGUN, ActionWord.FOUND): ActionState.BEGUN,
    (ActionState.BEGUN, ActionWord.BEGUN): _BEGUN_ALREADY,
    (ActionState.BEGUN, ActionWord.CLOSED): ActionState.UNPROVEN,
    (ActionState.BEGUN, ActionWord.PROVEN): ActionState.PROVEN,
    (ActionState.BEGUN, ActionWord.REOPENED): _OPEN_ALREADY,
    (ActionState.BEGUN, ActionWord.REMINDED): ActionState.BEGUN,
    # What was closed and is found again was not mended, whatever proved it.
    (ActionState.UNPROVEN, ActionWord.FOUND): ActionState.OPEN,
    (ActionState.UNPROVEN, ActionWord.BEGUN): _REOPEN_FIRST,
    (ActionState.UNPROVEN, ActionWord.CLOSED): _CLOSED_ALREADY,
    (ActionState.UNPROVEN, ActionWord.PROVEN): ActionState.PROVEN,
    (ActionState.UNPROVEN, ActionWord.REOPENED): ActionState.OPEN,
    (ActionState.UNPROVEN, ActionWord.REMINDED): ActionState.UNPROVEN,
    (ActionState.PROVEN, ActionWord.FOUND): ActionState.OPEN,
    (ActionState.PROVEN, ActionWord.BEGUN): _REOPEN_FIRST,
    (ActionState.PROVEN, ActionWord.CLOSED): _CLOSED_ALREADY,
    (ActionState.PROVEN, ActionWord.PROVEN): ActionState.PROVEN,
    (ActionState.PROVEN, ActionWord.REOPENED): ActionState.OPEN,
    (ActionState.PROVEN, ActionWord.REMINDED): ActionState.PROVEN,
}
"""What each word makes of an item in each state: the next state, or why it cannot be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """An item as a run or a postmortem asks for it.

    Attributes:
        cause: what it is about; with the kind it names the item for good.
        service: whose promise it was about; may be empty, and so may the SLO.
        scenario: of the drill that found it; empty: none did.
        runbook: path of the one that is to learn something; may be empty.
        task: the kind of a runbook's task; empty: it is none.
        owner: by the runbook; empty: nobody.
        patch: a unified diff that does it; may be empty.
    """

    cause: str
    kind: ActionKind
    title: str
    service: str = ""
    slo: str = ""
    scenario: str = ""
    runbook: str = ""
    task: str = ""
    owner: str = ""
    priority: Priority = Priority.P3
    patch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionChange:
    """One word about an item.

    Attributes:
        id: unique in the whole store, so that what is said twice counts once.
        item: id of the item.
        at: when it was so, by the clock of who says it: of a run, its end.
        by: a role, or ``gameday``.
        text: a sentence; may be empty.
        evidence: what it rests on: ``run …``, ``incident …``, an address; may be empty.
        filing: of what was found.
    """

    id: str
    item: str
    word: ActionWord
    at: datetime
    by: str
    text: str = ""
    evidence: tuple[str, ...] = ()
    filing: Filing | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored, and as ``gameday actions show --json`` prints it."""
        return fields_to_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """One item as it stands.

    Attributes:
        id: follows from cause and kind, so that nobody files it twice.
        cause: what it is about.
        kind: what it is to do about the next incident of its class.
        title: what is to be done, in a sentence.
        service: whose promise it was about; may be empty.
        slo: the promise; may be empty.
        scenarios: of the drills that found it.
        runbook: path of the one that is to learn something; may be empty.
        task: the kind of a runbook's task; empty: it is none.
        owner: who is to do it; empty: nobody.
        priority: what goes first.
        state: how far it is.
        filed_at: when it was found first.
        opened_at: when it was opened last: filed, found again, or reopened.
        due_at: by when it is to be closed.
        begun_at: when somebody began, since it was opened last; null: nobody has.
        closed_at: when it was closed; null while it is open.
        found_at: when it was found last.
        found_in: what found it: ``run …``, ``incident …``.
        times_found: how often.
        times_reopened: how often it was closed and is not mended after all.
        evidence: what shows that it is mended; empty: nothing.
        patch: a unified diff that does it, against the file as it was when found; may be empty.
    """

    id: str
    cause: str
    kind: ActionKind
    title: str
    service: str
    slo: str
    scenarios: tuple[str, ...]
    runbook: str
    task: str
    owner: str
    priority: Priority
    state: ActionState
    filed_at: datetime
    opened_at: datetime
    due_at: datetime
    begun_at: datetime | None
    closed_at: datetime | None
    found_at: datetime
    found_in: tuple[str, ...]
    times_found: int
    times_reopened: int
    evidence: tuple[str, ...]
    patch: str

    def is_late(self, now: datetime) -> bool:
        """Return whether it should be closed by now, and is not."""
        return self.state.is_open and now > self.due_at

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored, and as ``gameday actions --json`` prints it."""
        return fields_to_json(self)


ACTION_ITEM = JsonForm(ActionItem, "action item")
"""How an item is read, and its schema."""

ACTION_CHANGE = JsonForm(ActionChange, "change of an action item")


def action_id(cause: str, kind: ActionKind) -> str:
    """Return the id of the item of this cause and kind."""
    return hashlib.sha256(f"{kind}\n{cause}".encode()).hexdigest()[:12]


def changed(item: ActionItem | None, change: ActionChange) -> ActionItem | None:
    """Return what a word makes of an item; the item itself where it says nothing new.

    Args:
        item: None: it is not filed yet.

    Raises:
        Refused: it cannot be said of an item that stands so.
    """
    if item is None:
        return _filed(change) if change.filing is not None else None
    is_stale = (
        change.word is ActionWord.FOUND
        and item.closed_at is not None
        and change.at <= item.closed_at
    )
    if is_stale:
        # An older run that is heard of late: it was mended afterwards.
        return _found_once_more(item, change)
    stands = STANDS[item.state, change.word]
    if not isinstance(stands, ActionState):
        raise Refused(f"action item {item.id} {stands}")
    match change.word:
        case ActionWord.FOUND:
            found = _found_once_more(item, change)
            return found if item.state.is_open else _opened(found, change.at)
        case ActionWord.BEGUN:
            return replace(item, state=stands, begun_at=change.at)
        case ActionWord.CLOSED:
            return replace(item, state=stands, closed_at=change.at)
        case ActionWord.PROVEN:
            evidence = _joined(item.evidence, change.evidence)
            return replace(
                item, state=stands, closed_at=item.closed_at or change.at, evidence=evidence
            )
        case ActionWord.REOPENED:
            return _opened(item, change.at)
        case ActionWord.REMINDED:
            return item


def _filed(change: ActionChange) -> ActionItem:
    filing = change.filing
    assert filing is not None, "an item is filed by what found it"
    return ActionItem(
        id=change.item,
        cause=filing.cause,
        kind=filing.kind,
        title=filing.title,
        service=filing.service,
        slo=filing.slo,
        scenarios=(filing.scenario,) if filing.scenario else (),
        runbook=filing.runbook,
        task=filing.task,
        owner=filing.owner,
        priority=filing.priority,
        state=ActionState.OPEN,
        filed_at=change.at,
        opened_at=change.at,
        due_at=change.at + DUE_AFTER,
        begun_at=None,
        closed_at=None,
        found_at=change.at,
        found_in=change.evidence,
        times_found=1,
        times_reopened=0,
        evidence=(),
        patch=filing.patch,
    )


def _found_once_more(item: ActionItem, change: ActionChange) -> ActionItem:
    """Return an item that is asked for again: the newest words, the most urgent priority."""
    filing = change.filing
    if filing is None:
        return item
    newest = item if change.at < item.found_at else filing
    return replace(
        item,
        title=newest.title,
        owner=newest.owner or item.owner,
        patch=newest.patch,
        priority=min(item.priority, filing.priority),
        scenarios=_joined(item.scenarios, (filing.scenario,) if filing.scenario else ()),
        found_at=max(item.found_at, change.at),
        found_in=_joined(item.found_in, change.evidence),
        times_found=item.times_found + 1,
    )


def _opened(item: ActionItem, at: datetime) -> ActionItem:
    """Return an item that was closed and is open again; what proved it proved too little."""
    return replace(
        item,
        state=ActionState.OPEN,
        opened_at=at,
        due_at=at + DUE_AFTER,
        begun_at=None,
        closed_at=None,
        evidence=(),
        times_reopened=item.times_reopened + 1,
    )


def _joined(known: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *new)))
