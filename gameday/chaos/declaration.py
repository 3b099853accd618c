"""What a fault declares of itself: everything, in its own file.

    FAULT = DeclaredFault(
        name="scale-to-zero",                     # of its file under experiments/
        title=…, description=…,                   # for people
        acts_on=ActsOn.CLUSTER,                   # proxy, sandbox or cluster
        parameters=(…),                           # each once: type, unit, default, meaning
        steady=Hypothesis(…),                     # what must hold before it goes in
        inject=Activity("scale the workload to zero", scale_to_zero),
        recover=Activity("recover the scale", recover_scale),
        is_present=Activity("it is scaled to zero", workload_is_scaled_down),
        touches=workload_touches,                 # counts the blast radius, changes nothing
        marks=OBJECTS,                            # what bears its mark, and what takes that out
        rights=(…),                               # what it must be allowed on a cluster
        where=("{workload}", "in {namespace}"),   # where it is, for a person who undoes it
        undo="asks for as many pods as before",   # what its recovery does
    )

Whatever needs to know a fault asks its declaration: the plan counts with `touches`, strays are
looked for and taken out by `marks`, the experiment's file and docs/faults.md are made from it. A
part that a fault has not got is `Nothing`, with the reason; `gameday.chaos.registry` refuses a
fault that leaves one out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from string import Formatter
from typing import TYPE_CHECKING, Any

from gameday.chaos.parameters import LEFT_OUT, OF_SYSTEM, Parameter
from gameday.drivers.chaostoolkit.experiment import NAMES
from gameday.errors import PermanentDriverError

if TYPE_CHECKING:
    # The client library takes a moment to load, and faults on a proxy need none.
    from gameday.chaos.clusters import Touched
    from gameday.drivers.kubernetes import Cluster

Marked = tuple[str, dict[str, Any]]
"""A resource, and an object of it that bears a mark."""


class ActsOn(StrEnum):
    """What a fault acts on."""

    PROXY = "proxy"
    """A TCP proxy on a hop, which may stand in the sandbox or in a cluster."""
    SANDBOX = "sandbox"
    CLUSTER = "cluster"


ADDRESSES: Mapping[ActsOn, tuple[str, ...]] = {
    ActsOn.PROXY: ("toxiproxy_url",),
    ActsOn.SANDBOX: ("control_url",),
    ActsOn.CLUSTER: ("context", "kubeconfig"),
}
"""Parameters by which a fault is told where its place is; gameday gives them."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A part that a fault has not got, and why, as the end of a sentence."""

    because: str = LEFT_OUT


