"""Which function of a file a frame means: one, or a sentence why none. Pure.

The line decides, and the name has to agree with it; where there is no line, the name has to fit one
function alone. Nothing is taken because it comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gameday.drivers.git.frame import INIT, STATIC, FrameName
from gameday.drivers.git.functions import SourceFunction
from gameday.drivers.git.language import Language
from gameday.errors import FrameUnclear

__all__ = ["Extent", "Fit", "agreement", "chosen", "fits"]


@dataclass(frozen=True, slots=True)
class Extent:
    """Lines of a file that stand for a function, both included, from 1 on.

    Attributes:
        function: which one they are; None: a line outside of every function.
    """

    first: int
    last: int
    function: SourceFunction | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a function answers to a name.

    Attributes:
        matched: how many parts of the name, from its end.
        left: parts of the name before those: modules, as far as they go.
    """

    function: SourceFunction
    matched: int
    left: tuple[str, ...]


def fits(functions: Sequence[SourceFunction], frame: FrameName) -> Sequence[Fit]:
    """Return the functions that answer to a name best, more than one where it fits them alike."""
    found = [fit for f in functions if f.name and (fit := _fit(f, frame)) is not None]
    best = max((fit.matched for fit in found), default=0)
    found = [fit for fit in found if fit.matched == best]
    # Rust names the trait of what implements one, and of an inherent function none.
    found = [fit for fit in found if fit.function.trait == frame.trait] or found
    if frame.types is not None and len(found) > 1:
        found = _typed(found, frame.types)
    return found


def chosen(functions: Sequence[SourceFunction], frame: FrameName, line: int, *, at: str) -> Extent:
    """Return the lines of the function that a frame means.

    Args:
        functions: of the file that the frame lies in.
        line: where in the file, from 1 on; 0: the profiler does not say.
        at: the file and its revision, for messages.

    Raises:
        FrameUnclear: it may be several functions, or none.
    """
    named = [fit.function for fit in fits(functions, frame)]
    around = [f for f in functions if f.first <= line <= f.last]
    if frame.is_anonymous:
        return _anonymous(functions, named, around, frame, line, at=at)
    if line > 0:
        here = [f for f in named if f in around]
        if here:
            return _extent(_innermost(here))
        if around and (not frame.parts or not _innermost(around).name):
            # A name the run time made up for what has none in the source.
            return _extent(_innermost(around))
        if around:
            raise FrameUnclear(
                f"the profile says {_name(frame)} at line {line} of {at}, and there is"
                f" {_innermost(around).path}: another version ran than this one, or the file is"
                " another of that name"
            )
        if not frame.parts or frame.parts[-1] in (INIT, STATIC):
            return Extent(line, line)  # a module's own code, a field's first value
    return _extent(_only(named, frame, at=at))


def _anonymous(
    functions: Sequence[SourceFunction],
    named: Sequence[SourceFunction],
    around: Sequence[SourceFunction],
    frame: FrameName,
    line: int,
    *,
    at: str,
) -> Extent:
    inside = [f for f in around if not frame.parts or any(_lies_in(f, n) for n in named)]
    if inside:
        return _extent(_innermost(inside))
    if line > 0 and around:
        return _extent(_innermost(around))  # bound to a name in one place, written in another
    if line > 0 and not frame.parts:
        return Extent(line, line)
    outer = _only(named, frame, at=at)
    lambdas = [f for f in functions if not f.name and _lies_in(f, outer)]
    if len(lambdas) > 1:
        raise FrameUnclear(
            f"{outer.path} of {at} holds {len(lambdas)} functions without a name, and the profile"
            " has no line to choose by: let the profiler write lines"
        )
    return _extent(lambdas[0] if lambdas else outer)


