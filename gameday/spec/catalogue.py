"""Where scenarios, experiments, SLOs, runbooks, rubrics and the programme are found.

By name or by path. A name is looked for in three places, the user's before ours:

1. the working directory (``./scenarios``, ``./slos`` …),
2. the folder of the scenario that refers to it, and that folder's parent,
3. what gameday ships: ``gameday/catalogue`` in an installed package, the repository's top in a
   checkout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gameday.errors import Problem, SpecError, UsageError
from gameday.model.slo import Slo
from gameday.names import did_you_mean
from gameday.spec.document import read_documents, separated
from gameday.spec.slo import Referable, is_openslo, is_slo, read_slos, slo_ids, slos_of
from gameday.spec.tree import MAX_PROBLEMS, quoted

_YAML = (".yaml", ".yml")
_EXPERIMENTS = (".yaml", ".yml", ".json")
PROGRAMME_FILES = ("programme.yaml", "programme.yml")
"""What a programme is called."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Roots that hold ``experiments/``, ``scenarios/``, ``slos/`` and ``runbooks/``, best first."""

    roots: tuple[Path, ...]

    @classmethod
    def around(cls, scenario: Path | None = None) -> Catalogue:
        """Return the usual catalogue; with a scenario's path, its surroundings are searched too."""
        roots = [Path()]
        if scenario is not None:
            roots += [scenario.parent, scenario.parent.parent]
        roots.append(shipped())
        unique: dict[Path, Path] = {}
        for root in roots:
            unique.setdefault(_resolved(root), root)
        return cls(tuple(unique.values()))

    def scenario(self, name: str) -> Path:
        """Return the file of a scenario, by path or name; `UsageError` where there is none."""
        return self._find(name, "scenarios", _YAML, "scenario")

    def experiment(self, name: str) -> Path:
        """Return the file of an experiment; `UsageError` where there is none."""
        return self._find(name, "experiments", _EXPERIMENTS, "experiment")

    def runbook(self, name: str) -> Path:
        """Return the file of a runbook (``runbooks/x.md`` or ``x``); `UsageError` otherwise."""
        return self._find(name, "runbooks", (".md",), "runbook")

    def system(self, name: str) -> Path:
        """Return the file of a system, by path or name; `UsageError` where there is none."""
        return self._find(name, "systems", _YAML, "system")

    def rubric(self, name: str) -> Path:
        """Return the file of a rubric; shipped ones are known by name (``default``)."""
        return self._find(name, "rubrics", _YAML, "rubric")

    def slo(self, id: str) -> Slo:
        """Return the SLO with this id (metadata.name), or the only one of the file at this path.

        Raises:
            UsageError: there is none.
            SpecError: the file that holds it is wrong.
        """
        path = self._given(id, _YAML)
        if path is not None:
            slos = read_slos(path)
            if len(slos) != 1:
                known = ", ".join(s.id for s in slos)
                raise UsageError(f"{quoted(id)} holds {len(slos)} SLOs: name one of {known}")
            return slos[0]
        ids, unreadable = self._slo_files()
        if id not in ids:
            hint = did_you_mean(id, ids, what="known SLOs")
            if unreadable:
                hint += f"; {unreadable[0]} cannot be read: gameday validate {unreadable[0]}"
            raise UsageError(f"there is no SLO {quoted(id)} ({hint})")
        return next(slo for slo in read_slos(ids[id]) if slo.id == id)

    def every_slo(self) -> list[Slo]:
        """Return every SLO, by id, each file read once; of two with one id the nearer one.

        Raises:
            SpecError: a file of an ``slos/`` folder is wrong.
        """
        found: dict[str, Slo] = {}
        for place in self._folders("slos"):
            for slo in _read(_listed(place, _YAML)):
                found.setdefault(slo.id, slo)
        return [found[id] for id in sorted(found)]

    def scenarios(self) -> list[str]:
        """Return the names of every scenario in the catalogue, sorted."""
        return sorted(self._names("scenarios", _YAML))

    def experiments(self) -> list[str]:
        """Return the names of every experiment, sorted."""
        return sorted(self._names("experiments", _EXPERIMENTS))

    def runbooks(self) -> list[str]:
        """Return the names of every runbook, sorted."""
        return sorted(self._names("runbooks", (".md",)))

    def rubrics(self) -> list[str]:
        """Return the names of every rubric, sorted."""
        return sorted(self._names("rubrics", _YAML))

    def slos(self) -> list[str]:
        """Return the ids of every SLO that can be listed, sorted."""
        return sorted(self._slo_files()[0])

    def _given(self, name: str, endings: Sequence[str]) -> Path | None:
        """Return the file a path points at, from the working directory or one of the roots."""
        if not name or "\0" in name or not ("/" in name or name.endswith(tuple(endings))):
            return None
        for root in self.roots:
            path = root / name
            if _is_file(path):
                return path
        return None

    def _find(self, name: str, folder: str, endings: Sequence[str], what: str) -> Path:
        given = self._given(name, endings)
        if given is not None:
            return given
        stem = name
        for ending in endings:
            stem = stem.removesuffix(ending)
        stem = stem.removeprefix(f"{folder}/")
        names = self._names(folder, endings)
        if stem in names:
            return names[stem]
        hint = did_you_mean(stem, names, what=f"known {what}s")
        raise UsageError(f"there is no {what} {quoted(name)} ({hint})")

    def _folders(self, folder: str) -> Iterator[Path]:
        for root in self.roots:
            yield root / folder
        if folder == "rubrics":
            yield _package_folder("scoring") / "rubrics"

    def _names(self, folder: str, endings: Sequence[str]) -> dict[str, Path]:
        names: dict[str, Path] = {}
        for place in self._folders(folder):
            for path in _listed(place, endings):
                names.setdefault(path.name.removesuffix(path.suffix), path)
        return names

    def _slo_files(self) -> tuple[dict[str, Path], list[Path]]:
        """Return the file of each SLO id, and the files that are no YAML."""
        ids: dict[str, Path] = {}
        unreadable: list[Path] = []
        for place in self._folders("slos"):
            for path in _listed(place, _YAML):
                try:
                    documents = separated(read_documents(path))
                except SpecError:
                    unreadable.append(path)
                    continue
                for document in documents:
                    for id in slo_ids(document) if is_slo(document) else ():
                        ids.setdefault(id, path)
        return ids, unreadable