@dataclass(frozen=True, slots=True)
class Activity:
    """An action or probe of a fault: an ordinary function with plain arguments.

    Attributes:
        words: what the activity is called in the experiment and in reports.
        binds: arguments of the function that are called otherwise than the parameter they take.
        module: by which experiments name it; empty: the fault's.
    """

    words: str = LEFT_OUT
    does: Callable[..., Any] = LEFT_OUT
    binds: Mapping[str, str] = field(default_factory=dict)
    module: str = ""

    def arguments(self, parameters: Sequence[Parameter]) -> Mapping[str, str]:
        """Return the arguments that a fault gives it, each with the name of its parameter."""
        known = {p.name for p in parameters}
        taken = {name: self.binds.get(name, name) for name in _signature(self.does)}
        return {name: parameter for name, parameter in taken.items() if parameter in known}


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What must hold before a fault goes in: one probe that says true."""

    title: str = LEFT_OUT
    probe: Activity = LEFT_OUT


@dataclass(frozen=True, slots=True)
class Toxics:
    """Marks of a fault on a proxy: toxics that are called as its parameter ``toxic_name`` says.

    They are found on every proxy and removed by name, whichever fault added them.
    """


@dataclass(frozen=True, slots=True)
class Objects:
    """Marks of a fault on a cluster: the objects it adds or changes, each labelled.

    Attributes:
        fault: value of the label ``gameday.dev/fault`` on each of them; no other fault's.
        resources: plurals of all that may bear its mark, and so be left astray.
        take_out: takes back what bears one mark: the cluster, the mark, and all that was found.
    """

    fault: str = LEFT_OUT
    resources: tuple[str, ...] = LEFT_OUT
    take_out: Callable[[Cluster, str, Sequence[Marked]], object] = LEFT_OUT

    def labels(self, mark: str, on: str, **more: str) -> dict[str, str]:
        """Return the labels of an object that the fault adds or changes.

        Raises:
            PermanentDriverError: of a resource that it does not declare; a stray of it would be
                seen by nobody.
        """
        from gameday.drivers.kubernetes import marks

        if on not in self.resources:
            raise PermanentDriverError(
                f"the fault {self.fault!r} declares marks on {', '.join(self.resources)} only, and"
                f" not on {on!r}: add it to the resources of its Objects; nothing was changed"
            )
        return marks.labels(mark, self.fault, **more)


@dataclass(frozen=True, slots=True)
class Records:
    """Marks of a fault on the sandbox: records of what was there before, one by name.

    Attributes:
        find: takes the beginning of names and ``control_url``; returns the names of the records
            there are, each with what it stands for.
    """

    find: Callable[..., Mapping[str, Sequence[str]]] = LEFT_OUT


@dataclass(frozen=True, slots=True)
class Right:
    """What a fault must be allowed on a cluster: verbs on one resource.

    Attributes:
        resource: plural, with its group (``deployments.apps``) or subresource (``pods/eviction``).
        everywhere: in the whole cluster, and not in a namespace alone.
    """

    resource: str = LEFT_OUT
    verbs: tuple[str, ...] = LEFT_OUT
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFault:
    """A fault, declared.

    Attributes:
        steady: what must hold before it goes in.
        inject: puts it in, whole or not at all.
        recover: takes back exactly what bears its mark; may be repeated.
        is_present: whether anything of it is still there.
        touches: returns the blast radius it would have now; takes arguments of ``inject``.
        where: where it is, for people: pieces with parameters in braces. A piece is left out where
            one of its parameters has no value.
        undo: what its recovery does, for people, as the end of a sentence.
        elsewhere: what does something alike where this fault cannot act.
        module: by which experiments name its functions; empty: the file that declares it.
        works_from_start: it hurts from the beginning of its injection on, not from its end.
        settles: how long an experiment alone waits until it is over, where it ends by itself.
        tags, contributions: Chaos Toolkit's, see there.
    """

    name: str = LEFT_OUT
    title: str = LEFT_OUT
    description: str = LEFT_OUT
    acts_on: ActsOn = LEFT_OUT
    parameters: tuple[Parameter, ...] = LEFT_OUT
    steady: Hypothesis | Nothing = LEFT_OUT
    inject: Activity = LEFT_OUT
    recover: Activity | Nothing = LEFT_OUT
    is_present: Activity | Nothing = LEFT_OUT
    touches: Callable[..., Touched] | Nothing = LEFT_OUT
    marks: Toxics | Objects | Records | Nothing = LEFT_OUT
    rights: tuple[Right, ...] = LEFT_OUT
    where: tuple[str, ...] = LEFT_OUT
    undo: str = LEFT_OUT
    elsewhere: Mapping[ActsOn, str] = field(default_factory=dict)
    module: str = ""
    works_from_start: bool = False
    settles: timedelta = timedelta(seconds=5)
    tags: tuple[str, ...] = ()
    contributions: Mapping[str, str] = field(default_factory=dict)

    def named(self, activity: Activity) -> tuple[str, str]:
        """Return the module and function by which experiments name a activity."""
        return activity.module or self.module or activity.does.__module__, activity.does.__name__

    @property
    def mark(self) -> str:
        """Return the parameter by which the fault is given its mark; empty where it has none."""
        return next((p.name for p in self.parameters if p.name in NAMES), "")

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter; None where the fault has none of this name."""
        return next((p for p in self.parameters if p.name == name), None)

    def filled(self, values: Mapping[str, Any]) -> DeclaredFault:
        """Return the fault with these defaults for what only the system tells."""
        return replace(
            self,
            parameters=tuple(
                replace(p, default=values[p.name])
                if p.default == OF_SYSTEM and p.name in values
                else p
                for p in self.parameters
            ),
        )

    def place(self, values: Mapping[str, Any]) -> str:
        """Return where the fault is, for people; may be empty.

        Args:
            values: of its parameters; those that are not there have none.
        """
        shown = {p.name: _shown(values.get(p.name)) for p in self.parameters}
        return " ".join(
            piece.format_map(shown)
            for piece in self.where
            if all(shown.get(name) for name in placeholders(piece))
        )


def placeholders(piece: str) -> Sequence[str]:
    """Return the parameters that a piece of a fault's `where` names.

    Raises:
        ValueError: its braces do not match.
    """
    return [name for _, name, _, _ in Formatter().parse(piece) if name is not None]


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value)
    return "" if value is None else str(value)


def _signature(function: Callable[..., Any]) -> Sequence[str]:
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [n for n, p in inspect.signature(function).parameters.items() if p.kind not in variadic]
