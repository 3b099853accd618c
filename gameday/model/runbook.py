"""The runbook an alert links to: what it means, what to check, what it may be, how to fix it.

A runbook is Markdown for people. The little convention a machine needs to walk it stands in
docs/runbooks.md; `gameday.spec.runbook` reads text into these values. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

CauseKind = Literal["downstream", "code"]
"""``downstream``: a service waits for another, or gets errors from it. ``code``: a new version."""

ANY = "any"
"""Matches every service or downstream."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)(\?)?\}")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who keeps the runbook right, and where to reach them. Fields may be empty."""

    name: str = ""
    team: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Mitigation:
    """A call a runbook gives: ``gameday mitigate failover-db region={region}``.

    Attributes:
        name: of the mitigation (``failover-db``).
        parameters: values as written; ``{region}`` stands for what the responder found,
            ``{region?}`` is left out where nothing was found.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def filled(self, found: Mapping[str, str | None]) -> dict[str, str] | None:
        """Return the parameters with what was found, or None where something needed is unknown.

        Args:
            found: what the responder knows (``service``, ``downstream``, ``region``); None or
                missing: not known.
        """
        result: dict[str, str] = {}
        for key, template in self.parameters.items():
            names = _PLACEHOLDER.findall(template)
            unknown = [(name, optional) for name, optional in names if not found.get(name)]
            if any(not optional for _, optional in unknown):
                return None
            if not unknown:
                result[key] = _PLACEHOLDER.sub(lambda m: found[m.group(1)] or "", template)
        return result

    def placeholders(self) -> tuple[str, ...]:
        """Return the names of what must or may be filled in, in order of first use."""
        names = [n for text in self.parameters.values() for n, _ in _PLACEHOLDER.findall(text)]
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One list item under *First checks* or *Fixes*.

    Attributes:
        id: stable: the name the item gives itself, or made from its words.
        text: what it says, on one line, without its name.
        line: where it starts (1-based); end_line: its last line, inclusive.
    """

    id: str
    text: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class FixStep(RunbookStep):
    """A step that mends. ``mitigation`` is None where only a person can do it."""

    mitigation: Mitigation | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One likely cause, and the fixes for it.

    Attributes:
        service: the service that is slow or failing; `ANY` for all; None: for people only.
        downstream: what it waits for; `ANY` for all; None where it is the service itself.
        kind: how it shows.
        fixes: ids of fix steps, best first; empty where the runbook knows none.
    """

    id: str
    text: str
    line: int
    end_line: int
    service: str | None = None
    downstream: str | None = None
    kind: CauseKind = "downstream"
    fixes: tuple[str, ...] = ()

    def matches(self, service: str, downstream: str | None, kind: CauseKind) -> bool:
        """Return whether this is the cause a responder found."""
        if self.service is None or self.kind != kind or self.service not in (ANY, service):
            return False
        if kind == "code":
            return True
        if self.downstream == ANY:
            return downstream is not None
        return self.downstream == downstream

    def exactness(self) -> int:
        """Return how exactly it is named: 2 both sides, 1 one of them, 0 any."""
        return sum(1 for name in (self.service, self.downstream) if name not in (ANY, None))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the file: its heading as written, and its lines (1-based, inclusive)."""

    name: str
    heading: str
    line: int
    end_line: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook as a responder walks it.

    Attributes:
        id: the file's name without its ending; ``/runbooks/<id>.md`` serves it.
        path: as it was given; where a patch applies.
        text: the whole file, unchanged.
        alert: the alert it belongs to; its title where the front matter does not say.
        reviewed: day of the last review; None where it never was.
        reviewed_by: the role that did it; may be empty.
        review_every: how long a review holds; None where it does not say.
        sections: by canonical name: ``meaning``, ``impact``, ``first checks``, ``likely causes``,
            ``fixes``. *Diagnosis* is read as first checks, *Mitigation* as fixes.
    """

    id: str
    path: str
    text: str
    title: str = ""
    alert: str = ""
    service: str = ""
    owner: Owner | None = None
    reviewed: date | None = None
    review_every: timedelta | None = None
    reviewed_by: str = ""
    sections: Mapping[str, Section] = field(default_factory=dict)
    first_checks: tuple[RunbookStep, ...] = ()
    causes: tuple[Cause, ...] = ()
    fixes: tuple[FixStep, ...] = ()

    @property
    def meaning(self) -> str:
        """Return what the alert means, as Markdown; empty where the runbook does not say."""
        section = self.sections.get("meaning")
        return section.body if section else ""

    def step(self, id: str) -> RunbookStep | None:
        """Return the check or fix with this id, or None."""
        steps: Sequence[RunbookStep] = (*self.first_checks, *self.fixes)
        return next((s for s in steps if s.id == id), None)

    def cause_for(self, service: str, downstream: str | None, kind: CauseKind) -> Cause | None:
        """Return the likely cause that fits best, or None where the runbook knows none.

        A cause that names both sides beats one that says ``any``; then the one written first.
        """
        fitting = [c for c in self.causes if c.matches(service, downstream, kind)]
        return max(fitting, key=Cause.exactness, default=None)

    def fixes_for(
        self, service: str, downstream: str | None, kind: CauseKind
    ) -> tuple[FixStep, ...]:
        """Return the fixes for a cause, best first; empty where the runbook gives none.

        A fix that a cause names but the runbook does not have is left out: nothing is guessed.
        """
        cause = self.cause_for(service, downstream, kind)
        known = {fix.id: fix for fix in self.fixes}
        return tuple(known[id] for id in (cause.fixes if cause else ()) if id in known)
