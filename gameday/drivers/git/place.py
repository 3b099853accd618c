"""Where in a repository a frame lies: the file, and the lines of its function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gameday.drivers.git.choice import Extent, agreement, chosen, fits
from gameday.drivers.git.command import Git
from gameday.drivers.git.frame import INIT, STATIC, FrameName, frame_of, place_of
from gameday.drivers.git.functions import SourceFunction, functions_of
from gameday.drivers.git.language import SUFFIXES, Language, language_of
from gameday.errors import FrameUnclear, HistoryUnknown, PermanentDriverError

__all__ = ["FramePlace", "commit_of", "place", "source_of"]

MOST_FILES = 200
"""Files that are read through for one name. More hold it where it is a common word."""


@dataclass(frozen=True, slots=True)
class FramePlace:
    """Lines of a file, as it stands at a commit.

    Attributes:
        line: where in them time was spent; the first where the profiler does not say.
    """

    commit: str
    path: str
    extent: Extent
    line: int


async def commit_of(git: Git, revision: str) -> str:
    """Return the commit that a revision names.

    Raises:
        HistoryUnknown: it is not in this repository.
    """
    found = await git.found("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is None or not found.strip():
        folder = git.view.repository
        raise HistoryUnknown(
            f"{folder} does not have the revision {revision!r} that ran: `git -C {folder} fetch"
            " --tags`, or say where its repository is"
        )
    return found.strip()


async def source_of(git: Git, commit: str, path: str) -> str | None:
    """Return a file as it stands at a commit; None where it is not there."""
    return await git.found("cat-file", "blob", f"{commit}:{path}")


async def place(git: Git, commit: str, *, function: str, file: str, line: int) -> FramePlace:
    """Return where a frame lies.

    Args:
        function: name as the profiler writes it; may be empty where there is a file and a line.
        file: path inside the repository, one that ends with it, or the end of one; empty where the
            profiler does not say.
        line: from 1 on; 0 where the profiler does not say.

    Raises:
        FrameUnclear: it may be several places, or none.
        NotInstalled: the language cannot be read here.
        PermanentDriverError: there is no such file.
    """
    function, file, line = place_of(function, file, line)
    names = (await git.text("ls-tree", "-r", "-z", "--name-only", commit)).split("\0")
    if not file:
        return await _named(git, commit, function, line)
    paths = _paths(names, file)
    if not paths:
        raise PermanentDriverError(f"{file!r} is not in {git.view.repository} at {commit[:12]}")
    found: list[FramePlace] = []
    unclear: FrameUnclear | None = None
    for path in paths[:MOST_FILES]:
        try:
            found.append(await _in_file(git, commit, path, function, line))
        except FrameUnclear as error:
            unclear = error
    if len(found) == 1:
        return found[0]
    if not found and len(paths) == 1 and unclear is not None:
        raise unclear
    listed = ", ".join(p.path for p in found[:4]) or ", ".join(paths[:4])
    raise FrameUnclear(
        f"{file!r} may be {len(found) or len(paths)} files of {git.view.repository} at"
        f" {commit[:12]} ({listed}): let the profiler write more of the path"
    )


def _paths(names: Sequence[str], file: str) -> Sequence[str]:
    """Return the paths that a file may be: the longest that is its end, else those it may end."""
    parts = [part for part in file.replace("\\", "/").split("/") if part not in {"", "."}]
    known = set(names) - {""}
    if file in known:
        return [file]
    for start in range(len(parts)):
        if (candidate := "/".join(parts[start:])) in known:
            return [candidate]
    shared = {name: _shared(name.split("/"), parts) for name in known}
    most = max(shared.values(), default=0)
    return sorted(name for name, count in shared.items() if most and count == most)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many parts two paths have in common, from their ends."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


async def _in_file(git: Git, commit: str, path: str, function: str, line: int) -> FramePlace:
    source = await source_of(git, commit, path) or ""
    language = language_of(path)
    count = max(1, source.count("\n") + (not source.endswith("\n")))
    if language is None:
        # Its functions are not told apart here, so the line alone is looked at.
        if line <= 0:
            raise FrameUnclear(
                f"{path}: where a function begins is not read in such a file, and the profile has"
                " no line"
            )
        only = min(line, count)
        return FramePlace(commit, path, Extent(only, only), only)
    frame = frame_of(function, language)
    at = f"{path} at {commit[:12]}"
    extent = chosen(
        functions_of(source, language, path), frame, line if line <= count else 0, at=at
    )
    is_inside = extent.first <= line <= extent.last
    return FramePlace(commit, path, extent, line if is_inside else extent.first)


async def _named(git: Git, commit: str, function: str, line: int) -> FramePlace:
    """Return the one function of the repository that answers to a name."""
    found: list[tuple[tuple[int, int], str, FrameName, Sequence[SourceFunction]]] = []
    for language in Language:
        frame = frame_of(function, language)
        if not frame.parts:
            continue
        for path in await _holding(git, commit, frame, language):
            functions = functions_of(await source_of(git, commit, path) or "", language, path)
            named = fits(functions, frame)
            agreed = [
                (fit.matched, a)
                for fit in named
                if (a := agreement(fit, frame, path, language)) is not None
            ]
            if agreed:
                found.append((max(agreed), path, frame, functions))
    best = max((rank for rank, *_ in found), default=None)
    fitting = [entry for entry in found if entry[0] == best]
    repository = f"{git.view.repository} at {commit[:12]}"
    if not fitting:
        raise FrameUnclear(
            f"the profile names {function!r} without a file, and {repository} has no such function:"
            " it may be a library's, or another repository's"
        )
    if len(fitting) > 1:
        listed = ", ".join(sorted(path for _, path, _, _ in fitting)[:4])
        raise FrameUnclear(
            f"{function!r} may lie in {len(fitting)} files of {repository} ({listed}): let the"
            " profiler write files"
        )
    _, path, frame, functions = fitting[0]
    extent = chosen(functions, frame, line, at=f"{path} at {commit[:12]}")
    is_inside = extent.first <= line <= extent.last
    return FramePlace(commit, path, extent, line if is_inside else extent.first)


async def _holding(git: Git, commit: str, frame: FrameName, language: Language) -> Sequence[str]:
    """Return the files of a language that hold a name."""
    name = next((p for p in reversed(frame.parts) if p not in (INIT, STATIC)), "")
    suffixes = [f"*{suffix}" for suffix, of in SUFFIXES.items() if of is language]
    found = await git.found(
        *("grep", "-l", "-z", "-w", "-I", "-F", "-e", _written(name, language), commit, "--"),
        *suffixes,
    )
    paths = [entry.partition(":")[2] for entry in (found or "").split("\0") if entry]
    if len(paths) > MOST_FILES:
        raise FrameUnclear(
            f"{name!r} stands in {len(paths)} files of {git.view.repository}, and the profile has"
            " no file to choose by: let the profiler write files"
        )
    return paths


def _written(name: str, language: Language) -> str:
    """Return a name as it stands in the source."""
    if language is Language.KOTLIN and len(name) > 3 and name[:3] in ("get", "set"):
        return name if name[3].islower() else f"{name[3].lower()}{name[4:]}"
    return name
