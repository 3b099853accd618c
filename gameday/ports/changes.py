"""What changed: deploys, and the code behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gameday.model.signals import Blame, ChangeSet, Deploy


class DeployLog(Protocol):
    """What went live, when."""

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first."""


class CodeHistory(Protocol):
    """git."""

    async def blame(
        self, *, repository: str, revision: str, file: str, line: int, function: str
    ) -> Blame:
        """Return the newest commit that changed the function a frame means."""

    async def change_since(
        self,
        *,
        repository: str,
        revision: str,
        earlier: str,
        file: str,
        line: int,
        function: str,
    ) -> Blame | None:
        """Return what made the function other than it was in an earlier version; None: the same."""

    async def changes_between(self, *, repository: str, revision: str, earlier: str) -> ChangeSet:
        """Return what a version brought that an earlier one had not, and what it took back."""
