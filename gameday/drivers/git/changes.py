"""What lies between two versions: the commits that one has and the other has not."""

from __future__ import annotations

from datetime import UTC, datetime

from gameday.drivers.git.command import Git
from gameday.errors import HistoryUnknown
from gameday.model.signals import CodeChange

__all__ = ["changes_between"]

MOST_COMMITS = 1000
"""Commits that are read. Of more nobody can say which one it was."""

_FORM = "%x01%H%x00%an%x00%ct%x00%s%x00"


async def changes_between(git: Git, commit: str, earlier: str) -> tuple[CodeChange, ...]:
    """Return the commits of one version that an earlier one has not, newest first.

    Raises:
        HistoryUnknown: the copy ends between them, or there are more than `MOST_COMMITS`.
    """
    printed = await git.text(
        *("log", "--date-order", "--no-color", f"--max-count={MOST_COMMITS + 1}"),
        # Of a merge: the files that are as neither side had them.
        *("-z", "--diff-merges=dense-combined", "--name-only", "--find-renames"),
        *(f"--format={_FORM}", f"{earlier}..{commit}"),
    )
    told = printed.split("\x01")[1:]
    folder = git.view.repository
    if len(told) > MOST_COMMITS:
        raise HistoryUnknown(
            f"{folder} has more than {MOST_COMMITS} commits between {earlier[:12]} and"
            f" {commit[:12]}: see that these are the versions that followed one another"
        )
    found: list[CodeChange] = []
    for entry in told:
        name, author, seconds, summary, files = entry.split("\0", 4)
        if name in git.view.boundary:
            raise HistoryUnknown(
                f"the history of {folder} ends at {name[:12]}, so what lies between"
                f" {earlier[:12]} and {commit[:12]} is not known: `git -C {folder} fetch"
                " --unshallow`"
            )
        paths = tuple(path for part in files.split("\0") if (path := part.strip("\n")))
        if paths:
            at = datetime.fromtimestamp(int(seconds), UTC)
            found.append(CodeChange(name, author, at, summary, paths))
    return tuple(found)
