"""What a run is scored on: criteria with points, read from plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from scoring.finding import FINDING_STEPS
from scoring.funnel import PHASES
from scoring.outcome import OUTCOMES
from scoring.paging import PAGE_CHECKS

CHECKS = ("detection", "page", *PAGE_CHECKS, *OUTCOMES, "runbook", "first_checks")
"""What a criterion can judge besides a phase or a step: whether the alert fired in time (or kept
silent), whether the page carried all it must, what `scoring.paging` checks of the pages and
`scoring.outcome` of the end, whether any step of the runbook was done, which share of its first
checks was."""

TIMED = tuple(name for name in PHASES if name not in ("paged", "recovered"))
"""Phases that a criterion can take the time of: those that people reach. Of the other two, a page
is T+0 itself, and how soon an alert clears once users are well is the check ``reset``."""


class Half(StrEnum):
    """The two halves of a run, each with a number of its own.

    SYSTEM is what the machines did: the alert, the page, the reset. RESPONSE is what whoever
    answered did.
    """

    SYSTEM = "system"
    RESPONSE = "response"


FIELDS = (
    *("id", "title", "points", "of", "phase", "time", "step", "check", "required"),
    "hintedRatio",
)

HINTED_RATIO = 0.5
"""What a step is worth that was read with a hint, where its criterion does not say: half. Whoever
asks still has to check what the machine says, and the drill goes on; what is measured is whether
people find the cause."""


class RubricError(ValueError):
    """A rubric cannot be understood; carries every problem found.

    Attributes:
        problems: (dotted path, what is wrong and what to write instead).
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}: {message}" for path, message in self.problems))


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing worth points. What it judges must all be met for them.

    A share of the points is given for a step that was read with a hint, for what was done late
    where its time is judged, and for the part of the first checks that was done.

    Attributes:
        id: unique within the rubric; what people and reports refer to.
        title: one line for people, written as what holds when it is met.
        points: above 0.
        of: which half of the run it tells of; None: of a rubric that gives one number.
        phase: a phase of the funnel that must be met in time, or is worth nothing; None: none.
        time: one of `TIMED` whose time is graded: twice the target leaves half. A step is timed by
            its first right finding, and earns nothing where it was not read right. None: none.
        step: a funnel step whose finding must be right; None: none.
        check: one of `CHECKS`; None: none.
        required: whether a run must meet it to pass.
        hinted_ratio: share of the points, 0–1, where a hint was asked for before the step was read
            right.
    """

    id: str
    title: str
    points: float
    of: Half | None = None
    phase: str | None = None
    time: str | None = None
    step: str | None = None
    check: str | None = None
    required: bool = False
    hinted_ratio: float = HINTED_RATIO


@dataclass(frozen=True, slots=True)
class Rubric:
    """Criteria, in the order in which they are shown.

    Where every criterion says of which half it is, system and response get a number each; where
    none does, as none did before there were two, all of them together get one.
    """

    name: str
    criteria: tuple[Criterion, ...]
    title: str = ""

    @property
    def tells_halves(self) -> bool:
        """Return whether it gives a number for the system and one for the response."""
        return any(criterion.of is not None for criterion in self.criteria)

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Rubric:
        """Return the rubric that a document of kind Rubric describes.

        Args:
            raw: ``{apiVersion: gameday/v1, kind: Rubric, metadata: {name, title}, spec:
                {criteria: [{id, title, points, of, phase, time, step, check, required,
                hintedRatio}]}}``
        Raises:
            RubricError: anything in it is missing, unknown or of the wrong type.
        """
        return _Reader().rubric(raw)


class _Reader:
    """Reads a rubric and collects every problem on the way."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []

    def rubric(self, raw: object) -> Rubric:
        """Return the rubric, or raise with all problems at once."""
        document = self._mapping(raw, "", ("apiVersion", "kind", "metadata", "spec"))
        self._constant(document, "apiVersion", "gameday/v1")
        self._constant(document, "kind", "Rubric")
        metadata = self._mapping(document.get("metadata"), "metadata", ("name", "title"))
        name = self._text(metadata, "name", "metadata", needed=True)
        title = self._text(metadata, "title", "metadata")
        spec = self._mapping(document.get("spec"), "spec", ("criteria",))
        listed = spec.get("criteria")
        if not isinstance(listed, list) or not listed:
            self._wrong("spec.criteria", "must be a list of at least one criterion")
            listed = []
        criteria = [self._criterion(c, f"spec.criteria[{i}]") for i, c in enumerate(listed)]
        seen: set[str] = set()
        for index, criterion in enumerate(criteria):
            if criterion.id in seen:
                self._wrong(f"spec.criteria[{index}].id", f"{criterion.id!r} is used twice")
            seen.add(criterion.id)
        if any(criterion.of for criterion in criteria):
            for index, criterion in enumerate(criteria):
                if criterion.of is None and "of" not in listed[index]:
                    self._wrong(
                        f"spec.criteria[{index}].of",
                        "is missing, and others have it: write system or response",
                    )
        if self.problems:
            raise RubricError(self.problems)
        return Rubric(name, tuple(criteria), title)

    def _criterion(self, raw: object, path: str) -> Criterion:
        data = self._mapping(raw, path, FIELDS)
        required = data.get("required", False)
        if not isinstance(required, bool):
            self._wrong(f"{path}.required", f"{required!r} must be true or false")
        of = self._choice(data, "of", path, [str(half) for half in Half])
        criterion = Criterion(
            id=self._text(data, "id", path, needed=True),
            title=self._text(data, "title", path, needed=True),
            points=self._points(data, path),
            of=Half(of) if of else None,
            phase=self._choice(data, "phase", path, PHASES),
            time=self._choice(data, "time", path, TIMED),
            step=self._choice(data, "step", path, FINDING_STEPS),
            check=self._choice(data, "check", path, CHECKS),
            required=required is True,
            hinted_ratio=self._hinted_ratio(data, path),
        )
        if "hintedRatio" in data and "step" not in data and data.get("time") not in FINDING_STEPS:
            self._wrong(f"{path}.hintedRatio", "hints are asked for in steps: give it a step")
        if data and not {"phase", "time", "step", "check"} & set(data):
            self._wrong(path, "judges nothing: give it a phase, a time, a step or a check")
        return criterion

    def _wrong(self, path: str, message: str) -> None:
        self.problems.append((path or "rubric", message))

    def _mapping(self, raw: object, path: str, known: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(raw, Mapping):
            self._wrong(path, "is missing" if raw is None else "must be a mapping")
            return {}
        for key in raw:
            if key not in known:
                self._wrong(f"{path}.{key}".lstrip("."), _unknown("field", str(key), known))
        return raw

    def _constant(self, data: Mapping[str, Any], key: str, wanted: str) -> None:
        if data and data.get(key) != wanted:
            self._wrong(key, f"{data.get(key)!r} must be {wanted!r}")

    def _text(self, data: Mapping[str, Any], key: str, path: str, *, needed: bool = False) -> str:
        value = data.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            if data:
                self._wrong(f"{path}.{key}", f"{value!r} must be a text")
            return ""
        return value

    def _points(self, data: Mapping[str, Any], path: str) -> float:
        value = data.get("points")
        if isinstance(value, int | float) and value is not True and 0 < value < float("inf"):
            return float(value)
        if data:
            self._wrong(f"{path}.points", f"{value!r} must be a number above 0")
        return 0.0

    def _hinted_ratio(self, data: Mapping[str, Any], path: str) -> float:
        value = data.get("hintedRatio", HINTED_RATIO)
        if isinstance(value, int | float) and value is not True and 0 <= value <= 1:
            return float(value)
        self._wrong(f"{path}.hintedRatio", f"{value!r} must be a number between 0 and 1")
        return HINTED_RATIO

    def _choice(
        self, data: Mapping[str, Any], key: str, path: str, known: Sequence[str]
    ) -> str | None:
        value = data.get(key)
        if value is None or (isinstance(value, str) and value in known):
            return value
        self._wrong(f"{path}.{key}", _unknown(key, str(value), known))
        return None


def _unknown(what: str, value: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(value, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(names)}"
    return f"unknown {what} {value!r}; {hint}"
