"""The error budget of a whole period, counted by a real Prometheus that holds that period."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gameday.drivers.prometheus import Prometheus
from gameday.governance.permission import Ground, Start
from gameday.house.run.permission import Counted, ask, read_budget
from gameday.model.budget import BudgetLeft, BudgetUnknown
from gameday.model.programme import Programme
from gameday.model.slo import Slo
from scoring.slo import Objective, workbook_windows

pytestmark = pytest.mark.usefixtures("monitoring")

# Three days, for Prometheus is given its past in blocks of two hours, and each costs a moment.
PERIOD = timedelta(days=3)
SCRAPE = timedelta(minutes=1)
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


def samples(name: str, since: datetime, bad_from: datetime, bad_until: datetime) -> list[str]:
    """Return 10 events a second, all of them good but for half of those in a span."""
    lines = [f"# TYPE {name}_total counter", f"# TYPE {name}_good counter"]
    step = SCRAPE.total_seconds()
    good: list[str] = []
    total: list[str] = []
    events = fine = 0.0
    at = since
    while at <= END:
        stamp = f"{at.timestamp():.0f}"
        total.append(f'{name}_total{{region="eu"}} {events} {stamp}')
        good.append(f'{name}_good_total{{region="eu"}} {fine} {stamp}')
        at += SCRAPE
        events += 10 * step
        fine += 10 * step * (0.5 if bad_from < at <= bad_until else 1)
    return [lines[0], *total, lines[1], *good]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has scraped one service for longer than the period, another for 6 hours."""
    folder: Path = tmp_path_factory.mktemp("past")
    bad = END - timedelta(days=1), END - timedelta(days=1) + PERIOD / 100
    text = samples("old", END - PERIOD - timedelta(hours=4), *bad)
    text += samples("young", END - timedelta(hours=6), END, END)
    (folder / "samples").write_text("\n".join([*text, "# EOF\n"]))
    promtool = shutil.which("promtool")
    binary = shutil.which("prometheus")
    if promtool is None or binary is None:
        pytest.fail("Prometheus is missing: run `make setup`")
    subprocess.run(
        [
            promtool,
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            folder / "samples",
            folder / "data",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (folder / "prometheus.yaml").write_text("global: {scrape_interval: 1m}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder}/prometheus.yaml",
                f"--storage.tsdb.path={folder}/data",
                "--storage.tsdb.retention.time=90d",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def slo(name: str) -> Slo:
    return Slo(
        id=name,
        service=name,
        objective=Objective(0.99, PERIOD),
        good_query=f'{name}_good_total{{region="eu"}}',
        total_query=f'{name}_total{{region="eu"}}',
        windows=workbook_windows(PERIOD),
    )


async def test_half_of_the_requests_bad_for_a_hundredth_of_the_period_spend_half_of_it(
    past: str,
) -> None:
    # Half of the events of a hundredth of the period are 0.5 % of all; 1 % may be bad.
    found = await read_budget(Prometheus(past), slo("old"), time_scale=1, now=END)

    assert isinstance(found, BudgetLeft)
    assert pytest.approx(0.5, abs=0.005) == found.left_ratio
    assert found.history_ratio == 1.0
    assert pytest.approx(10 * 0.5 * PERIOD.total_seconds() / 100, rel=0.01) == found.bad_events
    assert pytest.approx(0.01 * 10 * PERIOD.total_seconds(), rel=0.01) == found.allowed_events


async def test_a_service_of_six_hours_is_known_for_a_twelfth_of_three_days(
    past: str,
) -> None:
    found = await read_budget(Prometheus(past), slo("young"), time_scale=1, now=END)

    assert isinstance(found, BudgetLeft)
    assert pytest.approx(1 / 12, abs=1 / 180) == found.history_ratio


async def test_a_counter_that_nobody_exports_is_unknown(past: str) -> None:
    wrong = replace(slo("old"), good_query="no_such_total", total_query="no_such_total")

    found = await read_budget(Prometheus(past), wrong, time_scale=1, now=END)

    assert BudgetUnknown("old", "Prometheus holds no events of it") == found


async def test_production_is_refused_below_the_line_and_where_history_is_missing(
    past: str,
) -> None:
    programme = Programme.model_validate(
        {
            "metadata": {"name": "p"},
            "spec": {
                "errorBudgetLeftAbove": "60%",
                "targets": {"kubernetes": {"production": True, "approvers": ["sre-lead"]}},
            },
        }
    )
    start = Start("kubernetes", (), END, "sre-lead")

    found = await ask(
        programme, start, [slo("old"), slo("young")], counted=Counted(Prometheus(past), 1)
    )

    assert [Ground.BUDGET, Ground.BUDGET] == [refusal.ground for refusal in found.refusals]
    assert "is left, 60 % must be" in str(found.refusals[0])
    assert "of 3d, 90 % must be known" in str(found.refusals[1])
