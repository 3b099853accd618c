"""Finding and reading the files a game day is made of."""

from __future__ import annotations

from pathlib import Path

from gameday.errors import Problem, SpecError
from gameday.house.judgement import Documents
from gameday.house.play import Story
from gameday.scenario import Scenario
from gameday.slo import Slo
from gameday.spec import Catalogue, read_scenario


def read_story(argument: str) -> Story:
    """Return the scenario this argument names, with all it refers to.

    Args:
        argument: a path, or the name of a scenario of the catalogue.

    Raises:
        SpecError: with every problem of every file.
        UsageError: there is no such scenario.
    """
    path = Catalogue.around().scenario(argument)
    scenario = read_scenario(path)
    around = Catalogue.around(path)
    spec = scenario.spec
    slo = around.slo(spec.slo)
    runbook = _runbook_path(scenario, slo, around)
    rubric = around.rubric(spec.rubric)
    return Story(
        scenario=scenario,
        slo=slo,
        experiments=tuple(around.experiment(f.experiment) for f in spec.faults),
        documents=Documents(
            scenario=_text(path),
            scenario_path=str(path),
            slo=_text(slo.path) if slo.path else "",
            slo_path=str(slo.path or ""),
            runbook=_text(runbook) if runbook else "",
            runbook_path=str(runbook or ""),
            rubric=_text(rubric),
        ),
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


def slos() -> list[Slo]:
    """Return every SLO of the catalogue, by id."""
    catalogue = Catalogue.around()
    return [catalogue.slo(id) for id in catalogue.slos()]


def find_slo(argument: str) -> Slo:
    """Return the SLO of this id, or the one in this OpenSLO document."""
    return Catalogue.around().slo(argument)


def rubric_text(name: str) -> str:
    """Return the text of a rubric of the catalogue, or of a file."""
    return _text(Catalogue.around().rubric(name))
