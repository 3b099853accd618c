"""Reading a profile: the widest leaf among the service's own functions. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from gameday.diagnosis import ownership
from gameday.model.signals import Frame, Profile, Stack

_Key = TypeVar("_Key")
_ANONYMOUS = re.compile(r"(\.<locals>)?\.?<(listcomp|genexpr|dictcomp|setcomp|lambda|module)>$")


@dataclass(frozen=True, slots=True)
class Leaf:
    """The service's own function that a share of the time ends in.

    Attributes:
        line: where in it most of that time was seen.
        share_ratio: of the profile's whole time, 0–1.
        waiting_in: the library function below it, where there is one (``recv_into``); else empty.
    """

    function: str
    file: str
    line: int
    share_ratio: float
    waiting_in: str = ""


@dataclass(frozen=True, slots=True)
class ProfileReading:
    """What a profile showed.

    Attributes:
        working: the widest own leaf among stacks that talk to nobody; None where there is none.
        talking: the widest own leaf among stacks that wait for somebody else; None likewise.
        talking_ratio: share of the time in stacks that wait for somebody else, 0–1.
        total: wall time seen.
    """

    working: Leaf | None
    talking: Leaf | None
    talking_ratio: float
    total: timedelta


def read(
    profile: Profile, *, revision: str | None, packages: Sequence[str] = ()
) -> ProfileReading | None:
    """Return what the profile showed, or None where it is empty.

    Args:
        revision: the revision that ran. Where any frame's path holds it, the frames whose path
            does are the service's own; else those that lie in no library.
        packages: with which the service's own names or paths begin, where its document says so.
    """
    total = profile.total()
    if not total:
        return None
    stacks = [s for s in profile.stacks if s.frames and s.time]
    released = bool(revision) and any(f"/{revision}/" in f.file for s in stacks for f in s.frames)
    marker = revision if released else None
    talking = [s for s in stacks if any(ownership.is_talking(f) for f in s.frames)]
    is_own = partial(ownership.is_own, marker=marker, packages=packages)
    working = [s for s in stacks if s not in talking]
    waited = sum((s.time for s in talking), timedelta(0))
    return ProfileReading(
        working=_widest(working, is_own, total),
        talking=_widest(talking, is_own, total),
        talking_ratio=waited / total,
        total=total,
    )


def repository_path(file: str, revision: str | None) -> str:
    """Return the path inside the repository of a file of a release (``…/<revision>/a/b.py``)."""
    if revision and f"/{revision}/" in file:
        return file.rpartition(f"/{revision}/")[2]
    return file


def _widest(
    stacks: Sequence[Stack], is_own: Callable[[Frame], bool], total: timedelta
) -> Leaf | None:
    times: dict[tuple[str, str], timedelta] = {}
    lines: dict[tuple[str, str], dict[int, timedelta]] = {}
    below: dict[tuple[str, str], dict[str, timedelta]] = {}
    for stack in stacks:
        found = _own_leaf(stack.frames, is_own)
        if found is None:
            continue
        frame, function, library = found
        key = (function, frame.file)
        _add(times, key, stack.time)
        _add(lines.setdefault(key, {}), frame.line, stack.time)
        _add(below.setdefault(key, {}), library, stack.time)
    if not times:
        return None
    key = min(times, key=lambda k: (-times[k], k))
    return Leaf(
        function=key[0],
        file=key[1],
        line=min(lines[key], key=lambda n: (-lines[key][n], n)),
        share_ratio=round(times[key] / total, 3),
        waiting_in=min(below[key], key=lambda n: (-below[key][n], n)),
    )


def _add(counts: dict[_Key, timedelta], key: _Key, time: timedelta) -> None:
    counts[key] = counts.get(key, timedelta(0)) + time


def _own_leaf(
    frames: Sequence[Frame], is_own: Callable[[Frame], bool]
) -> tuple[Frame, str, str] | None:
    """Return the own frame nearest to the leaf, its function's name, and the library leaf's."""
    for depth, frame in enumerate(reversed(frames)):
        if is_own(frame):
            leaf = frames[-1].function if depth else ""
            return frame, _named(frames, len(frames) - 1 - depth), leaf
    return None


def _named(frames: Sequence[Frame], position: int) -> str:
    """Return the function's name; a comprehension bears the name of the function around it."""
    frame = frames[position]
    name = _ANONYMOUS.sub("", frame.function)
    if name:
        return name
    for outer in reversed(frames[:position]):
        if outer.file == frame.file and (named := _ANONYMOUS.sub("", outer.function)):
            return named
    return frame.function