def _only(named: Sequence[SourceFunction], frame: FrameName, *, at: str) -> SourceFunction:
    if len(named) == 1:
        return named[0]
    if not named:
        raise FrameUnclear(
            f"{at} has no function {_name(frame)}: another version ran than this one, or the file"
            " is another of that name"
        )
    places = ", ".join(f"{f.path} in lines {f.first}–{f.last}" for f in named[:4])
    raise FrameUnclear(
        f"{_name(frame)} may be {len(named)} functions of {at} ({places}), and the profile has no"
        " line to choose by: let the profiler write lines"
    )


def _fit(function: SourceFunction, frame: FrameName) -> Fit | None:
    """Return how the name of a function and that of a frame agree from their ends; None: not."""
    whole = (*function.within, function.name)
    if function.name == "constructor" and frame.parts[-1:] != ("constructor",):
        whole = function.within  # JavaScript calls a constructor by its class
    mine, theirs, matched = len(whole) - 1, len(frame.parts) - 1, 0
    while mine >= 0 and theirs >= 0:
        if whole[mine] == frame.parts[theirs]:
            mine, theirs, matched = mine - 1, theirs - 1, matched + 1
        elif matched and mine in function.optional:
            mine -= 1
        else:
            break
    while mine >= 0 and mine in function.optional:
        mine -= 1
    if not matched or (mine >= 0 and theirs >= 0):
        return None  # they disagree: another class of another name
    return Fit(function, matched, frame.parts[: theirs + 1])


def agreement(fit: Fit, frame: FrameName, file: str, language: Language) -> int | None:
    """Return how far the modules of a name agree with where a file lies; None: they do not."""
    path = PurePosixPath(file)
    places = [_plain(part) for part in path.parent.parts]
    if path.stem not in _NEUTRAL:
        places.append(_plain(path.stem))
    match language:
        case Language.CSHARP:
            return 0 if fit.matched > 1 or not fit.left else None  # before it stands an assembly
        case Language.GO:
            places, names = places[:-1] if path.stem not in _NEUTRAL else places, [*frame.folders]
            names += fit.left or (frame.parts[:1] if frame.parts[:1] != ("main",) else ())
        case _:
            names = list(fit.left)
    count = 0
    while count < min(len(names), len(places)) and _plain(names[-1 - count]) == places[-1 - count]:
        count += 1
    unmatched = len(names) - count
    match language:
        case Language.GO:
            is_there = not fit.left or count > 0
        case Language.RUST:
            is_there = unmatched <= 1  # a crate is called by its manifest
        case Language.JAVA | Language.KOTLIN:
            is_there = not names
        case _:
            is_there = not unmatched
    return count if is_there else None


_NEUTRAL = {"__init__", "__main__", "index", "lib", "main", "mod"}
"""What files are called that stand for their folder."""


def _plain(name: str) -> str:
    return name.replace("-", "_").casefold()


def _typed(found: Sequence[Fit], types: tuple[str, ...]) -> list[Fit]:
    counted = [f for f in found if f.function.types is None or len(f.function.types) == len(types)]
    if len(counted) < 2:
        return counted or list(found)
    wanted = [_type(t) for t in types]
    same = [f for f in counted if [_type(t) for t in f.function.types or ()] == wanted]
    return same or counted


_ALIASES = {
    "int32": "int", "integer": "int", "int64": "long", "float64": "double", "single": "float",
    "system.string": "string", "bool": "boolean", "int16": "short", "character": "char",
}  # fmt: skip


def _type(name: str) -> str:
    lower = name.rstrip("?&*").casefold()
    base = lower.removesuffix("[]")
    return _ALIASES.get(base, base) + lower[len(base) :]


def _lies_in(function: SourceFunction, outer: SourceFunction) -> bool:
    return outer.first <= function.first and function.last <= outer.last


def _innermost(functions: Sequence[SourceFunction]) -> SourceFunction:
    return min(functions, key=lambda f: (f.last - f.first, -f.first, -len(f.within), not f.name))


def _extent(function: SourceFunction) -> Extent:
    return Extent(function.first, function.last, function)


def _name(frame: FrameName) -> str:
    return ".".join(frame.parts) or "a function without a name"
