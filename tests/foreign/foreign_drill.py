"""A whole drill on the strangers' system: what its owner writes for it, and how it is played.

One of two web servers hangs, which is a plain Chaos Toolkit experiment; taking it out of HAProxy,
a command of the owner's, is the mitigation. Nothing of the alert's rules is repeated in the SLO:
windows and thresholds are those in force.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from typing import Any, Literal

import alerts_of_others as others
import foreign_site
import psutil

SCALE = 60

OVER_WITHIN = 240.0
"""Seconds until somebody can answer, and for the whole drill once more."""

HANG = """
title: A web server hangs
description: It takes connections and answers none, as one that waits for a disk does.
configuration: {group: ""}
method:
  - type: action
    name: stop-the-server
    provider: {type: process, path: kill, arguments: ["-STOP", "--", "-${group}"]}
rollbacks:
  - type: action
    name: let-it-go-on
    provider: {type: process, path: kill, arguments: ["-CONT", "--", "-${group}"]}
"""

FILES = {
    "systems/pages.yaml": """
        apiVersion: gameday/v1
        kind: System
        metadata: {{name: pages}}
        spec:
          disposable: true
          timeScale: {scale}
          metrics: {{prometheus: {prometheus}}}
          alerts: {{rules: {rules}}}
          pages: {pages}
          red: {red}
          mitigations:
            - {{name: take-out, {takes_out}}}
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

        1. **which-server**: See in the traces, or in HAProxy, which of the two servers fails.

        ## Likely causes

        - **one-hangs**: one of the two does not answer (service: pages, downstream: any) → take-out
        - **one-fails**: one of the two fails by its own count (service: any) → take-it-out

        ## Fixes

        - **take-out**: Take the server out: `gameday mitigate take-out server={{downstream}}`.
        - **take-it-out**: Take it out itself: `gameday mitigate take-out server={{service}}`.
        """,
    "scenarios/hang.yaml": """
        apiVersion: gameday/v1
        kind: Scenario
        metadata: {{name: hang, title: One of two web servers hangs, severity: SEV-2}}
        spec:
          system: pages
          slo: pages-served
          steadyState: {{for: 5s, burnRateBelow: 1, within: 90s}}
          faults: [{{experiment: {experiment}, with: {given}, duration: 5m}}]
          expect: {{errorRatio: 50%, mitigation: [take-out]{culprit}}}
          responder: {responder}
          runbook: runbooks/pages-served.md
        """,
}
"""What the owner of the system adds: the SLO states no windows, and no alert is named."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What the owner of a site writes otherwise.

    Attributes:
        rules: whose alerts they are, as the system's file says.
        prometheus: where metrics are asked for, in YAML; empty: of the site's Prometheus.
        pages: where pages come from, in YAML; empty: the site's Alertmanager is asked.
        red: how RED is read, in YAML.
        more: further lines of the system's file, below `spec`.
        responder: who answers the page.
        culprit: whom the scenario expects to be found, in YAML; empty: it does not say.
        experiment: the fault's name; its text, empty for one of ours; what the scenario gives it,
            in YAML. None: a web server hangs.
        mitigates: by what a server is taken out of HAProxy.
    """

    rules: str = "workbook"
    prometheus: str = ""
    pages: str = ""
    red: str = "{preset: haproxy}"
    more: str = ""
    responder: str = "human"
    culprit: str = ""
    experiment: tuple[str, str, str] | None = None
    mitigates: Literal["command", "chaostoolkit"] = "command"


def _takes_out(site: foreign_site.Site, by: str) -> dict[str, Any]:
    """Return how a server is taken out of HAProxy, and put back in, as the system's file says."""

    def done(word: str) -> dict[str, Any]:
        own = [str(site.server), word, "{server}"]
        if by == "command":
            return {"run": [sys.executable, *own], "within": "10s"}
        provider = {"type": "process", "path": sys.executable, "arguments": own}
        return {"type": "action", "name": f"put it {word}", "provider": provider}

    return {by: done("out"), "undo": done("in")}


