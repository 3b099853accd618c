"""Whether somebody else on this machine can read the secrets that a document names."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look

__all__ = ["secrets"]

OTHERS = stat.S_IROTH | stat.S_IWOTH


def secrets(look: Look) -> Iterator[Inquiry]:
    """Ask after every file that a document names as a secret."""
    for name in dict.fromkeys(_files(look)):
        yield Inquiry(f"secret {name}", partial(_kept, Path(name)))


async def _kept(path: Path) -> str:
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
    except OSError as error:
        raise Unmet(
            f"cannot be read ({type(error).__name__})",
            "put it there, or write in the system's document where it is",
        ) from error
    if mode & OTHERS and _is_reached(real):
        doing = "write" if mode & stat.S_IWOTH else "read"
        raise Unmet(
            f"everybody on this machine may {doing} it",
            f"chmod o= {path}, and draw a new one: it may have been read",
        )
    return "nobody else reads it"


def _is_reached(path: Path) -> bool:
    """Return whether others get to a file by way of its folders."""
    # How Kubernetes mounts a Secret: in a container, where there is nobody else.
    if any(part.startswith("..") and part != ".." for part in path.parts):
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def _files(look: Look) -> Iterator[str]:
    spec = look.system.spec
    yield from (secret.file for _, secret in spec.secrets() if secret.file is not None)
    yield from (place.key for _, place in spec.places() if place.key is not None)
