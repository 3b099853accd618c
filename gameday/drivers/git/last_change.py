"""The newest commit that made some lines what they are, as the lines' own history has it.

Not who wrote the lines that are there: a line that was taken out is a change as well, and blame by
lines does not see it. What changed nothing is passed over: a file that got another name or other
line ends, a function that was moved as it is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gameday.drivers.git.choice import Extent
from gameday.drivers.git.command import Git
from gameday.drivers.git.functions import SourceFunction, functions_of
from gameday.drivers.git.language import language_of
from gameday.drivers.git.place import FramePlace, source_of
from gameday.errors import HistoryUnknown

__all__ = ["Commit", "last_change", "same_text", "text_of"]

MOST_STEPS = 30
"""How often a function is followed past what did not change it."""

MOST_MOVES = 100
"""Files of one commit that a function may have come from."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as it is told of."""

    commit: str
    author: str
    committed_at: datetime
    summary: str


@dataclass(frozen=True, slots=True)
class _Step:
    """What a commit did to the lines.

    Attributes:
        parent: the commit before it; None: it is the first.
        before: the lines it changed, as they were; None: there were none.
        path, path_now: what the file was called before it, and since.
        after: the lines as they are since.
        was, became: the text of the lines before and after it.
    """

    change: Commit
    parent: str | None
    path: str
    path_now: str
    before: Extent | None
    after: Extent | None
    was: tuple[str, ...]
    became: tuple[str, ...]


async def last_change(git: Git, place: FramePlace, *, since: str | None = None) -> Commit | None:
    """Return the newest commit that changed the lines; None where no commit did.

    Args:
        since: a commit; what it holds already does not count.

    Raises:
        HistoryUnknown: it was not found within reach.
    """
    start, path, extent = place.commit, place.path, place.extent
    for _ in range(MOST_STEPS):
        if since and await git.found("merge-base", "--is-ancestor", start, since) is not None:
            return None
        step = await _newest(git, start, path, extent, since)
        settled = await _settled(git, start, path, extent, since, step)
        if step is None or settled is not None:
            return settled
        if step.parent is None or step.change.commit in git.view.boundary:
            return step.change
        stood = await _stood(git, step, extent.function)
        if stood is None:
            return step.change
        start, (path, extent) = step.parent, stood
    raise HistoryUnknown(
        f"{place.path}:{place.extent.first} was followed past {MOST_STEPS} commits that did not"
        f" change it, to {start[:12]}, and no further"
    )


def _extent(function: SourceFunction) -> Extent:
    return Extent(function.first, function.last, function)


def text_of(source: str, extent: Extent) -> str:
    """Return lines of a source, whatever their ends and however deep they are indented."""
    lines = source.split("\n")[extent.first - 1 : extent.last]
    return textwrap.dedent("\n".join(_lines(lines)))


def same_text(source: str, extent: Extent, other: str, other_extent: Extent) -> bool:
    """Return whether two stretches of lines say the same."""
    return text_of(source, extent) == text_of(other, other_extent)


def _lines(lines: Sequence[str]) -> list[str]:
    return [line.rstrip("\r").removeprefix("\ufeff") for line in lines]


_FORM = "%x01%H%x00%P%x00%an%x00%ct%x00%s%x00"
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


async def _newest(
    git: Git, start: str, path: str, extent: Extent, since: str | None
) -> _Step | None:
    """Return the newest commit of one parent that touched the lines."""
    printed = await git.text(
        *("log", "-1", "--no-merges", "--date-order", "--no-color", f"--format={_FORM}"),
        *("--src-prefix=a/", "--dst-prefix=b/", f"-L{extent.first},{extent.last}:{path}"),
        *_range(start, since),
    )
    head, _, diff = printed.partition("\n")
    if not head:
        return None
    commit, parents, author, seconds, summary, _ = head.removeprefix("\x01").split("\0")
    # Nothing but a line feed ends a line here: a source may hold other breaks.
    lines = diff.split("\n")
    hunk = next((n for n, line in enumerate(lines) if line.startswith("@@ ")), len(lines))
    named = next((line[4:] for line in lines[:hunk] if line.startswith("--- ")), "/dev/null")
    named_now = next((line[4:] for line in lines[:hunk] if line.startswith("+++ ")), "b/" + path)
    ranges = _HUNK.match(lines[hunk]) if hunk < len(lines) else None
    first, count, now, count_now = (int(n or "1") for n in ranges.groups()) if ranges else (0,) * 4
    body = lines[hunk + 1 :]
    return _Step(
        change=_change(commit, author, seconds, summary),
        parent=next(iter(parents.split()), None),
        path=_unquoted(named).removeprefix("a/"),
        path_now=_unquoted(named_now).removeprefix("b/"),
        after=Extent(now, now + count_now - 1, extent.function) if count_now else None,
        before=Extent(first, first + count - 1, extent.function)
        if count and named != "/dev/null"
        else None,
        was=tuple(line[1:] for line in body if line[:1] in ("-", " ")),
        became=tuple(line[1:] for line in body if line[:1] in ("+", " ")),
    )


