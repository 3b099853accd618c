"""Taking back what earlier runs left open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from gameday.conductor import Recoverer
from gameday.drivers.clock import SystemClock
from gameday.errors import GamedayError
from gameday.house.processes.undoers import Undoers
from gameday.house.run.endings import Notes, write_down
from gameday.ports import FaultDriver, Undo, WholeStore
from gameday.settings import Settings


def recover_strays(
    store: WholeStore, settings: Settings, faults: FaultDriver
) -> list[dict[str, Any]]:
    """Take out everything on a target that bears a run's mark; return each with its error."""
    return _recovered(store, settings, list(asyncio.run(_listed(faults))))


async def _listed(faults: FaultDriver) -> Sequence[Undo]:
    return await faults.strays()


def recover_open(store: WholeStore, settings: Settings, run: str | None) -> list[dict[str, Any]]:
    """Recover every open undo, of one run or of all; return each with its error ("" if proven).

    What was done is written into the timelines of the runs.
    """
    return _recovered(store, settings, list(reversed(store.open_undos(run))))


def _recovered(store: WholeStore, settings: Settings, undos: list[Undo]) -> list[dict[str, Any]]:
    notes = {undo.run: Notes() for undo in undos}
    run_of = {undo.id: undo.run for undo in undos}

    def record(kind: str, *, source: str, subject: str, data: Mapping[str, str]) -> None:
        notes[run_of[subject]].record(kind, source=source, subject=subject, data=data)

    async def recover() -> dict[str, str]:
        recovery = Recoverer(
            undoer=Undoers(),
            store=store,
            clock=SystemClock(),
            budget=settings.recovery_budget,
            source="operator",
        )
        # What a run that died had under way may still land, up to one lease later.
        stuck = await recovery.recover(undos, record=record, by="operator", settle=settings.lease)
        return {undo.id: error for undo, error in stuck}

    stuck = asyncio.run(recover()) if undos else {}
    for run, noted in notes.items():
        with suppress(GamedayError):  # the runs of strays are in no store here
            write_down(store, settings, run, noted)
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
