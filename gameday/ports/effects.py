"""What a drill sets off on its target, beside what it is meant to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gameday.model.effects import OwnerEffects


class EffectSource(Protocol):
    """Watches the target from before the first fault to after the last is taken back."""

    async def begin(self) -> None:
        """Return once it is known how things were before; `DriverError` if that cannot be read."""

    def seen(self) -> Sequence[OwnerEffects]:
        """Return what each owner of pods has done since; answers at once, from what was heard.

        `DriverError` says that nothing can be heard any more: what is set off is unknown then.
        """

    async def end(self) -> None:
        """Watch no longer; never raises."""
