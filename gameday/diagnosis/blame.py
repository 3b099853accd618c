"""Whether a change explains an incident: the deploy in time, the function's last change in git."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.diagnosis import changes, findings, stacks
from gameday.diagnosis.case import Case
from gameday.diagnosis.code import CodeThatRan, code_that_ran
from gameday.diagnosis.suspicion import Suspect
from gameday.model.code import CodeOf
from gameday.model.page import Finding, Step
from gameday.model.signals import Blame, Deploy
from gameday.ports import CodeHistory

SETTLED = timedelta(seconds=30)
"""A version that ran quietly for longer than this did not bring the trouble. Shorter proves
nothing: the first requests after a deploy may be quick, and an onset is read a little late."""

ROLLOUT = timedelta(minutes=5)
"""How long before the onset a version may have been put live that no request names: what is written
down as its deploy is often where its rollout began."""


async def explain(
    case: Case,
    suspect: Suspect,
    deploys: Sequence[Deploy],
    code: CodeHistory,
    *,
    sources: Sequence[CodeOf] = (),
) -> Finding:
    """Return whether a change explains the trouble; keeps the deploy that does in the case.

    Args:
        sources: where the system's document says that its code is.

    Raises:
        DriverError: the code's history cannot be read.
    """
    onset = case.onset()
    if suspect.place.downstream:
        return findings.no_change(
            f"no change explains this: {suspect.place.service} waits for "
            f"{suspect.place.downstream}, its own code is not at fault"
        )
    if onset is None:
        return findings.unknown(Step.BLAME, "it is not known when the trouble began")
    ran = code_that_ran(suspect, deploys, onset, sources)
    if isinstance(ran, str):
        return findings.unknown(Step.BLAME, ran)
    revision = ran.revision
    deploy = changes.went_live(
        deploys,
        service=suspect.place.service,
        revision=revision,
        region=suspect.region,
        onset=onset,
    )
    if case.leaf is None:
        # Without a function nobody can be accused; a version that is new may still be undone.
        is_new = deploy is not None and not _ran_before(suspect, ran, deploy, onset)
        case.deploy = deploy if is_new else None
        return findings.unknown(Step.BLAME, "no profile names the function to blame")
    leaf = case.leaf
    file = stacks.repository_path(leaf.file, revision)
    commit = ran.in_git(revision)
    if commit is None:
        return findings.unknown(Step.BLAME, _unnamed(ran, revision))
    asked = {"repository": ran.repository, "revision": commit, "file": file}
    last = await code.blame(**asked, line=leaf.line, function=leaf.function)
    case.blamed = last
    earlier = changes.before(deploys, deploy, region=suspect.region) if deploy else None
    changed: Blame | None = last
    if earlier is not None:
        commit_before = ran.in_git(earlier.revision)
        if commit_before is None:
            return findings.unknown(Step.BLAME, _unnamed(ran, earlier.revision))
        changed = await code.change_since(
            **asked, earlier=commit_before, line=leaf.line, function=leaf.function
        )
    if deploy is None:
        reason = f"{revision[:7]} did not go live before the onset"
    elif earlier is not None and changed is None:
        reason = f"{leaf.function} was the same in {earlier.revision[:7]}, live before"
    elif changed is not None and changed.committed_at > deploy.deployed_at:
        reason = f"{changed.commit[:7]} is younger than the deploy"
    elif _ran_before(suspect, ran, deploy, onset):
        reason = f"{revision[:7]} ran well before the onset"
    else:
        case.deploy = deploy
        return findings.change(leaf, changed or last, deploy, onset)
    return findings.no_change(
        f"no change explains this: {leaf.function} was changed last by {last.commit[:7]}, "
        f"but {reason}"
    )


def _unnamed(ran: CodeThatRan, revision: str) -> str:
    return f"the pattern {ran.named.pattern!r} finds no commit in the version {revision!r}"


def _ran_before(suspect: Suspect, ran: CodeThatRan, deploy: Deploy, onset: datetime) -> bool:
    """Return whether the deployed version served quietly for a good while before the onset."""
    if not ran.told_by_spans:
        return onset - deploy.deployed_at > ROLLOUT
    return onset - deploy.deployed_at > SETTLED and any(
        ran.is_of(span, deploy.revision) for span in suspect.quiet
    )
