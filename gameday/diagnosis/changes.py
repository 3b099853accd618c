"""Whether a change explains an onset: deploys against time and against what ran before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.model.signals import Deploy
from scoring.revision import same_revision

ONSET_ERROR = timedelta(seconds=5)
"""How much earlier than its deploy an onset may be read.

A deploy is written down once the new version answers; its first requests were served before that.
"""


def went_live(
    deploys: Sequence[Deploy], *, service: str, revision: str, region: str | None, onset: datetime
) -> Deploy | None:
    """Return the deploy that put this revision live before the onset; None where there is none.

    The latest such deploy counts, and of several in a row the first: who changes a setting deploys
    the same code again. One of another region counts only where no region is known.
    """
    first: Deploy | None = None
    is_live = False
    for deploy in sorted(_of(deploys, service, region), key=lambda d: d.deployed_at):
        if deploy.deployed_at > onset + ONSET_ERROR:
            break
        was_live, is_live = is_live, same_revision(deploy.revision, revision)
        if is_live and not was_live:
            first = deploy
    return first


def live(
    deploys: Sequence[Deploy], *, service: str, region: str | None, onset: datetime
) -> Deploy | None:
    """Return the deploy whose version was live at the onset; None where none is known."""
    fitting = [d for d in _of(deploys, service, region) if d.deployed_at <= onset + ONSET_ERROR]
    return max(fitting, key=lambda d: d.deployed_at, default=None)


def before(deploys: Sequence[Deploy], deploy: Deploy, *, region: str | None) -> Deploy | None:
    """Return the deploy of another revision that was live before this one; None if unknown."""
    earlier = [
        d
        for d in _of(deploys, deploy.service, region)
        if d.deployed_at < deploy.deployed_at and not same_revision(d.revision, deploy.revision)
    ]
    return max(earlier, key=lambda d: d.deployed_at, default=None)


def recent(deploys: Sequence[Deploy], *, since: datetime) -> list[Deploy]:
    """Return what went live since an instant, oldest first, and what was live at that instant.

    Of every service and region the last deploy before it: without it nobody can say what a version
    brought.
    """
    ordered = sorted(deploys, key=lambda d: d.deployed_at)
    stood = {(d.service, d.region): d for d in ordered if d.deployed_at < since}
    return [d for d in ordered if d.deployed_at >= since or d is stood[d.service, d.region]]


def _of(deploys: Sequence[Deploy], service: str, region: str | None) -> list[Deploy]:
    return [
        d
        for d in deploys
        if d.service == service and (d.region is None or region is None or d.region == region)
    ]
