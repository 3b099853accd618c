"""What the verdict of a run is to the shell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gameday.errors import ExitCode
from scoring.verdict import RunVerdict

if TYPE_CHECKING:
    from gameday.model.result import RunResult

VERDICT_CODES: Mapping[RunVerdict, ExitCode] = {
    RunVerdict.PASSED: ExitCode.PASSED,
    RunVerdict.MISSED: ExitCode.MISSED,
    RunVerdict.UNKNOWN: ExitCode.MISSED,
    RunVerdict.REFUSED: ExitCode.REFUSED,
    RunVerdict.ABORTED: ExitCode.ABORTED,
    RunVerdict.FAILED: ExitCode.UNREACHABLE,
}

EXIT_CODES = (
    "0 passed, 1 missed or unknown, 2 invalid file or usage, 3 refused, 4 aborted and recovered, "
    "5 recovery incomplete, 6 target or a tool unreachable, 70 a mistake in gameday (a crash), "
    "130 interrupted and recovered"
)
"""Every exit code there is, for the help."""


def code_of(result: RunResult) -> ExitCode:
    """Return the exit code of a run that was judged; what it left in place goes before all."""
    if result.recovery.open:
        return ExitCode.RECOVERY_INCOMPLETE
    return VERDICT_CODES[result.verdict]
