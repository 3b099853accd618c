"""Whether a change explains an incident: the deploy in time, the function's last change in git."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.diagnosis import changes, findings, stacks
from gameday.diagnosis.case import Case
from gameday.diagnosis.code import CodeThatRan, code_that_ran, region_of
from gameday.diagnosis.graph import Accused
from gameday.diagnosis.suspicion import Suspect
from gameday.model.code import CodeOf
from gameday.model.page import Finding, Step
from gameday.model.signals import Blame, ChangeSet, Deploy
from gameday.ports import CodeHistory

SETTLED = timedelta(seconds=30)
"""A version that ran quietly for longer than this did not bring the trouble. Shorter proves
nothing: the first requests after a deploy may be quick, and an onset is read a little late."""

ROLLOUT = timedelta(minutes=5)
"""How long before the onset a version may have been put live that no request names: what is written
down as its deploy is often where its rollout began."""

_TEXTS = frozenset({"readme", "changelog", "license", "licence", "authors", "notice"})


async def explain(
    case: Case,
    suspect: Suspect | Accused,
    deploys: Sequence[Deploy],
    code: CodeHistory,
    *,
    sources: Sequence[CodeOf] = (),
    has_profiles: bool = True,
) -> Finding:
    """Return whether a change explains the trouble; keeps the deploy that does in the case.

    Where the system has no profiles, what the deploy at the onset brought is all that is known, and
    a commit is named where it brought no other.

    Args:
        suspect: whom the traces accuse, or the graph of calls.
        sources: where the system's document says that its code is.
        has_profiles: whether the system has an instrument that names functions.

    Raises:
        DriverError: the code's history cannot be read.
    """
    onset, region = case.onset(), region_of(suspect)
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
        region=region,
        onset=onset,
    )
    if case.leaf is None:
        # Without a function nobody can be accused; a version that is new may still be undone.
        is_new = deploy is not None and not _ran_before(suspect, ran, deploy, onset)
        case.deploy = deploy if is_new else None
        if has_profiles:
            return findings.unknown(Step.BLAME, "no profile names the function to blame")
        if deploy is None or not is_new:
            when = "did not go live" if deploy is None else "ran well"
            return findings.no_change(
                f"no change explains this: {suspect.place.service} ran {findings.shown(revision)},"
                f" which {when} before the onset"
            )
        earlier = changes.before(deploys, deploy, region=region)
        return await _brought(ran, deploy, earlier, onset, code)
    leaf = case.leaf
    file = stacks.repository_path(leaf.file, revision)
    commit = ran.in_git(revision)
    if commit is None:
        return findings.unknown(Step.BLAME, _unnamed(ran, revision))
    asked = {"repository": ran.repository, "revision": commit, "file": file}
    last = await code.blame(**asked, line=leaf.line, function=leaf.function)
    case.blamed = last
    earlier = changes.before(deploys, deploy, region=region) if deploy else None
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


async def _brought(
    ran: CodeThatRan,
    deploy: Deploy,
    earlier: Deploy | None,
    onset: datetime,
    code: CodeHistory,
) -> Finding:
    """Return what the deploy at the onset brought, in commits."""
    if earlier is None:
        return findings.unknown(
            Step.BLAME,
            f"what {deploy.service} ran before {findings.shown(deploy.revision)} is not told, so"
            " what that brought is not known",
        )
    commit, before = ran.in_git(deploy.revision), ran.in_git(earlier.revision)
    if commit is None or before is None:
        missing = deploy.revision if commit is None else earlier.revision
        return findings.unknown(Step.BLAME, _unnamed(ran, missing))
    brought = await code.changes_between(repository=ran.repository, revision=commit, earlier=before)
    return findings.brought(ranked(brought), deploy, earlier, onset)


def ranked(between: ChangeSet) -> ChangeSet:
    """Return what lies between two versions with what hardly changes how a program runs last.

    Source: our own order. Only texts and tests count as such; settings break as much as code does.
    """
    return ChangeSet(
        *(
            tuple(sorted(changes, key=lambda change: all(map(_is_idle, change.files))))
            for changes in (between.brought, between.taken_back)
        )
    )


def _is_idle(path: str) -> bool:
    """Return whether a file is for people or for tests."""
    *folders, name = path.lower().split("/")
    is_text = name.endswith((".md", ".rst", ".adoc")) or name.partition(".")[0] in _TEXTS
    return is_text or bool({"test", "tests", "docs", "doc"} & set(folders))


def _unnamed(ran: CodeThatRan, revision: str) -> str:
    return f"the pattern {ran.named.pattern!r} finds no commit in the version {revision!r}"


def _ran_before(
    suspect: Suspect | Accused, ran: CodeThatRan, deploy: Deploy, onset: datetime
) -> bool:
    """Return whether the deployed version served quietly for a good while before the onset."""
    if not ran.told_by_spans or not isinstance(suspect, Suspect):
        return onset - deploy.deployed_at > ROLLOUT
    return onset - deploy.deployed_at > SETTLED and any(
        ran.is_of(span, deploy.revision) for span in suspect.quiet
    )
