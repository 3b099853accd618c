"""Whether gameday and Chaos Toolkit judge an experiment alike, and gameday then plays it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import SpecError
from gameday.spec import absent_here, validate_file
from gameday.spec.experiment import experiment_document
from gameday.testing.experiments import has_empty_pauses, outcome_of, played

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judgements of one experiment.

    Attributes:
        word: what both say, or which difference is kept on purpose.
        holds: they agree, or differ by a rule of docs/experiments.md.
        ours: what gameday says against it; empty where nothing.
        theirs: what Chaos Toolkit says against it; empty where nothing.
    """

    word: str
    holds: bool
    ours: str = ""
    theirs: str = ""


def agreement(path: Path, base: str) -> Agreement:
    """Return how the judgements of an experiment's file compare.

    Args:
        base: URL that answers; the value a parameter in a URL is given where its own is none.
    """
    problems = validate_file(path)
    absent = absent_here(path)
    outcome = outcome_of(path)
    ours = "; ".join(map(str, problems or absent))
    theirs = outcome.refused or outcome.fell
    fitting: dict[str, Any] = {}
    if outcome.fell and not ours:
        fitting = fitting_values(experiment_document(path).data, base)
    if not ours:
        broken = _injection(path, fitting)
        if broken:
            return Agreement("passed here, and could not be injected", False, "", broken)
    if outcome.is_played and not ours:
        return Agreement("played by both", True)
    if outcome.refused and problems:
        return Agreement("refused by both", True, ours, theirs)
    if outcome.refused and absent:
        return Agreement("needs what this machine has not, say both", True, ours, theirs)
    if outcome.fell and ours:
        return Agreement("refused here, and Chaos Toolkit falls over it", True, ours, theirs)
    if outcome.fell and has_empty_pauses(_data(path)):
        return Agreement("empty pauses: none here, and Chaos Toolkit falls over them", True)
    if fitting and not ours:
        return Agreement("its own values do not fit, and others may be given to it", True)
    return Agreement("they disagree", False, ours, theirs)


def _data(path: Path) -> object:
    try:
        return experiment_document(path).data
    except SpecError:
        return None


def fitting_values(experiment: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Return, for each parameter that an experiment pauses for or asks a URL by, one that fits."""
    text = json.dumps(experiment, default=str)
    declared = experiment.get("configuration", {})
    waited = set(re.findall(r'"(?:before|after)": "\$\{([^}]*)\}"', text))
    asked = set(re.findall(r'"url": "\$\{([^}]*)\}', text))
    return {
        **{name: 0.001 for name in waited if name in declared},
        **{name: base for name in asked if name in declared},
    }


def _injection(path: Path, values: Mapping[str, Any]) -> str:
    """Return what Chaos Toolkit says against what gameday makes of an experiment; or nothing."""
    experiment = experiments.with_values(experiments.read(str(path)), values)
    for shape in (experiments.to_inject, experiments.to_recover, experiments.to_check):
        outcome = played(shape(experiment))
        if not outcome.is_played:
            return f"{shape.__name__}: {outcome.refused or outcome.fell}"
    return ""
