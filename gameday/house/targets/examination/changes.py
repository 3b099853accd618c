"""Whether deploys are told, and whether what was deployed is in the repository of its code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from gameday.drivers.git import GitHistory
from gameday.house.targets.deploy_logs import deploy_log_of
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.model.code import CodeOf
from gameday.model.signals import Deploy

__all__ = ["changes"]

BACK = timedelta(days=7)
"""How far back deploys are asked for: most services are deployed once a week."""


def changes(look: Look) -> Iterator[Inquiry]:
    """Ask after the parts ``deploys`` and ``code`` of a document."""
    spec = look.system.spec

    async def deploys() -> Sequence[Deploy]:
        log, now = deploy_log_of(spec), datetime.now(UTC)
        return [] if log is None else await log.deploys(since=now - BACK, until=now)

    async def told() -> str:
        found = await deploys()
        services = {one.service for one in spec.code}
        silent = sorted(services - {d.service for d in found})
        if found and silent:
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
        )

    if spec.deploys:
        yield Inquiry("deploys", told, bars=False)
    for one in spec.code:
        yield Inquiry(f"code of {one.service}", partial(_held, one, deploys), bars=False)


async def _held(one: CodeOf, deploys: Callable[[], Awaitable[Sequence[Deploy]]]) -> str:
    found = await deploys()
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
