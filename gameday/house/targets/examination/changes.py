"""Whether deploys are told, and whether what was deployed is in the repository of its code."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gameday.drivers.git import GitHistory
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.incidents.deploys import BACK
from gameday.model.code import CodeOf

__all__ = ["changes"]


def changes(look: Look) -> Iterator[Inquiry]:
    """Ask after the parts ``deploys`` and ``code`` of a document."""
    spec = look.system.spec

    async def told() -> str:
        found = await look.deploys()
        services = {one.service for one in spec.code}
        silent = sorted(services - {d.service for d in found})
        # Where every name is known, nothing went live of the others; a name that is not may be
        # one of theirs.
        if silent and any(d.service not in services for d in found):
            known = ", ".join(sorted({d.service for d in found}))
            raise Unmet(
                f"{len(found)} in {BACK.days} days, none of {', '.join(silent)} (of {known})",
                "see that deploys call services as `code` does",
                bars=False,
            )
        if not found:
            return f"answers; nothing went live in {BACK.days} days"
        last = found[-1]
        return (
            f"{len(found)} in {BACK.days} days, last {last.service} {last.revision[:12]}"
            f" at {last.deployed_at:%Y-%m-%d %H:%M} UTC"
            + (f"; nothing of {', '.join(silent)}" if silent else "")
        )

    if spec.deploys:
        yield Inquiry("deploys", told, bars=False)
    for one in spec.code:
        yield Inquiry(f"code of {one.service}", partial(_held, look, one), bars=False)


async def _held(look: Look, one: CodeOf) -> str:
    found = await look.deploys()
    last = next((d for d in reversed(found) if d.service == one.service), None)
    revision = "HEAD" if last is None else one.revision.in_git(last.revision)
    if last is not None and revision is None:
        raise Unmet(
            f"the pattern {one.revision.pattern!r} finds no commit in {last.revision!r}",
            "let it match what deploys call a version",
            bars=False,
        )
    commit = await GitHistory().commit(repository=one.repository, revision=revision or "HEAD")
    if last is None:
        return f"{one.repository}, at {commit[:12]}; nothing was deployed to hold it against"
    return f"{one.repository} has what was deployed last, {commit[:12]}"