def described(site: foreign_site.Site, owner: Owner) -> None:
    """Write what its owner adds for a drill."""
    hang = ("hang", HANG, json.dumps({"group": str(site.web["one"])}))
    name, experiment, given = owner.experiment or hang
    places = {
        "scale": SCALE,
        "rules": owner.rules,
        "prometheus": owner.prometheus or f'{{url: "{site.prometheus}"}}',
        "pages": owner.pages or f'{{alertmanager: {{url: "{site.alertmanager}"}}}}',
        "takes_out": json.dumps(_takes_out(site, owner.mitigates))[1:-1],
        "bad": others.BAD,
        "total": others.TOTAL,
        "objective": others.OBJECTIVE,
        "experiment": name,
        "given": given,
        "culprit": f", culprit: {owner.culprit}" if owner.culprit else "",
        "responder": owner.responder,
        "red": owner.red,
    }
    texts = {f: textwrap.dedent(text).format(**places) for f, text in FILES.items()}
    texts["systems/pages.yaml"] += textwrap.indent(textwrap.dedent(owner.more).strip(), "  ") + "\n"
    if experiment:
        texts[f"experiments/{name}.yaml"] = experiment
    for file, text in texts.items():
        path = site.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.lstrip(), encoding="utf-8")


def gameday(site: foreign_site.Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Return what a command line of ours does in the owner's folder."""
    return subprocess.run(
        [sys.executable, "-m", "gameday", *words],
        cwd=site.folder,
        env=environment(site),
        capture_output=True,
        text=True,
        timeout=OVER_WITHIN,
        check=False,
    )


def environment(site: foreign_site.Site) -> dict[str, str]:
    """Return what our command line sees of the environment."""
    return os.environ | {"GAMEDAY_STATE": str(site.folder / "state")}


@dataclass(frozen=True, slots=True)
class Played:
    """A drill that is over.

    Attributes:
        planned: what `gameday plan` had said; result: what the run printed; words: its talk.
    """

    planned: dict[str, Any]
    result: dict[str, Any]
    words: str

    @property
    def ratio(self) -> float:
        """How long the alert took, by how long it had to."""
        return float(self.result["detection"]["ratio"])

    def told(self, name: str) -> str:
        """Return how the alert was in time, in a line for people."""
        detection = self.result["detection"]
        return (
            f"{name}: fired after {detection['seconds']:.1f} s, predicted"
            f" {detection['predicted_seconds']:.1f} s, ratio {detection['ratio']:.2f};"
            f" planned {self.planned['predicted_seconds']:.1f} s"
        )


def played(site: foreign_site.Site, *, answers: bool = True) -> Played:
    """Play the drill to its end.

    Args:
        answers: whether a person answers the page, by the runbook.
    """
    planned = gameday(site, "plan", "hang", "--json")
    assert not planned.returncode, planned.stderr
    out, err = site.folder / "run.json", site.folder / "run.err"
    with out.open("w") as told, err.open("w") as said:
        run = subprocess.Popen(
            [sys.executable, "-m", "gameday", "run", "hang", "--yes", "--json"],
            cwd=site.folder,
            env=environment(site),
            stdout=told,
            stderr=said,
        )
        if answers:
            _answered(site, run)
        run.wait(OVER_WITHIN)
    assert out.read_text(), err.read_text()
    return Played(json.loads(planned.stdout), json.loads(out.read_text()), err.read_text())


def _answered(site: foreign_site.Site, run: subprocess.Popen[bytes]) -> None:
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


def is_stopped(site: foreign_site.Site, name: str) -> bool:
    """Return whether a web server hangs: some process of it is stopped."""
    leader = psutil.Process(site.web[name])
    return any(p.status() == psutil.STATUS_STOPPED for p in (leader, *leader.children(True)))
