"""Which alerts have a runbook that somebody keeps, and when each was last exercised in a drill.

Pure: rules, runbooks and drills in, lines out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from gameday.learning.runbook_head import is_owned
from gameday.learning.runbook_links import unreachable
from gameday.model.alerting_rule import AlertingRule
from gameday.model.runbook import Runbook
from gameday.model.runbook_coverage import (
    CoveredAlert,
    DrilledAlerts,
    RunbookCoverage,
    Standing,
)

__all__ = ["coverage_of"]


def coverage_of(
    rules: Sequence[AlertingRule], runbooks: Sequence[Runbook], drills: Sequence[DrilledAlerts]
) -> RunbookCoverage:
    """Return how every alert stands.

    The rules of one name are one alert: a reader is told its name. Its runbook is the one whose
    file its ``runbook_url`` ends in, else the one that says it is for it.
    """
    by_name: dict[str, list[AlertingRule]] = {}
    for rule in rules:
        by_name.setdefault(rule.name, []).append(rule)
    newest = sorted(drills, key=lambda drill: drill.at, reverse=True)
    alerts, used = [], set()
    for name in sorted(by_name):
        url = next((r.runbook_url for r in by_name[name] if r.runbook_url), "")
        runbook = _runbook(name, url, runbooks)
        if runbook is not None:
            used.add(runbook.path)
        alerts.append(
            CoveredAlert(
                name,
                tuple(dict.fromkeys(map(_place, by_name[name]))),
                _standing(url, runbook),
                runbook.path if runbook is not None else url,
                _owner(runbook),
                next((drill for drill in newest if name in drill.alerts), None),
            )
        )
    return RunbookCoverage(alerts, sorted({r.path for r in runbooks} - used))


def _runbook(alert: str, url: str, runbooks: Sequence[Runbook]) -> Runbook | None:
    if url:
        try:
            path = unquote(urlsplit(url).path).rstrip("/")
        except ValueError:
            path = ""
        stem = posixpath.basename(path).removesuffix(".md").lower()
        named = [r for r in runbooks if r.id.lower() == stem]
        if named:
            # Of several of one name the one in the folder that the address names as well.
            return max(named, key=lambda r: _shared(path, r.path))
    return next((r for r in runbooks if r.alert == alert), None)


def _shared(path: str, file: str) -> int:
    """Return how many folders two paths have in common, counted from their ends."""
    ours, theirs = path.split("/")[-2::-1], file.split("/")[-2::-1]
    count = 0
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            break
        count += 1
    return count


def _standing(url: str, runbook: Runbook | None) -> Standing:
    if url and unreachable(url):
        return Standing.UNREACHABLE
    if runbook is None:
        return Standing.ELSEWHERE if url else Standing.NO_RUNBOOK
    return Standing.COVERED if is_owned(runbook) else Standing.NO_OWNER


def _owner(runbook: Runbook | None) -> str:
    if runbook is None or runbook.owner is None:
        return ""
    return runbook.owner.name or runbook.owner.team


def _place(rule: AlertingRule) -> str:
    return f"{rule.place}:{rule.line}" if rule.line else rule.place
