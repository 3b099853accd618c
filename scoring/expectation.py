"""What a good run looks like: the scenario's ``expect``, as the judges take it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Culprit:
    """The cause that a responder should find; None where the scenario leaves it open.

    Attributes:
        service: the service at fault, or the one that suffers from its downstream.
        downstream: what the service waits for; None: the service itself is at fault.
        region: where; None: anywhere.
        function: the function at fault, for a fault in code.
        commit: the commit to be named, whole or its first seven digits or more; None: no change
            explains the fault, and saying so is the right answer.
    """

    service: str
    downstream: str | None = None
    region: str | None = None
    function: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a run is judged against.

    Attributes:
        slo: id of the SLO whose alert is awaited; pages of others are wrong ones.
        service: the service whose promise it is.
        alert: severity of the alert that must fire (``page``); None: silence is expected.
        within: how fast it must fire; None: by theory, see `scoring.alerting`.
        culprit: what should be found; None: not judged.
        mitigations: names of those that count, any one of them; empty: any that works.
        recovered_within: how soon after the page the alert must clear; None: by theory.
        regions: where the fault is; a finding that names another is wrong, and so is a mitigation
            there. Empty: anywhere.
        first_checks: ids of the runbook's first checks; None: the runbook is not known.
        collateral: other alerts that may page, by alert, SLO or service.
        error_ratio: what the fault should do to the SLI; told, not judged.
    """

    slo: str
    service: str
    alert: str | None = "page"
    within: timedelta | None = None
    culprit: Culprit | None = None
    mitigations: tuple[str, ...] = ()
    recovered_within: timedelta | None = None
    collateral: tuple[str, ...] = ()
    error_ratio: float | None = None
    regions: tuple[str, ...] = ()
    first_checks: tuple[str, ...] | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """Return the regions that are in trouble, any one of them; empty: anywhere."""
        declared = self.culprit.region if self.culprit else None
        return (declared,) if declared else self.regions
