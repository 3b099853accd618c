"""Whether a fault declares all of itself: every gap, as a sentence that says what to write."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import FunctionType
from typing import Any

from gameday.chaos.declaration import (
    ADDRESSES,
    Activity,
    ActsOn,
    DeclaredFault,
    Hypothesis,
    Nothing,
    Objects,
    Records,
    Toxics,
    placeholders,
)
from gameday.chaos.parameters import LEFT_OUT, Parameter, Type
from gameday.drivers.chaostoolkit.experiment import NAMES

WITHOUT_RIGHTS = (ActsOn.PROXY, ActsOn.SANDBOX)
"""Where a fault needs none."""

HOLD = "hold"
"""Parameter that every experiment with a recovery has; no fault's own."""

PARTS: Mapping[str, tuple[str, str]] = {
    "name": ("what scenarios and its experiment's file call it", 'name="slow-disk"'),
    "title": ("what it does, in a few words", 'title="A disk is slow"'),
    "description": ("what it does, in full sentences", 'description="…"'),
    "acts_on": ("where it works", "acts_on=ActsOn.PROXY, ActsOn.SANDBOX or ActsOn.CLUSTER"),
    "parameters": ("what it can be told", "parameters=(Parameter(…), …)"),
    "steady": (
        "what must hold before it goes in",
        'steady=Hypothesis("…", Activity("…", PROBE)), or Nothing("why it can always go in")',
    ),
    "inject": ("what puts it in", 'inject=Activity("…", ACTION)'),
    "recover": (
        "what takes it back",
        'recover=Activity("…", ACTION), or Nothing("why there is nothing to take back")',
    ),
    "is_present": (
        "what tells whether it is still there",
        'is_present=Activity("…", PROBE), or Nothing("why nothing stays")',
    ),
    "touches": (
        "what counts its blast radius",
        'touches=FUNCTION, or Nothing("why it is not counted in pods")',
    ),
    "marks": (
        "what bears its mark, so that strays are found",
        'marks=Toxics(), Objects("NAME", ("RESOURCES",), TAKE_OUT), Records(FIND), or'
        ' Nothing("why nothing is left behind")',
    ),
    "rights": ("what it must be allowed", 'rights=(Right("RESOURCES", ("get", …)), …)'),
    "where": ("where it is, for whoever undoes it", 'where=("{service}", "in {regions}")'),
    "undo": ("what its recovery does, for whoever asks for it", 'undo="removes its toxics"'),
}
"""Every part of a declaration: what it is, and what to write."""

KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "title", "description", "undo"), (str,)),
    **dict.fromkeys(("parameters", "rights", "where"), (tuple,)),
    **dict.fromkeys(("recover", "is_present"), (Activity, Nothing)),
    "acts_on": (ActsOn,),
    "steady": (Hypothesis, Nothing),
    "inject": (Activity,),
    "touches": (FunctionType, Nothing),
    "marks": (Toxics, Objects, Records, Nothing),
}
"""What each part may be."""

MARKS: Mapping[ActsOn, tuple[type, ...]] = {
    ActsOn.PROXY: (Toxics,),
    ActsOn.SANDBOX: (Records, Nothing),
    ActsOn.CLUSTER: (Objects, Nothing),
}


def gaps(fault: DeclaredFault) -> list[str]:
    """Return what a fault does not say of itself, or says wrongly; empty where it is whole."""
    missing = list(_left_out(fault))
    # What contradicts itself can be told only once everything is there.
    return missing or list(_contradictions(fault))


def _left_out(fault: DeclaredFault) -> Iterator[str]:
    for part, (what, write) in PARTS.items():
        value = getattr(fault, part)
        if part == "rights" and value is LEFT_OUT and fault.acts_on in WITHOUT_RIGHTS:
            continue
        empty = value is None or (value in ("", ()) and part != "rights")
        if value is LEFT_OUT or empty:
            yield f"`{part}` is left out, {what}; write {write}"
        elif not isinstance(value, KINDS[part]):
            yield f"`{part}` cannot be {value!r}; write {write}"
        else:
            yield from _inside(part, value)


