"""The store as action items use it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gameday.model.action_item import ActionChange, ActionItem, ActionState


class ActionStore(Protocol):
    """Durable memory of action items. When a method returns, its write has been committed."""

    def change_actions(
        self,
        changes: Sequence[ActionChange],
        *,
        learned_from: str | None = None,
        at: datetime | None = None,
    ) -> Sequence[ActionItem]:
        """Say all of this, in one transaction, and return the items as they stand then.

        A change whose id is known is passed over, and its item is not returned.

        Args:
            learned_from: a run, of which this is everything; noted as learned from.
            at: when it was; None where there is no run.

        Raises:
            UsageError: there is no such item.
            Refused: one of it cannot be said; none of it is.
        """

    def action_items(
        self, *states: ActionState, beginning: str = "", limit: int = 1000
    ) -> Sequence[ActionItem]:
        """Return items, the newest first.

        Args:
            states: only those that stand so; none: all.
            beginning: only those whose id begins like this.
        """

    def action_item(self, id: str) -> ActionItem | None:
        """Return one, or None where there is none of this id."""

    def action_changes(self, item: str) -> Sequence[ActionChange]:
        """Return every word about an item, in the order they were written down."""

    def runs_to_learn_from(self) -> Sequence[str]:
        """Return the runs that have ended and are not noted as learned from, oldest first."""