async def _settled(
    git: Git, start: str, path: str, extent: Extent, since: str | None, step: _Step | None
) -> Commit | None:
    """Return the merge that itself made the lines what they are, later than any other commit.

    Whoever resolves a conflict may write what neither side had. Such lines are blamed on the merge.
    """
    merges = (
        await git.text("rev-list", "--merges", "--max-count=1", *_range(start, since))
    ).strip()
    if not merges:
        return None
    printed = await git.text(
        *("blame", "--porcelain", f"-L{extent.first},{extent.last}", *_range(start, since)),
        *("--", path),
    )
    blamed: dict[str, dict[str, str]] = {}
    commit = ""
    for line in printed.split("\n"):
        if found := re.match(r"([0-9a-f]{40,64}) \d+ \d+", line):
            commit = found[1]
            blamed.setdefault(commit, {})
        elif commit and not line.startswith("\t"):
            key, _, value = line.partition(" ")
            blamed[commit].setdefault(key, value)
    later = {
        commit: said
        for commit, said in blamed.items()
        if "boundary" not in said
        and (step is None or int(said["committer-time"]) >= step.change.committed_at.timestamp())
    }
    if not later:
        return None
    found_merges = (await git.text("rev-list", "--no-walk", "--merges", *later)).split()
    merged = [
        _change(commit, said["author"], said["committer-time"], said.get("summary", ""))
        for commit, said in later.items()
        if commit in found_merges and commit not in git.view.boundary
    ]
    return max(merged, key=lambda change: change.committed_at, default=None)


async def _stood(
    git: Git, step: _Step, function: SourceFunction | None
) -> tuple[str, Extent] | None:
    """Return where the lines stood, as they are, before a commit that touched them; None: nowhere.

    Git widens what a commit touched to the whole of a changed stretch, as where every line of a
    file got another end. So a function is looked for by its name and its text: in its file, then
    in what else the commit changed. It was moved where it was taken out elsewhere by the same
    commit; where it still stands there it was copied, and the copy is new.
    """
    assert step.parent is not None
    if step.before is not None and _lines(step.was) == _lines(step.became):
        return step.path, step.before
    language = language_of(step.path_now)
    if function is None or not function.name or language is None:
        return await _other_ends(git, step)
    wanted = textwrap.dedent("\n".join(_lines(step.became)))

    async def standing(commit: str, file: str) -> list[SourceFunction]:
        source = await source_of(git, commit, file) or ""
        return [
            f
            for f in functions_of(source, language, file)
            if f.name == function.name and text_of(source, _extent(f)) == wanted
        ]

    if step.before is not None or step.path == step.path_now:
        here = [f for f in await standing(step.parent, step.path) if f.within == function.within]
        if len(here) == 1:
            return step.path, _extent(here[0])
    listed = (
        await git.text(
            *("diff-tree", "-r", "--no-renames", "-z", "--name-status", "--diff-filter=MD"),
            *(step.parent, step.change.commit),
        )
    ).split("\0")
    before: list[tuple[str, Extent]] = []
    for file in [file for file in listed[1::2] if language_of(file) is language][:MOST_MOVES]:
        gone = len(await standing(step.change.commit, file)) if file != step.path_now else 0
        before += [(file, _extent(f)) for f in await standing(step.parent, file)][gone:]
    return before[0] if len(before) == 1 else None


async def _other_ends(git: Git, step: _Step) -> tuple[str, Extent] | None:
    """Return where the lines stood where all of their file only got other line ends."""
    if step.parent is None or step.after is None:
        return None
    old = await source_of(git, step.parent, step.path) or ""
    new = await source_of(git, step.change.commit, step.path_now) or ""
    same = _lines(old.split("\n")) == _lines(new.split("\n"))
    return (step.path, step.after) if same else None


def _range(start: str, since: str | None) -> tuple[str, ...]:
    return (start, f"^{since}") if since else (start,)


def _change(commit: str, author: str, seconds: str, summary: str) -> Commit:
    return Commit(commit, author, datetime.fromtimestamp(int(seconds), UTC), summary)


_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "r": "\r", "a": "\a", "b": "\b"}


def _unquoted(path: str) -> str:
    """Return a path as it is, out of how a diff writes one with tabs or quotes in it."""
    if not path.startswith('"'):
        return path.rstrip("\t\r")
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), path.rstrip()[1:-1])
