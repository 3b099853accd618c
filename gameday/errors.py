"""Every error gameday raises on purpose, and the exit code each family ends with.

    GamedayError                      1  something gameday knows how to explain
    ├── SpecError                     2  a file is wrong: file, line, field, what to write instead
    ├── UsageError                    2  the command line asks for something that does not exist
    │   └── Pruned                       it was there until the retention said so
    ├── Refused                       3  a rule, or how things stand, says no: every reason
    │   └── PlanRefused                  to a run: on what ground, and what to do about it
    ├── RunAborted                    4  stopped on purpose; everything was recovered
    ├── RecoveryError                 5  a fault is still in place; names what removes it
    ├── DriverError                   6  the target or a tool cannot be reached
    │   ├── TemporaryDriverError         worth another try, after ``retry_after``
    │   ├── NotWanted                    its cause was gone before the first try
    │   └── PermanentDriverError         another try will not help
    │       ├── NothingDone              refused before anything was changed
    │       ├── SteadyStateNotMet        the experiment's own condition; nothing was changed
    │       ├── HistoryUnknown            a copy of a repository does not reach back that far
    │       ├── FrameUnclear              a profile's frame may be several functions, or none
    │       └── NotInstalled             an extra of the package; says what to type
    └── StoreError                    6  the store cannot be read or written

Whatever else is raised is a mistake in gameday: a crash, with a code of its own (70).

An own tree, because the libraries beneath (HTTP, SQL, Chaos Toolkit) may change and their
exceptions must not leak past the driver that uses them: drivers wrap with ``raise … from``.
Messages say what, where and what to do next. They never hold a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process says to the shell; the contract for CI."""

    PASSED = 0
    MISSED = 1
    USAGE = 2
    REFUSED = 3
    ABORTED = 4
    RECOVERY_INCOMPLETE = 5
    UNREACHABLE = 6
    CRASHED = 70  # EX_SOFTWARE of BSD's sysexits.h: no verdict may be read out of it
    INTERRUPTED = 130


class GamedayError(Exception):
    """Anything gameday can explain to its user without a traceback."""

    exit_code: ClassVar[ExitCode] = ExitCode.MISSED


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one file, where it is, and what to write instead.

    Attributes:
        file: path as the user gave it.
        line: 1-based; 0 where the problem belongs to the whole file.
        field: dotted path of the field (``spec.faults[0].duration``); empty for the whole document.
        message: what is wrong, with the offending value quoted.
        hint: what to do next; often the nearest valid name. May be empty.
    """

    file: str
    line: int
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}:" if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}:{field} {self.message}{hint}"


class Ground(StrEnum):
    """What a refusal of a run rests on."""

    STOP = "stop"
    LOCK = "lock"
    LEFTOVER = "leftover"
    STRAY = "stray"
    MISFIT = "misfit"
    TARGET = "target"
    BLACKOUT = "blackout"
    APPROVAL = "approval"
    BUDGET = "budget"
    PLAN = "plan"
    STEADY_STATE = "steady state"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a run, with what to change or whom to ask.

    Attributes:
        ground: what it rests on.
        reason: what speaks against the run, with the figures that say so.
        remedy: what to do next, as an order; may be empty where the reason says it all.
    """

    ground: Ground
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}" if self.remedy else self.reason


class SpecError(GamedayError):
    """One or more files cannot be understood; carries every problem found, not only the first."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class UsageError(GamedayError):
    """The command line names something that does not exist or does not fit together."""

    exit_code = ExitCode.USAGE


class Pruned(UsageError):
    """What is asked for was there, and was deleted when the retention said so.

    Args:
        what: with its article: ``run 2026…``, ``incident 2026…``.
        after: how long such things were kept then.
    """

    def __init__(self, what: str, *, at: datetime, after: timedelta) -> None:
        days = f"{after / timedelta(days=1):g} days"
        super().__init__(
            f"{what} was pruned on {at:%Y-%m-%d} by the retention of {days}; its line in the list "
            "is what is left of it"
        )


class Refused(GamedayError):
    """What is asked makes sense, and a rule, or how things stand, says no to it.

    Attributes:
        reasons: every reason found, not only the first, each with what to do about it.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, *reasons: Refusal | str) -> None:
        self.reasons: tuple[str, ...] = tuple(map(str, reasons))
        super().__init__("\n".join(self.reasons))


class PlanRefused(Refused):
    """A run may not start, or not go on; carries every reason found, with its ground."""

    def __init__(self, *reasons: Refusal | str) -> None:
        self.refusals: tuple[Refusal, ...] = tuple(
            Refusal(Ground.PLAN, r, "") if isinstance(r, str) else r for r in reasons
        )
        super().__init__(*reasons)


class RunAborted(GamedayError):
    """The run was stopped on purpose and everything it changed was recovered."""

    exit_code = ExitCode.ABORTED


class RecoveryError(GamedayError):
    """A fault is still in place. The message names it and the command that removes it."""

    exit_code = ExitCode.RECOVERY_INCOMPLETE


class DriverError(GamedayError):
    """A tool outside (Prometheus, the proxy, git …) could not be used."""

    exit_code = ExitCode.UNREACHABLE


class TemporaryDriverError(DriverError):
    """Worth another try: the tool did not answer, or asked to be left alone for a while."""

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class NotWanted(DriverError):
    """What was to be sent had lost its cause before it was tried: nothing was sent."""


class PermanentDriverError(DriverError):
    """Another try will not help: the tool answered, and the answer is no."""


class NothingDone(PermanentDriverError):
    """It was refused before anything was changed, so there is nothing to take back."""


class SteadyStateNotMet(PermanentDriverError):
    """The experiment's own steady state does not hold: it never began, and changed nothing."""


class HistoryUnknown(PermanentDriverError):
    """This machine's copy of a repository does not reach back to what is asked."""


class FrameUnclear(PermanentDriverError):
    """A frame of a profile that may mean several functions of the code, or none that is there."""


class NotInstalled(PermanentDriverError):
    """An extra of the package is needed and not installed; says what to type."""


class StoreError(GamedayError):
    """The store of runs and facts cannot be read or written."""

    exit_code = ExitCode.UNREACHABLE
