"""What is asked of a system to hold its document against it, and many such inquiries at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gameday.errors import DriverError, TemporaryDriverError
from gameday.house.targets.check import Check

if TYPE_CHECKING:
    from gameday.house.targets.examination.look import Look

__all__ = ["Examiner", "NotAsked", "Inquiry", "Unmet", "answered"]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Something that is asked of a system.

    Attributes:
        what: what the check is called where nothing comes of it.
        ask: returns what was found, in words; or whole checks, where there is more than one thing.
        bars: whether no drill may begin where it cannot be answered.
    """

    what: str
    ask: Callable[[], Awaitable[str | Sequence[Check]]]
    bars: bool = True


Examiner = Callable[["Look"], Iterable[Inquiry]]
"""Asks after one part of a document; what the document has not got is not asked after."""


class Unmet(Exception):
    """What is not as a drill needs it.

    Attributes:
        found: what was found instead.
        how: what to do about it.
        bars: whether no drill may begin until it is done.
    """

    def __init__(self, found: str, how: str, *, bars: bool = True) -> None:
        self.found, self.how, self.bars = found, how, bars
        super().__init__(found)


class NotAsked(Exception):
    """Something else has to be mended first; the message says what it is called."""


async def answered(inquiries: Sequence[Inquiry], *, within: timedelta) -> Sequence[Check]:
    """Return what came of every inquiry, in their order; all are asked at once.

    Args:
        within: what has not answered by then is not waited for any longer.
    """
    tasks = [asyncio.ensure_future(_checks(inquiry)) for inquiry in inquiries]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, timeout=within.total_seconds())
    finally:
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
    return [
        check
        for inquiry, task in zip(inquiries, tasks, strict=True)
        for check in ([_late(inquiry, within)] if task.cancelled() else task.result())
    ]


async def _checks(inquiry: Inquiry) -> Sequence[Check]:
    try:
        found = await inquiry.ask()
    except Unmet as unmet:
        return [Check(inquiry.what, unmet.found, ok=False, how=unmet.how, bars=unmet.bars)]
    except NotAsked as first:
        return [Check(inquiry.what, f"not looked at: it rests on {first}", ok=False)]
    except DriverError as error:
        return [Check(inquiry.what, "", ok=False, how=str(error), bars=inquiry.bars, error=error)]
    return [Check(inquiry.what, found, ok=True)] if isinstance(found, str) else found


def _late(inquiry: Inquiry, within: timedelta) -> Check:
    error = TemporaryDriverError(
        f"no whole answer within {within.total_seconds():g} s: see what it, or what stands before"
        " it, is busy with, and whether the address is right"
    )
    return Check(inquiry.what, "", ok=False, how=str(error), bars=inquiry.bars, error=error)