def _inside(part: str, value: Any) -> Iterator[str]:
    """Yield the parts that are left out within a part."""
    match value:
        case Nothing():
            yield from _texts(part, value, because='Nothing("why")')
        case Hypothesis():
            yield from _texts(part, value, title='Hypothesis("what holds", Activity(…))')
            yield from _step(part, value.probe)
        case Activity():
            yield from _step(part, value)
        case Objects() if part == "marks":
            yield from _texts(part, value, fault='Objects("NAME", …)')
            if value.resources is LEFT_OUT or not value.resources:
                yield f"`{part}` names no resources that bear the mark; write {PARTS[part][1]}"
            if not callable(value.take_out):
                yield f"`{part}` has no take_out, which takes strays out; write {PARTS[part][1]}"
        case Records() if not callable(value.find):
            yield f"`{part}` has no find, which finds its records; write Records(FIND)"
        case tuple() if part == "parameters":
            for number, parameter in enumerate(value, start=1):
                yield from _parameter(number, parameter)
        case tuple() if part == "rights":
            for right in value:
                if LEFT_OUT in (right.resource, right.verbs) or not right.verbs:
                    yield f"`{part}` has one without resource or verbs; write {PARTS[part][1]}"


def _step(part: str, activity: Any) -> Iterator[str]:
    if not isinstance(activity, Activity):
        yield f"`{part}` has no probe; write {PARTS[part][1]}"
        return
    yield from _texts(part, activity, words='Activity("what it does", FUNCTION)')
    if not callable(activity.does):
        yield f"`{part}` has no function; write {PARTS[part][1]}"


def _texts(part: str, value: Any, **fields: str) -> Iterator[str]:
    for name, write in fields.items():
        text = getattr(value, name)
        if not isinstance(text, str) or not text.strip():
            yield f"`{part}` has no {name}; write {write}"


def _parameter(number: int, parameter: Any) -> Iterator[str]:
    if not isinstance(parameter, Parameter):
        yield f"`parameters`: number {number} is no Parameter but {parameter!r}"
        return
    which = f"`parameters`: {parameter.name!r}"
    write = 'write Parameter("latency", DURATION, "400ms", "added to every answer")'
    for name in ("name", "type", "default", "meaning"):
        value = getattr(parameter, name)
        if value is LEFT_OUT or (value == "" and name != "default"):
            yield f"{which} has no {name}; {write}"
    if isinstance(parameter.type, Type) and not parameter.type.has_unit and not parameter.unit:
        yield f'{which} is a {parameter.type.name} and has no unit; write unit="seconds"'


# --- what cannot be together ---------------------------------------------------------------------


def _contradictions(fault: DeclaredFault) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fault.name):
        yield f"`name`: {fault.name!r} is no file's name; write small letters and dashes"
    yield from _parameters(fault)
    yield from _marking(fault)
    for part in ("steady", "inject", "recover", "is_present"):
        value = getattr(fault, part)
        activity = value.probe if isinstance(value, Hypothesis) else value
        if isinstance(activity, Activity):
            yield from _arguments(fault, part, activity)
            yield from _public(fault, part, activity)
    yield from _counting(fault)
    for piece in fault.where:
        try:
            unknown = [n for n in placeholders(piece) if fault.parameter(n) is None]
        except ValueError as problem:
            unknown = [str(problem)]
        if unknown:
            yield f"`where`: {piece!r} names no parameter: {', '.join(unknown)}"
    if isinstance(fault.recover, Nothing) != isinstance(fault.is_present, Nothing):
        yield (
            "`is_present` and `recover` belong together: what is taken back must be seen, and what"
            " is seen must be taken back; write an Activity for both, or Nothing for both"
        )


def _parameters(fault: DeclaredFault) -> Iterator[str]:
    names = [p.name for p in fault.parameters]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        yield f"`parameters`: {name!r} is declared twice"
    if HOLD in names:
        yield f"`parameters`: {HOLD!r} is given to every experiment; call yours otherwise"
    for address in ADDRESSES[fault.acts_on]:
        if address not in names:
            yield (
                f"`parameters`: {address!r} is missing, by which a fault on a {fault.acts_on} is"
                f" told where that is; write Parameter({address!r}, TEXT, FromEnvironment(…), …)"
            )
    for parameter in fault.parameters:
        problem = parameter.problem(parameter.default)
        if problem:
            yield f"`parameters`: the default of {parameter.name!r} is none: {problem}"


