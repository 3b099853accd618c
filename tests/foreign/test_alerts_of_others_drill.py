"""A whole drill on the strangers' system for each who writes burn-rate alerts, as they write them.

Nothing of the rules is repeated in the SLO: windows and thresholds are those in force.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import alerts_of_others as others
import foreign_site
import httpx
import pytest
import real_programs

pytestmark = [pytest.mark.row, pytest.mark.xdist_group("foreign")]

SCALE = 60

OVER_WITHIN = 240.0
"""Seconds until somebody can answer, and for the whole drill once more."""

FILES = {
    "systems/pages.yaml": """
        apiVersion: gameday/v1
        kind: System
        metadata: {{name: pages}}
        spec:
          disposable: true
          timeScale: {scale}
          metrics: {{prometheus: {{url: "{prometheus}"}}}}
          alerts: {{rules: {rules}}}
          pages: {{alertmanager: {{url: "{alertmanager}"}}}}
          red: {{preset: haproxy}}
          mitigations:
            - name: take-out
              command: {{run: [{python}, "{server}", out, "{{server}}"], within: 10s}}
              undo: {{run: [{python}, "{server}", in, "{{server}}"], within: 10s}}
        """,
    "slos/pages-served.yaml": """
        apiVersion: openslo/v1
        kind: SLO
        metadata: {{name: pages-served}}
        spec:
          service: pages
          indicator:
            metadata: {{name: served}}
            spec:
              ratioMetric:
                counter: true
                bad: {{metricSource: {{type: Prometheus, spec: {{query: '{bad}'}}}}}}
                total: {{metricSource: {{type: Prometheus, spec: {{query: '{total}'}}}}}}
          timeWindow: [{{duration: 30d, isRolling: true}}]
          budgetingMethod: Occurrences
          objectives: [{{target: {objective}}}]
        """,
    "experiments/hang.yaml": """
        title: A web server hangs
        description: It takes connections and answers none, as one that waits for a disk does.
        configuration: {{group: ""}}
        method:
          - type: action
            name: stop-the-server
            provider: {{type: process, path: kill, arguments: ["-STOP", "--", "-${{group}}"]}}
        rollbacks:
          - type: action
            name: let-it-go-on
            provider: {{type: process, path: kill, arguments: ["-CONT", "--", "-${{group}}"]}}
        """,
    "runbooks/pages-served.md": """
        ---
        alert: PagesFailing
        service: pages
        owner: web
        reviewed: 2026-11-01
        review_every: 90d
        ---

        # PagesFailing

        ## Meaning

        Visitors get errors.

        ## First checks

        1. **which-server**: See in HAProxy which of the two servers fails.

        ## Likely causes

        - **one-hangs**: one of the two servers does not answer → take-out

        ## Fixes

        - **take-out**: Take the server out: `gameday mitigate take-out server=one`.
        """,
    "scenarios/hang.yaml": """
        apiVersion: gameday/v1
        kind: Scenario
        metadata: {{name: hang, title: One of two web servers hangs, severity: SEV-2}}
        spec:
          system: pages
          slo: pages-served
          steadyState: {{for: 5s, burnRateBelow: 1, within: 90s}}
          faults: [{{experiment: hang, with: {{group: "{group}"}}, duration: 5m}}]
          expect: {{errorRatio: 50%, mitigation: [take-out]}}
          responder: human
          runbook: runbooks/pages-served.md
        """,
}
"""What the owner of the system adds: the SLO states no windows, and no alert is named."""


def written(folder: Path, author: str) -> str:
    if author == "sloth":
        return others.sloth(real_programs.program("sloth"), folder, SCALE)
    if author == "unreadable":
        return others.unreadable(SCALE)
    return others.WRITTEN[author](SCALE)


def described(site: foreign_site.Site, rules: str) -> None:
    """Write what its owner adds for a drill."""
    told = httpx.get(f"{site.prometheus}/api/v1/alertmanagers", trust_env=False).json()
    alertmanager = told["data"]["activeAlertmanagers"][0]["url"].removesuffix("/api/v2/alerts")
    places = {
        "scale": SCALE,
        "rules": rules,
        "prometheus": site.prometheus,
        "alertmanager": alertmanager,
        "server": site.server,
        "python": sys.executable,
        "group": site.web["one"],
        "bad": others.BAD,
        "total": others.TOTAL,
        "objective": others.OBJECTIVE,
    }
    for name, text in FILES.items():
        path = site.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip().format(**places), encoding="utf-8")


def gameday(site: foreign_site.Site, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gameday", *words],
        cwd=site.folder,
        env=os.environ | {"GAMEDAY_STATE": str(site.folder / "state")},
        capture_output=True,
        text=True,
        timeout=OVER_WITHIN,
        check=False,
    )


def answered(site: foreign_site.Site, run: subprocess.Popen[bytes]) -> None:
    """Answer the page as a person does who knows the system: by the runbook."""
    deadline = time.monotonic() + OVER_WITHIN
    while (said := gameday(site, "incident", "ack")).returncode:
        assert run.poll() is None, (site.folder / "run.err").read_text()
        assert time.monotonic() < deadline, said.stderr
        time.sleep(1)
    found = "--set", "mitigation=take-out"
    gameday(site, "incident", "finding", "red", "errors moved", "--set", "moved=errors")
    gameday(site, "incident", "finding", "mitigate", "one of two hangs: take it out", *found)
    gameday(site, "mitigate", "take-out", "server=one")


def drilled(tmp_path: Path, author: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return what a drill's plan, its result and its talk say."""
    lacking = foreign_site.missing()
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"
    folder.mkdir()
    with foreign_site.running(folder, alerts=written(folder, author)) as site:
        described(site, "workbook" if author == "unreadable" else author)
        planned = gameday(site, "plan", "hang", "--json")
        assert not planned.returncode, planned.stderr
        out, err = folder / "run.json", folder / "run.err"
        with out.open("w") as told, err.open("w") as said:
            run = subprocess.Popen(
                [sys.executable, "-m", "gameday", "run", "hang", "--yes", "--json"],
                cwd=folder,
                env=os.environ | {"GAMEDAY_STATE": str(folder / "state")},
                stdout=told,
                stderr=said,
            )
            answered(site, run)
            run.wait(OVER_WITHIN)
        return json.loads(planned.stdout), json.loads(out.read_text()), err.read_text()


