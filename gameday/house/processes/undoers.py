"""What understands every kind of undo: the drivers of faults, and those of mitigations."""

from __future__ import annotations

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.chaostoolkit.actions import ChaosActions
from gameday.drivers.declared import DeclaredMitigations
from gameday.drivers.sandbox import SandboxMitigations
from gameday.errors import PermanentDriverError
from gameday.house.targets.cluster_faults import PlacedExperiments
from gameday.ports import MITIGATIONS, Undo, Undoer

EXPERIMENT = "experiment"


class Undoers:
    """Every `Undoer` behind one, chosen by the undo's kind; needs no target to be up."""

    def __init__(self, faults: Undoer | None = None) -> None:
        self._by_kind: dict[str, Undoer] = {
            EXPERIMENT: faults or PlacedExperiments(ChaosToolkit()),
            MITIGATIONS: _Mitigations(),
        }

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything this undo takes back is still there."""
        return await self._of(undo).is_present(undo)

    async def recover(self, undo: Undo) -> None:
        """Take it back; idempotent."""
        await self._of(undo).recover(undo)

    def _of(self, undo: Undo) -> Undoer:
        try:
            return self._by_kind[undo.kind]
        except KeyError:
            raise PermanentDriverError(
                f"this gameday knows no undo of kind {undo.kind!r}: was {undo.run} played by a "
                "newer one?"
            ) from None


class _Mitigations:
    """Takes mitigations back, where the undo says they were made."""

    def __init__(self) -> None:
        self._declared = DeclaredMitigations()
        self._actions = ChaosActions()

    async def is_present(self, undo: Undo) -> bool:
        return await self._of(undo).is_present(undo)

    async def recover(self, undo: Undo) -> None:
        await self._of(undo).recover(undo)

    def _of(self, undo: Undo) -> Undoer:
        if "declared" in undo.data:
            return self._declared
        if "action" in undo.data:
            return self._actions
        if "context" not in undo.data:
            return SandboxMitigations()
        # Late: the client library takes a moment to load, and most runs need none.
        if "act" in undo.data:
            from gameday.drivers.kubernetes.acts import UndoneActs

            return UndoneActs()
        from gameday.drivers.kubernetes.mitigations import ClusterMitigations

        return ClusterMitigations()
