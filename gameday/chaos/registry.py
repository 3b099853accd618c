"""The faults that gameday knows: each declares all of itself, or is refused.

One file in `gameday.chaos.faults` is one fault. A package of somebody else's brings one through the
entry point group ``gameday.faults``, whose value is a `DeclaredFault`. What is refused is refused
loudly and whole: a fault that is half known would be injected without being counted, or left
astray.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any

from gameday.chaos.completeness import gaps
from gameday.chaos.declaration import Activity, DeclaredFault, Objects
from gameday.errors import UsageError

GROUP = "gameday.faults"
"""Of entry points."""


class FaultRefused(UsageError):
    """A fault does not declare all of itself, or claims what another one has."""


class FaultRegistry:
    """Faults that are complete, by name and by what experiments call their actions."""

    def __init__(self, faults: Iterable[DeclaredFault] = ()) -> None:
        """Register these faults, in this order."""
        self._by_name: dict[str, DeclaredFault] = {}
        self._by_action: dict[tuple[str, str], DeclaredFault] = {}
        self._recoveries: set[tuple[str, str]] = set()
        for fault in faults:
            self.register(fault)

    def register(self, fault: Any, origin: str = "") -> None:
        """Add a fault.

        Args:
            origin: where it was found, for the refusal.

        Raises:
            FaultRefused: it leaves something out, or something of it is another fault's; the
                message names the fault, each part, and what to write.
        """
        if not isinstance(fault, DeclaredFault):
            raise FaultRefused(
                f"{origin or repr(fault)} declares no fault: write FAULT = DeclaredFault(…), see"
                " gameday.chaos.declaration"
            )
        missing = [*gaps(fault), *self._claims(fault)]
        if missing:
            which = repr(fault.name) if isinstance(fault.name, str) else "without a name"
            where = f" ({origin})" if origin else ""
            raise FaultRefused(
                "\n".join(f"the fault {which}{where} cannot be registered: {m}" for m in missing)
            )
        self._by_name[fault.name] = fault
        for action in _actions(fault, fault.inject):
            self._by_action[action] = fault
        if isinstance(fault.recover, Activity):
            self._recoveries |= _actions(fault, fault.recover)

    def __iter__(self) -> Iterator[DeclaredFault]:
        """Yield the faults, by name."""
        return iter(sorted(self._by_name.values(), key=lambda f: f.name))

    def named(self, name: str) -> DeclaredFault:
        """Return a fault; `UsageError` where there is none of this name."""
        if name not in self._by_name:
            from gameday.names import did_you_mean

            hint = did_you_mean(name, self._by_name, what="known faults")
            raise UsageError(f"there is no fault {name!r} ({hint})")
        return self._by_name[name]

    def injected_by(self, module: str, func: str) -> DeclaredFault | None:
        """Return the fault that an action of an experiment puts in; None: somebody else's."""
        return self._by_action.get((module, func))

    def recovers(self, module: str, func: str) -> bool:
        """Return whether an action of an experiment takes back a fault, and touches nothing new."""
        return (module, func) in self._recoveries

    def marking(self, label: str) -> DeclaredFault | None:
        """Return the fault whose objects on a cluster bear this label; None: nobody's here."""
        for fault in self._by_name.values():
            if isinstance(fault.marks, Objects) and fault.marks.fault == label:
                return fault
        return None

    @property
    def resources(self) -> tuple[str, ...]:
        """Return every resource of a cluster that may bear a mark, each once."""
        declared = [f.marks.resources for f in self if isinstance(f.marks, Objects)]
        return tuple(dict.fromkeys(name for names in declared for name in names))

    def _claims(self, fault: DeclaredFault) -> Iterator[str]:
        """Yield what of a complete fault another one has already."""
        if gaps(fault):
            return
        if fault.name in self._by_name:
            yield f"there is a fault of this name already, {_file(self._by_name[fault.name])}"
        for action in _actions(fault, fault.inject):
            other = self._by_action.get(action)
            if other is not None and other.name != fault.name:
                yield f"inject: {'.'.join(action)} is that of the fault {other.name!r}"
        if isinstance(fault.marks, Objects):
            other = self.marking(fault.marks.fault)
            if other is not None and other.name != fault.name:
                yield (
                    f"marks: the label {fault.marks.fault!r} is that of the fault {other.name!r},"
                    " so that neither could be told astray from the other: write"
                    f" Objects({fault.name!r}, …)"
                )


def own() -> FaultRegistry:
    """Return the faults of `gameday.chaos.faults`.

    Raises:
        FaultRefused: one of its files does not declare a whole fault.
    """
    from gameday.chaos import faults

    registry = FaultRegistry()
    for found in sorted(m.name for m in iter_modules(faults.__path__)):
        module = import_module(f"{faults.__name__}.{found}")
        registry.register(getattr(module, "FAULT", None), module.__file__ or found)
    return registry


@cache
def known() -> FaultRegistry:
    """Return every fault there is: ours, and those that installed packages bring.

    Raises:
        FaultRefused: one is not whole; a package's is named with the package to take out.
    """
    registry = own()
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        package = entry.dist.name if entry.dist else "an unknown package"
        origin = f"{entry.value}, of the package {package}"
        try:
            fault = entry.load()
        except Exception as problem:  # a stranger's import may raise anything
            raise FaultRefused(
                f"the fault {entry.name!r} ({origin}) cannot be loaded: {problem!r}; mend the"
                f" package, or take it out: pip uninstall {package}"
            ) from problem
        registry.register(fault, origin)
    return registry


def _actions(fault: DeclaredFault, activity: Activity) -> set[tuple[str, str]]:
    """Return what experiments may call an activity of a fault: its public name, and its own."""
    does = activity.does
    return {fault.named(activity), (does.__module__, does.__name__)}


def _file(fault: DeclaredFault) -> str:
    return f"declared beside {fault.inject.does.__module__}.{fault.inject.does.__name__}"
