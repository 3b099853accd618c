"""The bot's findings in words and as data: one function per sentence it can say. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from gameday.diagnosis import stacks
from gameday.diagnosis.graph import Accused
from gameday.diagnosis.red import RedReading, Signal
from gameday.diagnosis.remedy import Remedy
from gameday.diagnosis.suspicion import QUICK_FAILURE, Suspect
from gameday.model.page import Finding, RedShape, Step
from gameday.model.service_graph import Measure
from gameday.model.signals import Blame, ChangeSet, CodeChange, Deploy

_HASH = re.compile(r"[0-9a-f]{13,}")

MOST_SAID = 3
"""Commits that a sentence names."""

MOST_NAMED = 50
"""Commits that a finding holds."""


def unknown(step: Step, reason: str) -> Finding:
    """Return the finding of a step that could not be done, and why."""
    return Finding(
        step=step, summary=f"unknown: {reason}", detail={"unknown": True, "reason": reason}
    )


def red(reading: RedReading) -> Finding:
    """Return what the RED dashboard showed; unknown where it showed nothing at all."""
    if len(reading.unmeasured) == len(Signal):
        return unknown(Step.RED, "no series answers the queries of the RED dashboard")
    moved, leading, onset = reading.moved(), reading.leading(), reading.onset()
    detail: dict[str, Any] = {
        "moved": list(moved),
        "shape": reading.shape().value,
        "onset": onset.isoformat() if onset else None,
        "region": reading.region(),
        "regions": list(reading.affected()),
    }
    if reading.unmeasured:
        detail["unmeasured"] = list(reading.unmeasured)
    missing = f"; no data of {_listed(reading.unmeasured)}" if reading.unmeasured else ""
    if leading is None:
        still = [signal.value for signal in Signal if signal not in reading.unmeasured]
        none = "neither rate, errors nor duration left its quiet level plainly"
        if reading.unmeasured:
            none = f"{_listed(still)} did not plainly leave the quiet level{missing}"
        return unknown(Step.RED, none)
    where = reading.region() or (
        "every region"
        if set(reading.affected()) == set(reading.regions)
        else _listed(reading.affected())
    )
    if reading.unclear:
        where += f", perhaps in {_listed(reading.unclear)}"
        detail["unclear"] = list(reading.unclear)
    levels = "; ".join(
        f"{m.signal} {m.region} {m.text()}".replace("  ", " ") for m in reading.movements
    )
    shape = reading.shape()
    form = "too early to name a shape" if shape is RedShape.UNKNOWN else f"a {shape.value}"
    summary = f"{_listed(moved)} moved in {where}, {form} ({levels}){missing}"
    return Finding(step=Step.RED, summary=summary, detail=detail)


def trace(suspect: Suspect, region: str | None) -> Finding:
    """Return whom the traces accuse."""
    what = "fails" if suspect.errors else "is slow"
    where = f" in {region}" if region else ""
    place = suspect.place
    culprit = (
        f"{place.service} waiting for {place.downstream}" if place.downstream else place.service
    )
    count = len(suspect.traces)
    if suspect.errors and suspect.time <= 2 * suspect.usual + QUICK_FAILURE:
        evidence = f"span {suspect.span!r} is the deepest that fails in {count} traces"
    else:
        evidence = (
            f"span {suspect.span!r} holds {suspect.bulk_ratio:.0%} of what {count} traces take "
            f"too long ({_ms(suspect.usual)} → {_ms(suspect.time)})"
        )
    return Finding(
        step=Step.TRACE,
        summary=f"{culprit} {what}{where}: {evidence}",
        detail={
            "service": place.service,
            "downstream": place.downstream or None,
            "region": region,
            "span": suspect.span,
            "bulk_ratio": suspect.bulk_ratio,
            "traces": [t.trace_id for t in suspect.traces],
            "errors": suspect.errors,
        },
    )


def graph(accused: Accused) -> Finding:
    """Return whom the graph of calls accuses."""
    place = accused.place
    culprit = (
        f"{place.service} waiting for {place.downstream}" if place.downstream else place.service
    )
    way = " → ".join(accused.path)
    match accused.measure:
        case None:
            said = (
                f"no call of {accused.path[0]} deviates from its quiet time: it is at work itself"
            )
        case Measure.RATE:
            said = f"{culprit} is silent: no more calls are counted on the way {way}"
        case Measure.ERRORS:
            said = (
                f"{culprit} fails: on the way {way} errors went from {accused.before:.1%} to"
                f" {accused.now:.1%}, {accused.sigmas:.0f} robust standard deviations"
            )
        case Measure.DURATION:
            said = (
                f"{culprit} is slow: on the way {way} calls went from"
                f" {accused.before * 1000:.0f} ms to {accused.now * 1000:.0f} ms,"
                f" {accused.sigmas:.0f} robust standard deviations"
            )
    return Finding(
        step=Step.TRACE,
        summary=said,
        detail={
            "service": place.service,
            "downstream": place.downstream or None,
            "region": None,
            "traces": [],
            "errors": accused.measure in (Measure.ERRORS, Measure.RATE),
            "path": list(accused.path),
        },
    )


def profile(suspect: Suspect, leaf: stacks.Leaf, revision: str | None) -> Finding:
    """Return the function the profile shows for a cause in code."""
    return Finding(
        step=Step.PROFILE,
        summary=(
            f"{leaf.function} is the widest leaf of {suspect.place.service}: "
            f"{leaf.share_ratio:.0%} of the time of these traces"
        ),
        detail=_leaf_detail(suspect, leaf, revision, off_cpu=False, waiting_in=None),
    )


def waiting(
    suspect: Suspect, reading: stacks.ProfileReading | None, revision: str | None
) -> Finding:
    """Return that the time is waited, by the spans and, where it saw anything, the profile."""
    leaf = (reading.talking or reading.working) if reading else None
    waiting_in = suspect.place.downstream or (leaf.waiting_in if leaf else "") or suspect.span
    seen = f", in {leaf.function}" if leaf else "; the profile holds nothing for these traces"
    return Finding(
        step=Step.PROFILE,
        summary=f"off-CPU, {suspect.place.service} is waiting in {waiting_in}{seen}",
        detail=_leaf_detail(suspect, leaf, revision, off_cpu=True, waiting_in=waiting_in),
    )


def _leaf_detail(
    suspect: Suspect,
    leaf: stacks.Leaf | None,
    revision: str | None,
    *,
    off_cpu: bool,
    waiting_in: str | None,
) -> dict[str, Any]:
    return {
        "trace_id": suspect.traces[0].trace_id,
        "service": suspect.place.service,
        "function": leaf.function if leaf else None,
        "file": stacks.repository_path(leaf.file, revision) if leaf else None,
        "line": leaf.line if leaf else None,
        "share_ratio": leaf.share_ratio if leaf else None,
        "off_cpu": off_cpu,
        "waiting_in": waiting_in,
    }


def no_change(reason: str) -> Finding:
    """Return that no change explains the trouble."""
    return Finding(
        step=Step.BLAME,
        summary=reason,
        detail={"explained": False, "commit": None, "reason": reason},
    )


def change(leaf: stacks.Leaf, blame: Blame, deploy: Deploy, onset: datetime) -> Finding:
    """Return the commit that explains the trouble."""
    return Finding(
        step=Step.BLAME,
        summary=(
            f"commit {blame.commit[:7]} ({blame.summary!r}) changed {leaf.function} and went live "
            f"with {deploy.service} {_before(deploy, onset)} before the onset"
        ),
        detail={
            "explained": True,
            "commit": blame.commit,
            "author_role": "author",
            "committed_at": blame.committed_at.isoformat(),
            "deployed_at": deploy.deployed_at.isoformat(),
            "service": deploy.service,
            "revision": deploy.revision,
            "function": leaf.function,
            "file": blame.file,
        },
    )


def brought(between: ChangeSet, deploy: Deploy, earlier: Deploy, onset: datetime) -> Finding:
    """Return what a deploy brought that explains the trouble, where no profile names a function.

    A commit is named where there is no other; of several it is said which there are, and nobody is
    accused.
    """
    went = f"went live with {deploy.service} {_before(deploy, onset)} before the onset"
    versions = f"{shown(earlier.revision)} and {shown(deploy.revision)}"
    news, olds = between.brought, between.taken_back
    if not news and not olds:
        return no_change(
            f"no change explains this: {shown(deploy.revision)} {went}, and is the same code as"
            f" {shown(earlier.revision)}"
        )
    detail: dict[str, Any] = {
        "explained": True,
        "commit": None,
        "deployed_at": deploy.deployed_at.isoformat(),
        "service": deploy.service,
        "revision": deploy.revision,
        "earlier": earlier.revision,
        "commits": [change.commit for change in news[:MOST_NAMED]],
        "taken_back": [change.commit for change in olds[:MOST_NAMED]],
    }
    if len(news) == 1 and not olds:
        (only,) = news
        detail |= {
            "commit": only.commit,
            "author_role": "author",
            "committed_at": only.committed_at.isoformat(),
            "file": only.files[0] if len(only.files) == 1 else None,
        }
        summary = (
            f"{_quoted(only)} is all that lies between {versions}, which {went}; no profile tells"
            " which function"
        )
        return Finding(step=Step.BLAME, summary=summary, detail=detail)
    parts = [
        f"{verb} {len(told)} {'commit' if len(told) == 1 else 'commits'}"
        f" ({', '.join(map(_quoted, told[:MOST_SAID]))}{', …' if len(told) > MOST_SAID else ''})"
        for verb, told in (("brought", news), ("took back", olds))
        if told
    ]
    return Finding(
        step=Step.BLAME,
        summary=(
            f"{shown(deploy.revision)} {went} and {' and '.join(parts)}; no profile tells which of"
            " them it was"
        ),
        detail=detail,
    )


def shown(revision: str) -> str:
    """Return a version as people read it: of a commit's hash the beginning, else all of it."""
    return revision[:12] if _HASH.fullmatch(revision) else revision


def _before(deploy: Deploy, onset: datetime) -> str:
    return f"{max(0.0, (onset - deploy.deployed_at).total_seconds()):.0f} s"


def _quoted(change: CodeChange) -> str:
    return f"commit {change.commit[:7]} ({change.summary!r})"


def mitigation(remedy: Remedy, cause: str, reason: str) -> Finding:
    """Return the finding that this fix of the runbook is about to be started."""
    words = " ".join([remedy.name, *(f"{k}={v}" for k, v in remedy.parameters.items())])
    return Finding(
        step=Step.MITIGATE,
        summary=f"{words}: the runbook's fix for {cause}",
        detail={
            "mitigation": remedy.name,
            "parameters": dict(remedy.parameters),
            "runbook_step": remedy.step,
            "reason": reason,
        },
    )


def no_mitigation(reason: str) -> Finding:
    """Return the finding that nothing is started, and why."""
    return Finding(
        step=Step.MITIGATE,
        summary=f"nothing is started: {reason}",
        detail={"mitigation": None, "parameters": {}, "runbook_step": None, "reason": reason},
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _ms(time: timedelta) -> str:
    return f"{time.total_seconds() * 1000:.0f} ms"
