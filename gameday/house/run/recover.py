"""Taking back what earlier runs left open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from gameday.conductor import Recoverer
from gameday.drivers.clock import SystemClock
from gameday.errors import GamedayError, UsageError
from gameday.house.processes.undoers import Undoers
from gameday.house.run.endings import Notes, write_down
from gameday.ports import FaultDriver, Undo, WholeStore
from gameday.settings import Settings
from scoring.timeline import Kind


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


def give_up(
    store: WholeStore,
    settings: Settings,
    run: str,
    why: str,
    outcomes: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Close what of a run is stuck, unproven, because its place is gone for good.

    That is somebody's word and no proof: the run's result goes on saying what it left.

    Args:
        outcomes: of `recover_open`; those without an error stay as they are.
    """
    notes = Notes()
    told: list[dict[str, Any]] = []
    for outcome in outcomes:
        if not outcome["error"]:
            told.append(dict(outcome))
            continue
        said = f"given up without a proof: {why}"
        data = {"undo": outcome["undo"], "error": said, "command": outcome["command"]}
        notes.record(Kind.RECOVERY_STUCK, source="operator", subject=outcome["undo"], data=data)
        store.close_undo(outcome["undo"], proven_at=SystemClock().now())
        told.append({**outcome, "error": said, "given_up": True})
    with suppress(UsageError):  # the store knows its undo and no longer the run
        write_down(store, settings, run, notes)
    return told


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