def shipped() -> Path:
    """Return the folder of what gameday ships: inside the package, or the checkout's top."""
    package = _package_folder("gameday")
    inside = package / "catalogue"
    return inside if inside.is_dir() else package.parent


def find_programme(scenario: Path | None = None) -> Path | None:
    """Return the programme in force, or None where there is none.

    It stands in the working directory, or beside the folder of the scenario. What gameday ships is
    not looked at: an example must not govern somebody's systems.
    """
    around = [Path()] + ([scenario.parent.parent, scenario.parent] if scenario else [])
    for folder in around:
        for name in PROGRAMME_FILES:
            path = folder / name
            # A link that leads nowhere counts: who reads it finds out, and nothing is let pass.
            if _is_file(path) or path.is_symlink():
                return path
    return None


def slos_under(folder: Path) -> list[Slo]:
    """Return the SLOs of every OpenSLO file under a folder, ordered by file.

    Files that hold no OpenSLO document are left alone.

    Raises:
        SpecError: what is wrong with any of the files; or two of them give one id.
        UsageError: there is no SLO at all.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix in _YAML)
    found = _read(paths)
    if not found:
        raise UsageError(f"there is no SLO under {quoted(str(folder))}")
    seen: dict[str, Slo] = {}
    problems = []
    for slo in found:
        other = seen.setdefault(slo.id, slo)
        if other is not slo:
            problems.append(
                Problem(
                    str(slo.path),
                    0,
                    "",
                    f"the SLO {quoted(slo.id)} is given twice",
                    f"{other.path} gives it too",
                )
            )
    if problems:
        raise SpecError(problems[:MAX_PROBLEMS])
    return found


def _read(paths: Sequence[Path]) -> list[Slo]:
    """Return the SLOs of those files that are OpenSLO; `SpecError` with the problems of all."""
    shelves: dict[Path, Referable] = {}
    found: list[Slo] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            documents = read_documents(path)
            if not any(is_slo(d) and is_openslo(d) for d in separated(documents)):
                continue
            shelf = shelves.setdefault(path.parent, Referable(path.parent))
            found += slos_of(documents, path, shelf=shelf)
        except SpecError as error:
            problems += error.problems
            if len(problems) >= MAX_PROBLEMS:
                break
    if problems:
        raise SpecError(list(dict.fromkeys(problems))[:MAX_PROBLEMS])
    return found


def _package_folder(package: str) -> Path:
    return Path(str(resources.files(package)))


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False


def _listed(folder: Path, endings: Sequence[str]) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix in endings)
    except OSError:
        return []


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path