@pytest.mark.parametrize("author", ["sloth", "pyrra", "workbook"])
def test_an_alert_of_others_fires_when_its_own_rule_says(
    tmp_path: Path, monitoring: None, author: str
) -> None:
    planned, result, words = drilled(tmp_path, author)

    detection = result["detection"]
    print(
        f"{author}: fired after {detection['seconds']:.1f} s, predicted"
        f" {detection['predicted_seconds']:.1f} s, ratio {detection['ratio']:.2f};"
        f" planned {planned['predicted_seconds']:.1f} s"
    )
    assert ("passed", "") == (result["verdict"], result["reason"]), words
    assert 0.8 <= detection["ratio"] <= 1.5
    assert "met" == result["phases"]["recovered"]["verdict"]
    pages = [b for b in planned["branches"] if b["severity"] == "page"]
    assert [("1h", "5m"), ("6h", "30m")] == [(b["long"], b["short"]) for b in pages]


def test_an_alert_that_cannot_be_read_is_timed_and_not_judged(
    tmp_path: Path, monitoring: None
) -> None:
    planned, result, words = drilled(tmp_path, "unreadable")

    reason = "sgn(…) is not followed"
    detection = result["detection"]
    assert reason in planned["unpredicted"]
    assert planned["predicted_seconds"] is None
    assert detection["seconds"] > 0, words
    assert (None, "unknown") == (detection["predicted_seconds"], detection["verdict"])
    assert reason in detection["reason"]
    assert "failed" != result["verdict"] and "passed" != result["verdict"]
