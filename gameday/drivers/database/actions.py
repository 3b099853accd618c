"""The action items of the store: every word about them, and how each stands by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gameday.drivers.database.connection import Connected
from gameday.errors import UsageError
from gameday.model.action_item import (
    ACTION_CHANGE,
    ACTION_ITEM,
    ActionChange,
    ActionItem,
    ActionState,
    changed,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection


class ActionTables(Connected):
    """The action items of a database; a `gameday.ports.ActionStore`."""

    def change_actions(
        self,
        changes: Sequence[ActionChange],
        *,
        learned_from: str | None = None,
        at: datetime | None = None,
    ) -> Sequence[ActionItem]:
        """Say all of this, in one transaction, and return the items as they stand then."""
        found: dict[str, ActionItem] = {}
        with self._writing() as connection:
            for change in changes:
                if not self._note(connection, change):
                    continue
                known = found.get(change.item) or self._item(connection, change.item)
                item = changed(known, change)
                if item is None:
                    raise UsageError(no_item(change.item))
                found[change.item] = item
            for item in found.values():
                self._put(connection, item)
            if learned_from is not None and at is not None:
                runs = self._tables.runs
                noted = runs.update().where(runs.c.id == learned_from)
                connection.execute(noted.values(learned_at=at.isoformat()))
        return tuple(found.values())

    def _note(self, connection: Connection, change: ActionChange) -> bool:
        """Write a word down; return whether it was new."""
        table = self._tables.action_changes
        new = self._insert(table).on_conflict_do_nothing(index_elements=["id"])
        written = new.values(
            id=change.id,
            item=change.item,
            word=str(change.word),
            at=change.at.isoformat(),
            change=json.dumps(change.to_json()),
        )
        return connection.execute(written.returning(table.c.number)).first() is not None

    def _put(self, connection: Connection, item: ActionItem) -> None:
        columns = {
            "cause": item.cause,
            "kind": str(item.kind),
            "state": str(item.state),
            "service": item.service,
            "owner": item.owner,
            "priority": str(item.priority),
            "filed_at": item.filed_at.isoformat(),
            "due_at": item.due_at.isoformat(),
            "closed_at": item.closed_at.isoformat() if item.closed_at else None,
            "item": json.dumps(item.to_json()),
        }
        insert = self._insert(self._tables.action_items).values(id=item.id, **columns)
        connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=columns))

    def _item(self, connection: Connection, id: str) -> ActionItem | None:
        items = self._tables.action_items.c
        text = connection.scalar(self._sa.select(items.item).where(items.id == id))
        return None if text is None else _read(text)

    def action_items(
        self, *states: ActionState, beginning: str = "", limit: int = 1000
    ) -> Sequence[ActionItem]:
        """Return items, the newest first."""
        items = self._tables.action_items.c
        query = self._sa.select(items.item).order_by(items.filed_at.desc(), items.id)
        if states:
            query = query.where(items.state.in_([str(state) for state in states]))
        if beginning:
            query = query.where(items.id.startswith(beginning, autoescape=True))
        return tuple(_read(text) for text in self._texts(query.limit(limit)))

    def action_item(self, id: str) -> ActionItem | None:
        """Return one, or None where there is none of this id."""
        with self._reading() as connection:
            return self._item(connection, id)

    def action_changes(self, item: str) -> Sequence[ActionChange]:
        """Return every word about an item, in the order they were written down."""
        changes = self._tables.action_changes.c
        query = self._sa.select(changes.change).where(changes.item == item)
        texts = self._texts(query.order_by(changes.number))
        return tuple(ACTION_CHANGE.read(json.loads(text)) for text in texts)

    def runs_to_learn_from(self) -> Sequence[str]:
        """Return the runs that have ended and are not noted as learned from, oldest first."""
        runs = self._tables.runs.c
        query = self._sa.select(runs.id).where(
            runs.ended_at.is_not(None), runs.learned_at.is_(None), runs.pruned_at.is_(None)
        )
        return self._texts(query.order_by(runs.ended_at, runs.id))

    def _texts(self, query: Any) -> Sequence[str]:
        with self._reading() as connection:
            return connection.scalars(query).all()


def no_item(id: str) -> str:
    """Return what is said where there is no such item."""
    return f"there is no action item {id!r}; `gameday actions list --all` shows them"


def _read(text: str) -> ActionItem:
    return ACTION_ITEM.read(json.loads(text))
