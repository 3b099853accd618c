"""Which alerts have a runbook, and when each was last exercised: in words, and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gameday.legible import finalized
from gameday.model.runbook_coverage import CoveredAlert, DrilledAlerts, RunbookCoverage
from gameday.report.wording import NO_DATA, NOTHING

__all__ = ["coverage_html", "exercised_in_words", "headline"]


def exercised_in_words(drill: DrilledAlerts | None) -> str:
    """Return the drill that last made an alert fire: ``2026-11-03, slow-db: passed (run …)``."""
    if drill is None:
        return "never"
    return f"{drill.at:%Y-%m-%d}, {drill.scenario}: {drill.verdict} (run {drill.run})"


def headline(coverage: RunbookCoverage) -> str:
    """Return how it stands, in a sentence."""
    count = len(coverage.alerts)
    covered, exercised = count - len(coverage.lacking), count - len(coverage.never_exercised)
    return (
        f"{covered} of {count} alerts have a runbook that can be opened and that somebody keeps;"
        f" a drill made {exercised} of them fire."
    )


def coverage_html(coverage: RunbookCoverage, *, places: Sequence[str], as_of: datetime) -> str:
    """Return the coverage as one HTML page that needs nothing else.

    Args:
        places: where the rules were read; may be empty.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gameday.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalized,
    )
    return environment.get_template("coverage.html.j2").render(
        alerts=[_row(alert) for alert in coverage.alerts],
        covered=len(coverage.alerts) - len(coverage.lacking),
        headline=headline(coverage),
        never=[alert.alert for alert in coverage.never_exercised],
        idle=coverage.idle,
        as_of=f"{as_of:%Y-%m-%d %H:%M}",
        rules_of=f"The rules of {', '.join(places)}." if places else "No rules were read.",
        no_data=NO_DATA,
    )


def _row(alert: CoveredAlert) -> dict[str, str | bool]:
    return {
        "alert": alert.alert,
        "is_covered": alert.is_covered,
        "standing": str(alert.standing),
        "runbook": alert.runbook or NOTHING,
        "owner": alert.owner or NOTHING,
        "exercised": exercised_in_words(alert.exercised),
    }
