"""What the files of a system's drills still leave to people: found before the day, not in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gameday.drafts.blanks import MARK, blanks
from gameday.house.targets.check import Check
from gameday.model.scenario import Scenario
from gameday.model.system import System
from gameday.spec import Catalogue, read_scenario
from gameday.spec.experiment import actions_of, experiment_document

__all__ = ["filled_in"]


def filled_in(system: System) -> list[Check]:
    """Return whether the files of every drill on a system are whole, one line for each that is not.

    Raises:
        SpecError: a scenario or an SLO is wrong.
    """
    around = Catalogue.around()
    paths = [around.scenario(name) for name in around.scenarios()]
    drills = [s for s in map(read_scenario, paths) if s.spec.place == system.metadata.name]
    files = dict.fromkeys(
        path for path in (system.path, *(f for d in drills for f in _files(d))) if path
    )
    found = [
        Check(
            str(path),
            f"{len(left)} to fill in",
            ok=False,
            how=f"take each {MARK} away when it is done\n"
            + "\n".join(f"  {path}:{blank.line}: {blank.what}" for blank in left),
        )
        for path in files
        if (left := blanks(path.read_text(encoding="utf-8", errors="replace")))
    ]
    found += _without_action(drills)
    return found or [Check("files", f"{len(files)}, with nothing left to fill in", ok=True)]


def _files(drill: Scenario) -> Iterator[Path | None]:
    around = Catalogue.around(drill.path)
    slo = around.slo(drill.spec.slo)
    runbook = drill.spec.runbook or slo.runbook
    yield drill.path
    yield slo.path
    yield around.runbook(runbook) if runbook else None
    for fault in drill.spec.faults:
        yield around.experiment(fault.experiment)


def _without_action(drills: list[Scenario]) -> Iterator[Check]:
    paths = (
        Catalogue.around(drill.path).experiment(fault.experiment)
        for drill in drills
        for fault in drill.spec.faults
    )
    for path in dict.fromkeys(paths):
        if not actions_of(experiment_document(path).data):
            how = "give its method an action: what is done to the system"
            yield Check(f"fault {path.stem}", "", ok=False, how=how)
