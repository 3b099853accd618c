"""Action items as people ask for them and speak about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from gameday.errors import SpecError, UsageError
from gameday.learning.action_items import proved_by
from gameday.model.action_item import (
    ActionChange,
    ActionItem,
    ActionWord,
    Filing,
    action_id,
)
from gameday.ports import ActionStore, Store
from gameday.spec import Catalogue
from gameday.spec.scenario import read_scenario

__all__ = [
    "Proof",
    "checked_evidence",
    "filed_by_hand",
    "item_named",
    "proofs_of",
    "said_of",
]

BY = "command line"

NAMED = 6
"""Items of which one name is told, where it fits several."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What would prove an item.

    Attributes:
        scenarios: whose drill would, the surest first; empty: none that is known here.
    """

    item: ActionItem
    scenarios: Sequence[str]


def item_named(store: ActionStore, prefix: str) -> ActionItem:
    """Return the one item whose id begins like this.

    Raises:
        UsageError: none does, or several do.
    """
    exact = store.action_item(prefix)
    if exact is not None:
        return exact
    found = store.action_items(beginning=prefix, limit=NAMED) if prefix else ()
    if not found:
        raise UsageError(
            f"there is no action item {prefix!r}; `gameday actions list --all` shows them"
        )
    if len(found) > 1:
        ids = ", ".join(sorted(item.id for item in found))
        raise UsageError(f"{prefix!r} fits several action items, {ids} among them: give more of it")
    return found[0]


def said_of(
    store: ActionStore,
    item: ActionItem,
    word: ActionWord,
    *,
    now: datetime,
    text: str = "",
    evidence: Sequence[str] = (),
) -> ActionItem:
    """Put a person's word about an item on record; return the item as it stands then.

    Raises:
        Refused: it cannot be said of an item that stands so.
    """
    change = ActionChange(
        id=f"{item.id}/{token_hex(8)}",
        item=item.id,
        word=word,
        at=now,
        by=BY,
        text=text,
        evidence=tuple(evidence),
    )
    return store.change_actions([change])[0]


def checked_evidence(store: Store, given: Sequence[str]) -> Sequence[str]:
    """Return what is given as evidence, with the ids of runs written out.

    Raises:
        UsageError: there is no such run.
    """
    return [
        f"run {store.find(one.removeprefix('run ').strip())}" if one.startswith("run ") else one
        for one in given
    ]


def filed_by_hand(store: ActionStore, filing: Filing, *, now: datetime) -> ActionItem:
    """File what somebody asks for; return the item as it stands then."""
    item = action_id(filing.cause, filing.kind)
    found = ActionChange(
        id=f"{item}/{token_hex(8)}",
        item=item,
        word=ActionWord.FOUND,
        at=now,
        by=BY,
        filing=filing,
    )
    return store.change_actions([found])[0]


def proofs_of(items: Sequence[ActionItem], catalogue: Catalogue) -> Sequence[Proof]:
    """Return which drills would prove each of these items, by the scenarios that are known here.

    A scenario that cannot be read proves nothing, and is passed over.
    """
    slos = []
    for name in catalogue.scenarios():
        try:
            scenario = read_scenario(catalogue.scenario(name))
        except (SpecError, UsageError):
            continue
        slos.append((scenario.metadata.name, scenario.spec.slo))
    return [Proof(item, proved_by(item, slos)) for item in items]
