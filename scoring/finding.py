"""Whether a responder's finding is right: each step compared with the declared culprit.

The keys of a finding's detail stand in ``gameday.model.page.Finding``; unknown ones are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoring.expectation import Culprit, Expectation

FINDING_STEPS = ("red", "trace", "profile", "blame", "mitigate")
"""The steps that end in a finding, in order."""


def expected_finding(step: str, expectation: Expectation) -> dict[str, Any]:
    """Return what the step had to find, as JSON-shaped data."""
    culprit = expectation.culprit
    if step == "mitigate":
        return {"mitigation": list(expectation.mitigations)} if expectation.mitigations else {}
    if culprit is None:
        return {}
    match step:
        case "red":
            return {"region": culprit.region} if culprit.region else {}
        case "trace":
            keys = ("service", "downstream", "region")
            return {k: v for k, v in culprit.to_json().items() if k in keys}
        case "profile":
            return {"function": culprit.function} if culprit.function else {"off_cpu": True}
        case _:
            return {"commit": culprit.commit} if culprit.commit else {"explained": False}


def mistake(step: str, detail: Mapping[str, Any], expectation: Expectation) -> str | None:
    """Return what is wrong with a finding, empty if it is right; None: nothing to compare with."""
    culprit = expectation.culprit
    if step == "red":
        return _wrong_red(detail, culprit)
    if step == "mitigate":
        if not expectation.mitigations:
            return None
        chosen = detail.get("mitigation")
        right = chosen in expectation.mitigations
        return "" if right else f"chose {chosen!r}, not {' or '.join(expectation.mitigations)}"
    if culprit is None:
        return None
    if step == "trace":
        return _wrong_trace(detail, culprit)
    if step == "profile":
        return _wrong_profile(detail, culprit)
    return _wrong_blame(detail, culprit)


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
    short = min(len(commit), len(culprit.commit))
    if explained is not True or short < 7 or commit[:short] != culprit.commit[:short]:
        return f"names commit {commit!r}, not {culprit.commit!r}"
    return ""
