"""Whether a responder's finding is right: each step compared with the declared culprit.

The keys of a finding's detail stand in ``gameday.model.page.Finding``; unknown ones are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoring.expectation import Culprit, Expectation
from scoring.form import fields_to_json
from scoring.revision import same_revision

FINDING_STEPS = ("red", "trace", "profile", "blame", "mitigate")
"""The steps that end in a finding, in order."""


@dataclass(frozen=True, slots=True)
class ExpectedFinding:
    """What a step had to find; what is not asked of it is None, and left out of the JSON.

    Attributes:
        service: the service at fault, or the one that suffers from its downstream.
        downstream: what the service waits for; with a service, null: itself is at fault.
        region: where; with a service, null: anywhere.
        function: the function at fault.
        off_cpu: true: the profile shows waiting, not work.
        commit: the commit to be named.
        explained: false: no change explains the fault.
        mitigation: those that count, any one of them.
    """

    service: str | None = None
    downstream: str | None = None
    region: str | None = None
    function: str | None = None
    off_cpu: bool | None = None
    commit: str | None = None
    explained: bool | None = None
    mitigation: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        """Return whether anything is asked."""
        return bool(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return what is asked; of a trace, service, downstream and region together."""
        hop = ("service", "downstream", "region") if self.service is not None else ()
        said = fields_to_json(self)
        return {name: value for name, value in said.items() if name in hop or value is not None}


def expected_finding(step: str, expectation: Expectation) -> ExpectedFinding:
    """Return what the step had to find."""
    culprit = expectation.culprit
    if step == "mitigate":
        return ExpectedFinding(mitigation=expectation.mitigations or None)
    if culprit is None:
        return ExpectedFinding()
    match step:
        case "red":
            return ExpectedFinding(region=culprit.region or None)
        case "trace":
            return ExpectedFinding(culprit.service, culprit.downstream, culprit.region)
        case "profile" if culprit.function:
            return ExpectedFinding(function=culprit.function)
        case "profile":
            return ExpectedFinding(off_cpu=True)
        case _ if culprit.commit:
            return ExpectedFinding(commit=culprit.commit)
        case _:
            return ExpectedFinding(explained=False)


def mistake(step: str, detail: Mapping[str, Any], expectation: Expectation) -> str | None:
    """Return what is wrong with a finding, empty if it is right; None: nothing to compare with."""
    culprit = expectation.culprit
    if step == "red":
        return _wrong_red(detail, culprit) or _elsewhere(detail, expectation)
    if step == "mitigate":
        if not expectation.mitigations:
            return None
        chosen = detail.get("mitigation")
        right = chosen in expectation.mitigations
        return "" if right else f"chose {chosen!r}, not {' or '.join(expectation.mitigations)}"
    if culprit is None:
        return None
    if step == "trace":
        return _wrong_trace(detail, culprit) or _elsewhere(detail, expectation)
    if step == "profile":
        return _wrong_profile(detail, culprit)
    return _wrong_blame(detail, culprit)


def _elsewhere(detail: Mapping[str, Any], expectation: Expectation) -> str:
    """Return what is wrong with the region a finding names, where the culprit declares none."""
    region, regions = detail.get("region"), expectation.places
    if not region or not regions or region in regions:
        return ""
    return f"names region {region!r}, not {' or '.join(map(repr, regions))}"


def _wrong_red(detail: Mapping[str, Any], culprit: Culprit | None) -> str:
    if not detail.get("moved"):
        return "it does not say which of rate, errors and duration moved"
    region = detail.get("region")
    if culprit is not None and culprit.region and region and region != culprit.region:
        return f"names region {region!r}, not {culprit.region!r}"
    return ""


def _wrong_trace(detail: Mapping[str, Any], culprit: Culprit) -> str:
    for key in ("service", "downstream"):
        found, wanted = detail.get(key), getattr(culprit, key)
        if (found or None) != wanted:
            return f"names {key} {found!r}, not {wanted!r}"
    found = detail.get("region")
    if culprit.region and found != culprit.region:
        return f"names region {found!r}, not {culprit.region!r}"
    return ""


def _wrong_profile(detail: Mapping[str, Any], culprit: Culprit) -> str:
    function, waits = detail.get("function"), detail.get("off_cpu") or detail.get("waiting_in")
    if culprit.function is None:
        # Waiting is the right answer, and so is the frame that waits; whether anyone is accused
        # of it is asked in the step of blame.
        return "" if waits or function else "names neither a function nor what is waited for"
    if not function or not _same_function(str(function), culprit.function):
        return f"names function {function!r}, not {culprit.function!r}"
    return ""


def _same_function(found: str, wanted: str) -> bool:
    """Return whether two names mean one function: ``Stock.reserve`` and ``reserve`` do."""
    shorter, longer = sorted((found.split("."), wanted.split(".")), key=len)
    return longer[-len(shorter) :] == shorter


def _wrong_blame(detail: Mapping[str, Any], culprit: Culprit) -> str:
    explained, commit = detail.get("explained"), str(detail.get("commit") or "")
    if culprit.commit is None:
        return "" if explained is False else f"accuses {commit or 'a change'}, and none explains it"
    listed = detail.get("commits")
    if explained is True and not commit and isinstance(listed, list | tuple) and listed:
        # Somewhere among several is no answer to which one it was; the sentence says how near.
        is_among = any(same_revision(str(one), culprit.commit) for one in listed)
        count = f"{len(listed)} commit{'' if len(listed) == 1 else 's'}"
        among = f"{culprit.commit!r} among them" if is_among else f"and not {culprit.commit!r}"
        return f"lists {count}, {among}, and names none"
    if explained is not True or not same_revision(commit, culprit.commit):
        return f"names commit {commit!r}, not {culprit.commit!r}"
    return ""
