"""What a probe of the hypothesis is held against, as Chaos Toolkit takes it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

from gameday import extras
from gameday.names import did_you_mean
from gameday.spec.experiment.activity import Known, check_activity
from gameday.spec.experiment.findings import Findings, is_number, shown
from gameday.spec.tree import FieldPath, quoted

TYPES = ("probe", "regex", "jsonpath", "range")


_TARGETS = {
    ("process", "regex"): ("stdout", "stderr"),
    ("process", "range"): ("status", "stdout", "stderr"),
    ("http", "regex"): ("body",),
    ("http", "range"): ("status", "body"),
}
"""What of an answer that has parts can be held against a text or a number, by provider and type."""


def check_tolerance(
    said: Findings, at: FieldPath, tolerance: Any, known: Known, *, provider: str
) -> None:
    """Note why Chaos Toolkit would not take a tolerance, or could not hold a value against it.

    Args:
        provider: what kind of provider the value comes from.
    """
    if isinstance(tolerance, float):
        said.add(
            at,
            f"Chaos Toolkit takes no fraction, such as {shown(tolerance)}",
            f"write {{type: range, range: [{tolerance}, {tolerance}]}}",
        )
    elif not isinstance(tolerance, bool | int | list | str | dict):
        said.add(
            at,
            f"{shown(tolerance)} is no tolerance",
            "write true, a number, a text, [least, most], or {type: range, range: [0, 1]}",
        )
    elif isinstance(tolerance, dict):
        kind = tolerance.get("type")
        targets = _TARGETS.get((provider, str(kind)))
        if targets and tolerance.get("target") not in targets:
            said.add(
                (*at, "target"),
                f"must say which part of the answer is meant: what a {provider} probe returns has"
                " several",
                f"target: {' or '.join(targets)}",
            )
        if kind == "probe":
            _check_probe(said, at, tolerance, known)
        elif kind == "regex":
            _check_regex(said, at, tolerance)
        elif kind == "jsonpath":
            _check_path(said, at, tolerance)
        elif kind == "range":
            _check_range(said, at, tolerance)
        else:
            message = f"{quoted(kind)} is no type of tolerance" if kind else "is missing"
            hint = did_you_mean(str(kind), TYPES, what="one of") if kind else ", ".join(TYPES)
            said.add((*at, "type"), message, hint)


def _check_probe(said: Findings, at: FieldPath, tolerance: Mapping[str, Any], known: Known) -> None:
    if tolerance.get("ref") is not None:
        said.add((*at, "ref"), "a tolerance cannot refer to a probe", "write the probe out")
        return
    check_activity(said, at, tolerance, known)
    provider = tolerance.get("provider")
    if isinstance(provider, dict) and not isinstance(provider.get("arguments"), dict):
        said.add(
            (*at, "provider", "arguments"),
            "must be a mapping: the value that was read is put into it",
            "arguments: {value: null}",
        )


def _check_regex(said: Findings, at: FieldPath, tolerance: Mapping[str, Any]) -> None:
    if "pattern" not in tolerance:
        said.add((*at, "pattern"), "is missing", "pattern: '^ok$'")
        return
    pattern = tolerance["pattern"]
    if not isinstance(pattern, str):
        said.add((*at, "pattern"), f"{shown(pattern)} is no text", "put quotes around the pattern")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a pattern that only may mean another thing one day
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        said.add(
            (*at, "pattern"),
            f"{quoted(pattern)} is no regular expression: {error}",
            "correct it; \\ in front of a character takes it as it is",
        )


def _check_path(said: Findings, at: FieldPath, tolerance: Mapping[str, Any]) -> None:
    if not extras.is_there(extras.Extra.JSONPATH):
        said.add((*at, "type"), str(extras.absent(extras.Extra.JSONPATH)))
        return
    path = tolerance.get("path")
    if not isinstance(path, str) or not path.strip():
        message = f"{shown(path)} is no JSON path" if "path" in tolerance else "is missing"
        said.add((*at, "path"), message, "path: $.status")
        return
    from jsonpath2.path import Path

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # its parser says there what it raises
            Path.parse_str(path.strip())
    except Exception as error:  # noqa: BLE001  # its parser raises what its tokens raise
        said.add(
            (*at, "path"), f"{quoted(path)} is no JSON path: {error}", "write one such as $.status"
        )


def _check_range(said: Findings, at: FieldPath, tolerance: Mapping[str, Any]) -> None:
    bounds = tolerance.get("range")
    if not isinstance(bounds, list) or len(bounds) != 2:
        message = f"{shown(bounds)} is no pair of bounds" if "range" in tolerance else "is missing"
        said.add((*at, "range"), message, "range: [least, most]")
        return
    for number, bound in enumerate(bounds):
        if not is_number(bound):
            said.add(
                (*at, "range", number), f"{shown(bound)} is no number", "write it without quotes"
            )
