"""Finding the SLOs that a command names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gameday.errors import UsageError
from gameday.model.slo import Slo
from gameday.spec import Catalogue, read_slos
from gameday.spec.catalogue import slos_under


def slos() -> list[Slo]:
    """Return every SLO of the catalogue, by id."""
    return Catalogue.around().every_slo()


def find_slo(argument: str) -> Slo:
    """Return the SLO of this id, or the one in this OpenSLO document."""
    return Catalogue.around().slo(argument)


def find_slos(arguments: Sequence[str]) -> list[Slo]:
    """Return the SLOs these arguments name, in their order, each once.

    Args:
        arguments: ids of the catalogue, paths of OpenSLO files, or folders of them.

    Raises:
        SpecError: with every problem of every file.
        UsageError: an argument names none, or two files give one id.
    """
    found: dict[str, Slo] = {}
    for argument in arguments:
        for slo in _named(argument):
            other = found.setdefault(slo.id, slo)
            if other is not slo and _resolved(other) != _resolved(slo):
                raise UsageError(f"the SLO {slo.id!r} is given twice: {other.path} and {slo.path}")
    return list(found.values())


def _resolved(slo: Slo) -> Path | None:
    return slo.path.resolve() if slo.path is not None else None


def _named(argument: str) -> Sequence[Slo]:
    path = Path(argument)
    try:
        if path.is_dir():
            return slos_under(path)
        if path.is_file():
            return read_slos(path)
    except (OSError, ValueError):
        pass  # no path at all (too long, a NUL in it): then it may be an id
    return [find_slo(argument)]
