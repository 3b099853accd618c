"""What can be said of anything judged, and of a run as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What a judge says of one phase, step or criterion.

    MET and MISSED count. The others never do, neither for nor against: UNKNOWN where data is
    missing, PENDING where it is not due yet, NOT_APPLICABLE where it could not happen.
    """

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"
    PENDING = "pending"
    NOT_APPLICABLE = "not_applicable"

    @property
    def counts(self) -> bool:
        """Return whether it enters a percentage."""
        return self in (Verdict.MET, Verdict.MISSED)


class RunVerdict(StrEnum):
    """How a run ended.

    PASSED and MISSED are measured. UNKNOWN ran to its end, and whether it would have passed cannot
    be told: something that had to be met could not be measured, or not every fault came.
    """

    PASSED = "passed"
    MISSED = "missed"
    UNKNOWN = "unknown"
    ABORTED = "aborted"
    REFUSED = "refused"
    FAILED = "failed"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several together: all must be met.

    One missed is missed, whatever is unknown beside it; one unknown keeps the whole from being
    met, and so does one pending. What is not applicable stands aside unless there is nothing else.
    """
    seen = set(verdicts)
    order = (Verdict.MISSED, Verdict.UNKNOWN, Verdict.PENDING, Verdict.MET)
    return next((v for v in order if v in seen), Verdict.NOT_APPLICABLE)
