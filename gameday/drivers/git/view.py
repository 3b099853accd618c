"""A repository as it may be read: its objects and its names, and nothing it says about reading.

A configuration can name programs for conversions, filters, pagers, hooks and helpers, attributes
can ask for them, replacements and grafts change what is found, a partial clone fetches what it
misses. Instead of switching off one after another, git is given a folder of ours that leads to the
repository's objects and refs and holds none of these.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import PermanentDriverError

__all__ = ["RepositoryView", "repository_view"]

_SHA256 = re.compile(r"^\s*objectformat\s*=\s*sha256\s*$", re.IGNORECASE | re.MULTILINE)
_REFTABLE = re.compile(r"^\s*refstorage\s*=\s*reftable", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """A repository that can only be read.

    Attributes:
        repository: where it is, for messages.
        git_dir: the folder git is given.
        objects: where its objects are.
        boundary: commits whose parents are not here, as in a shallow clone.
        is_partial: whether objects were left out when it was cloned.
    """

    repository: Path
    git_dir: Path
    objects: Path
    boundary: frozenset[str]
    is_partial: bool

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment git is run in: ours alone."""
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "SYSTEMROOT", "TMPDIR")}
        return kept | {
            # Not by a link: where objects lie elsewhere, that is said relative to this folder.
            "GIT_OBJECT_DIRECTORY": str(self.objects),
            "HOME": str(self.git_dir),
            "XDG_CONFIG_HOME": str(self.git_dir),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C.UTF-8",
        }


@contextmanager
def repository_view(repository: Path) -> Iterator[RepositoryView]:
    """Yield a view of a repository; it is gone when the context ends.

    Args:
        repository: a work tree, a linked one, or a bare repository.

    Raises:
        PermanentDriverError: there is none, or it keeps its refs in a way that is not read here.
    """
    own, shared = _folders(repository)
    config = _text(shared / "config")
    if _REFTABLE.search(config):
        raise PermanentDriverError(
            f"{repository} keeps its refs in a reftable, which is not read: clone it without"
        )
    with tempfile.TemporaryDirectory(prefix="gameday-git-") as made:
        view = Path(made)
        (view / "refs").symlink_to(shared / "refs")
        for name in ("packed-refs", "shallow"):
            if (shared / name).is_file():
                (view / name).symlink_to(shared / name)
        (view / "HEAD").write_text(_text(own / "HEAD") or "ref: refs/heads/main\n", "utf-8")
        (view / "config").write_text(_config(config), "utf-8")
        yield RepositoryView(
            repository=repository,
            git_dir=view,
            objects=shared / "objects",
            boundary=frozenset(_text(shared / "shallow").split()),
            is_partial=any((shared / "objects" / "pack").glob("*.promisor")),
        )


def _folders(repository: Path) -> tuple[Path, Path]:
    """Return (the folder with this work tree's HEAD, the folder with the objects)."""
    own = repository / ".git"
    if own.is_file():  # of a linked work tree, or of a submodule
        own = repository / _text(own).removeprefix("gitdir:").strip()
    elif not own.is_dir():
        own = repository
    common = _text(own / "commondir").strip()
    shared = (own / common).resolve() if common else own.resolve()
    if not (shared / "objects").is_dir():
        raise PermanentDriverError(f"there is no git repository at {str(repository)!r}")
    return own, shared


def _config(theirs: str) -> str:
    if _SHA256.search(theirs):
        version, extensions = 1, "[extensions]\n\tobjectformat = sha256\n"
    else:
        version, extensions = 0, ""
    return f"[core]\n\tbare = true\n\trepositoryformatversion = {version}\n{extensions}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
