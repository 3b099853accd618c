"""Whether a change explains an incident: the deploy in time, the function's last change in git."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.diagnosis import changes, findings, stacks
from gameday.diagnosis.case import Case, repository_of, revision_of
from gameday.diagnosis.suspicion import Suspect
from gameday.model.page import Finding, Step
from gameday.model.signals import Blame, Deploy
from gameday.ports import CodeHistory
from scoring.revision import same_revision

SETTLED = timedelta(seconds=30)
"""A version that ran quietly for longer than this did not bring the trouble. Shorter proves
nothing: the first requests after a deploy may be quick, and an onset is read a little late."""


async def explain(
    case: Case, suspect: Suspect, deploys: Sequence[Deploy], code: CodeHistory
) -> Finding:
    """Return whether a change explains the trouble; keeps the deploy that does in the case.

    Raises:
        DriverError: the code's history cannot be read.
    """
    onset = case.onset()
    if suspect.place.downstream:
        return findings.no_change(
            f"no change explains this: {suspect.place.service} waits for "
            f"{suspect.place.downstream}, its own code is not at fault"
        )
    revision, repository = revision_of(suspect), repository_of(suspect)
    if revision is None or repository is None or onset is None:
        return findings.unknown(Step.BLAME, "the spans do not say which revision of which code ran")
    deploy = changes.went_live(
        deploys,
        service=suspect.place.service,
        revision=revision,
        region=suspect.region,
        onset=onset,
    )
    if case.leaf is None:
        # Without a function nobody can be accused; a version that is new may still be undone.
        case.deploy = deploy if deploy and not _ran_before(suspect, deploy, onset) else None
        return findings.unknown(Step.BLAME, "no profile names the function to blame")
    leaf = case.leaf
    file = stacks.repository_path(leaf.file, revision)
    asked = {"repository": repository, "revision": revision, "file": file}
    last = await code.blame(**asked, line=leaf.line, function=leaf.function)
    case.blamed = last
    earlier = changes.before(deploys, deploy, region=suspect.region) if deploy else None
    changed: Blame | None = last
    if earlier is not None:
        changed = await code.change_since(
            **asked, earlier=earlier.revision, line=leaf.line, function=leaf.function
        )
    if deploy is None:
        reason = f"{revision[:7]} did not go live before the onset"
    elif earlier is not None and changed is None:
        reason = f"{leaf.function} was the same in {earlier.revision[:7]}, live before"
    elif changed is not None and changed.committed_at > deploy.deployed_at:
        reason = f"{changed.commit[:7]} is younger than the deploy"
    elif _ran_before(suspect, deploy, onset):
        reason = f"{revision[:7]} ran well before the onset"
    else:
        case.deploy = deploy
        return findings.change(leaf, changed or last, deploy, onset)
    return findings.no_change(
        f"no change explains this: {leaf.function} was changed last by {last.commit[:7]}, "
        f"but {reason}"
    )


def _ran_before(suspect: Suspect, deploy: Deploy, onset: datetime) -> bool:
    """Return whether the deployed version served quietly for a good while before the onset."""
    return onset - deploy.deployed_at > SETTLED and any(
        same_revision(deploy.revision, quiet) for quiet in suspect.quiet_revisions
    )
