"""Taking back what earlier runs left open."""

from __future__ import annotations

import asyncio
from typing import Any

from gameday.conductor import Recovery
from gameday.house.system import SystemClock
from gameday.house.undoers import Undoers
from gameday.ports import Store
from gameday.settings import Settings


def recover_open(store: Store, settings: Settings, run: str | None) -> list[dict[str, Any]]:
    """Recover every open undo, of one run or of all; return each with its error ("" if proven)."""
    undos = list(reversed(store.open_undos(run)))

    async def recover() -> dict[str, str]:
        recovery = Recovery(
            undoer=Undoers(),
            store=store,
            clock=SystemClock(),
            budget=settings.recovery_budget,
            source="operator",
        )
        stuck = await recovery.recover(undos, record=lambda *_, **__: None, by="operator")
        return {undo.id: error for undo, error in stuck}

    stuck = asyncio.run(recover()) if undos else {}
    return [
        {
            "undo": u.id,
            "run": u.run,
            "description": u.description,
            "error": stuck.get(u.id, ""),
            "command": u.command,
        }
        for u in undos
    ]
