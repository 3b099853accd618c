"""Finding and reading the files a game day is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gameday.errors import Problem, SpecError
from gameday.house.run.judgement import Documents, overridden
from gameday.model.scenario import Scenario, TargetKind
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.spec import Catalogue, read_scenario, read_system
from gameday.spec.slo import whole_text


@dataclass(frozen=True, slots=True)
class Story:
    """A scenario with everything it refers to, read and resolved.

    Attributes:
        experiments: path of each fault's experiment, in the order of the faults.
        documents: the texts the run is planned from; kept with the run, so that it can be judged
            again when the files have changed.
        probes: path of the experiment behind each probe that an abort rule names.
        system: what it is played on, where a document describes that; None: one of the shops.
    """

    scenario: Scenario
    slo: Slo
    experiments: tuple[Path, ...]
    documents: Documents
    probes: Mapping[str, Path] = field(default_factory=dict)
    system: System | None = None

    def in_force(self, slo: Slo | None) -> Story:
        """Return it with the SLO as the rules in force have it; None: as its file does."""
        return self if slo is None else replace(self, slo=slo)


def read_story(
    argument: str,
    *,
    target: str | None = None,
    responder: str | None = None,
    regions: Sequence[str] = (),
) -> Story:
    """Return the scenario this argument names, with all it refers to.

    Args:
        argument: a path, or the name of a scenario of the catalogue.
        target: instead of the scenario's; likewise responder and regions.

    Raises:
        SpecError: with every problem of every file.
        UsageError: there is no such scenario, target or responder.
    """
    told = _told(argument)
    asked = {"target": target, "responder": responder, "regions": list(regions)}
    changes = {name: value for name, value in asked.items() if value}
    if not changes:
        return told
    scenario = overridden(told.scenario, changes)
    return replace(
        told,
        scenario=scenario,
        system=told.system if scenario.spec.target is TargetKind.SYSTEM else None,
        documents=replace(told.documents, overrides=json.dumps(changes)),
    )


def _told(argument: str) -> Story:
    """Return the scenario as its files tell it."""
    path = Catalogue.around().scenario(argument)
    scenario = read_scenario(path)
    around = Catalogue.around(path)
    spec = scenario.spec
    slo = around.slo(spec.slo)
    runbook = _runbook_path(scenario, slo, around)
    rubric = around.rubric(spec.rubric)
    is_declared = spec.target is TargetKind.SYSTEM
    system = around.system(str(spec.system)) if is_declared else None
    return Story(
        scenario=scenario,
        slo=slo,
        experiments=tuple(around.experiment(f.experiment) for f in spec.faults),
        documents=Documents(
            scenario=_text(path),
            scenario_path=str(path),
            slo=whole_text(slo.path) if slo.path else "",
            slo_path=str(slo.path or ""),
            runbook=_text(runbook) if runbook else "",
            runbook_path=str(runbook or ""),
            rubric=_text(rubric),
            system=_text(system) if system else "",
            system_path=str(system or ""),
        ),
        system=read_system(system) if system is not None else None,
        probes={r.probe: around.experiment(r.probe) for r in spec.abort if r.probe},
    )


def _runbook_path(scenario: Scenario, slo: Slo, around: Catalogue) -> Path | None:
    name = scenario.spec.runbook or slo.runbook
    return around.runbook(name) if name else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            [Problem(str(path), 0, "", f"cannot be read: {error}", "it must be UTF-8 text")]
        ) from error


def rubric_text(name: str) -> str:
    """Return the text of a rubric of the catalogue, or of a file."""
    return _text(Catalogue.around().rubric(name))
