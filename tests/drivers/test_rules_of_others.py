"""Rule files as others write them, in a real Prometheus: read back as they were written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import alerts_of_others as others
import pytest
import real_programs

from gameday.drivers.prometheus import Prometheus
from gameday.model.slo import Slo
from gameday.model.system import RuleAuthor
from gameday.rules.burn_alert import BurnAlert, UnreadAlert
from gameday.rules.found_alerts import FoundAlerts, alerts_of
from gameday.rules.slo_rules import prometheus_rules
from scoring.slo import BurnWindow, Objective, workbook_windows

SLO = Slo(
    id=others.SLO,
    service=others.SERVICE,
    objective=Objective(others.OBJECTIVE, timedelta(days=30)),
    windows=workbook_windows(timedelta(days=30)),
    bad_query=others.BAD,
    total_query=others.TOTAL,
)

Read = tuple[timedelta, timedelta, float, timedelta]
"""Long and short window, burn rate, and how long it must hold."""


@contextmanager
def loaded(folder: Path, rules: str, program: str = "prometheus") -> Iterator[Prometheus]:
    """Run a Prometheus that has these rules and scrapes nothing."""
    (folder / "rules.yml").write_text(rules, "utf-8")
    (folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n", "utf-8")
    (port,) = real_programs.free_ports(1)
    argv = [
        shutil.which(program) or program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with real_programs.running(argv, answers=f"{url}/-/ready", log=folder / "log"):
        yield Prometheus(url)


def told(alerts: FoundAlerts, *, page: bool) -> list[Read]:
    """Return what was read of the alerts that page, or of the others."""
    found = []
    for alert in alerts.page if page else alerts.ticket:
        assert isinstance(alert, BurnAlert), alert.reason
        for b in alert.branches:
            found.append((b.long, b.short, b.burn_rate(others.OBJECTIVE), alert.rule.for_))
    return sorted(found)


def sloth(folder: Path, scale: float) -> str:
    return others.sloth(real_programs.program("sloth"), folder, scale)


NO_WAIT = timedelta(0)
SLOTH_TICKET = (
    (timedelta(days=1), timedelta(hours=2), 3.0),
    (timedelta(days=3), timedelta(hours=6), 1.0),
)


@pytest.mark.parametrize("scale", [1, 60])
@pytest.mark.parametrize(
    ("author", "write", "page", "ticket"),
    [
        (
            RuleAuthor.SLOTH,
            sloth,
            [(*b, NO_WAIT) for b in others.WORKBOOK],
            [(*b, NO_WAIT) for b in SLOTH_TICKET],
        ),
        (
            RuleAuthor.PYRRA,
            lambda _, scale: others.pyrra(scale),
            [(a, b, c, d) for a, b, c, d, severity in others.PYRRA if severity == "critical"],
            [(a, b, c, d) for a, b, c, d, severity in others.PYRRA if severity == "warning"],
        ),
        (
            RuleAuthor.WORKBOOK,
            lambda _, scale: others.workbook(scale),
            [(*b, NO_WAIT) for b in others.WORKBOOK],
            [],
        ),
    ],
)
async def test_windows_and_thresholds_are_read_back_as_they_were_written(
    tmp_path: Path,
    monitoring: None,
    scale: int,
    author: RuleAuthor,
    write: Callable[[Path, float], str],
    page: list[Read],
    ticket: list[Read],
) -> None:
    def real(written: list[Read]) -> list[Read]:
        return [(a / scale, b / scale, pytest.approx(c), d / scale) for a, b, c, d in written]

    with loaded(tmp_path, write(tmp_path, scale)) as prometheus:
        rules = await prometheus.loaded_rules()
    found, any_author = alerts_of(SLO, rules, author), alerts_of(SLO, rules)

    assert real(page) == told(found, page=True)
    assert real(ticket) == told(found, page=False)
    assert {author} == {a.author for a in (*found.page, *found.ticket)}
    assert found == any_author


async def test_a_newer_prometheus_prints_expressions_otherwise_and_they_read_the_same(
    tmp_path: Path, monitoring: None
) -> None:
    newer = str(real_programs.program("prometheus3"))

    with loaded(tmp_path, sloth(tmp_path, 60), newer) as prometheus:
        found = alerts_of(SLO, await prometheus.loaded_rules())

    assert [
        (long / 60, short / 60, pytest.approx(rate), NO_WAIT)
        for long, short, rate in others.WORKBOOK
    ] == told(found, page=True)


async def test_our_own_rules_are_read_like_any_others(tmp_path: Path, monitoring: None) -> None:
    with loaded(tmp_path, prometheus_rules(SLO, time_scale=60)) as prometheus:
        found = alerts_of(SLO, await prometheus.loaded_rules())

    pages = [w.scaled(60) for w in SLO.windows if w.severity == "page"]
    assert pages == [
        BurnWindow(long, short, rate, for_=wait)
        for long, short, rate, wait in told(found, page=True)
    ]
    assert {RuleAuthor.GAMEDAY} == {a.author for a in (*found.page, *found.ticket)}


async def test_a_rule_that_cannot_be_read_is_unknown_with_its_reason(
    tmp_path: Path, monitoring: None
) -> None:
    with loaded(tmp_path, others.unreadable(1)) as prometheus:
        (found,) = alerts_of(SLO, await prometheus.loaded_rules()).page

    assert isinstance(found, UnreadAlert)
    assert (
        'the alert PagesFailing{severity="page"} cannot be read: sgn(…) is not followed'
        == found.reason
    )
