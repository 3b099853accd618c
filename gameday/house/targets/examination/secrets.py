"""Whether somebody else on this machine can read the secrets that a document names."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.model.access import Access, SecretRef
from gameday.model.mitigation import Call

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
    reached: list[Access | None] = [
        spec.metrics.prometheus,
        spec.alerts.prometheus,
        spec.pages.alertmanager,
        spec.traces.reached if spec.traces is not None else None,
        spec.profiles.pyroscope if spec.profiles is not None else None,
        spec.toxiproxy,
        *(source.access for source in spec.deploys),
    ]
    for access in reached:
        if access is None:
            continue
        yield from _named(access.bearer_token, *access.headers.values())
        yield from _named(access.basic.password if access.basic is not None else None)
        if access.key is not None:
            yield access.key
    for mitigation in spec.mitigations:
        for call in (mitigation.http, mitigation.undo):
            if isinstance(call, Call):
                yield from _named(call.token, *call.headers.values())


def _named(*refs: object) -> Iterator[str]:
    yield from (ref.file for ref in refs if isinstance(ref, SecretRef) and ref.file)