def _marking(fault: DeclaredFault) -> Iterator[str]:
    if not isinstance(fault.marks, MARKS[fault.acts_on]):
        can = " or ".join(kind.__name__ for kind in MARKS[fault.acts_on])
        yield f"`marks`: a fault on a {fault.acts_on} marks by {can}"
        return
    if not isinstance(fault.marks, Toxics) and fault.parameter("toxic_name") is not None:
        yield "`parameters`: 'toxic_name' names toxics, and it marks by none; call it mark"
    if isinstance(fault.marks, Nothing):
        if not isinstance(fault.recover, Nothing):
            yield (
                "`marks` is Nothing, and `recover` takes something back: without a mark nobody"
                f" could find it without a store; write {PARTS['marks'][1]}"
            )
        return
    # The way back of what takes a toxic's name is by toxics alone (`is_toxics_only`).
    wanted = tuple(n for n in NAMES if (n == "toxic_name") is isinstance(fault.marks, Toxics))
    mark = next((p.name for p in fault.parameters if p.name in wanted), None)
    if mark is None:
        yield (
            f"`parameters`: none is called {' or '.join(wanted)}, by which gameday gives a fault"
            " its mark; write Parameter(" + repr(wanted[-1]) + ', TEXT, "gameday", "…")'
        )
        return
    if isinstance(fault.marks, Objects) and not _takes(fault.marks.take_out, 3):
        yield "`marks`: take_out is given the cluster, the mark and what was found; let it take all"
    if isinstance(fault.marks, Records) and not _takes(fault.marks.find, 1, "control_url"):
        yield "`marks`: find is given the beginning of marks, and control_url; let it take both"
    needed = (mark, *ADDRESSES[fault.acts_on])
    for part in ("inject", "recover", "is_present"):
        activity = getattr(fault, part)
        taken = (
            activity.arguments(fault.parameters).values()
            if isinstance(activity, Activity)
            else needed
        )
        absent = [name for name in needed if name not in taken]
        if absent:
            yield (
                f"`{part}` does not take {' and '.join(absent)}: it could not tell this run's"
                f" fault from others, or would look elsewhere; let {activity.does.__name__} take it"
            )
    if isinstance(fault.marks, Records) and isinstance(fault.recover, Activity):
        for name, argument in inspect.signature(fault.recover.does).parameters.items():
            parameter = fault.recover.arguments(fault.parameters).get(name)
            if argument.default is argument.empty and parameter not in needed:
                yield (
                    f"`recover` needs {name!r}: a stray has nothing but its mark; give {name!r} a"
                    " default, and find out by the record"
                )


def _takes(function: Callable[..., Any], count: int, *names: str) -> bool:
    try:
        inspect.signature(function).bind(*range(count), **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def _arguments(fault: DeclaredFault, part: str, activity: Activity) -> Iterator[str]:
    taken = activity.arguments(fault.parameters)
    does = activity.does.__name__
    for name, argument in inspect.signature(activity.does).parameters.items():
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
            yield f"`{part}`: {does} takes *{name}; name every argument, so that each is declared"
        elif name not in taken and (part == "inject" or argument.default is argument.empty):
            yield (
                f"`{part}`: {does} takes {name!r}, which is no parameter; declare"
                f" Parameter({name!r}, …), or bind it:"
                f" Activity(…, {does}, {{{name!r}: 'PARAMETER'}})"
            )
    if part == "inject":
        unused = [p.name for p in fault.parameters if p.name not in taken.values()]
        for name in unused:
            yield f"`parameters`: {does} does not take {name!r}; let it, or leave that out"


def _public(fault: DeclaredFault, part: str, activity: Activity) -> Iterator[str]:
    """Yield whether experiments could not find the activity by the name that they are given."""
    module, func = fault.named(activity)
    try:
        found = getattr(import_module(module), func, None)
    except ImportError:
        found = None
    if found is not activity.does:
        yield f"`{part}`: experiments would look for {module}.{func}, and do not find it there"


def _counting(fault: DeclaredFault) -> Iterator[str]:
    if isinstance(fault.touches, Nothing):
        return
    if fault.acts_on is ActsOn.CLUSTER and fault.parameter("at_most") is None:
        yield (
            "`parameters`: 'at_most' is missing, by which the blast radius is counted once more"
            " when the fault goes in; write AT_MOST, and let inject check it"
        )
    injected = inspect.signature(fault.inject.does).parameters
    for name, argument in inspect.signature(fault.touches).parameters.items():
        if name not in injected:
            yield f"`touches` takes {name!r}, which inject does not take: it could not be given"
        elif argument.default != injected[name].default:
            yield (
                f"`touches`: {name!r} is {argument.default!r} by default, and for inject it is"
                f" {injected[name].default!r}: what is counted would not be what is injected"
            )
