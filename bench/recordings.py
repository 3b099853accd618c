"""Whole drills on the sandbox, each kept with all that its instruments showed, second by second.

A recording is read again and again, by today's code and by tomorrow's: what a reading says at any
moment is found without playing the drill anew.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from target import KEPT, Target, commit

from gameday.diagnosis.conventions import DEFAULT
from gameday.drivers.jaeger import JaegerTraces
from gameday.drivers.prometheus.server import Prometheus
from gameday.http.keys import auth_for
from gameday.model.page import Page
from gameday.model.signals import Series, Trace
from scoring.timeline import Kind

FOLDER = KEPT / "reading"
SECOND = timedelta(seconds=1)
SHORT = timedelta(seconds=5)
AFTERWARDS = 35.0
"""Seconds that a person's drill goes on after what was done last: long enough to be misread."""

EU, US = "eu-west", "us-east"


@dataclass(frozen=True)
class Act:
    """What the responder does, and how many seconds after the page."""

    after: float
    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Drill:
    """One drill: what is done to the shop, by whom it is answered, and what is true of it.

    Attributes:
        regions: where users suffer.
        service, downstream: the hop at fault.
        acts: what a person does; empty: the bot answers.
        history: seconds of calm that are there before the run begins.
        earlier: a fault that comes and goes before; it burns too little to page.
        change: kind of the bad change that goes live; the fault is then that deploy.
    """

    name: str
    regions: tuple[str, ...]
    service: str
    downstream: str | None
    fault: Mapping[str, Any]
    acts: tuple[Act, ...] = ()
    history: float = 0.0
    earlier: Mapping[str, Any] | None = None
    change: str = ""


@dataclass(frozen=True)
class Recording:
    """One drill as it was, and what its instruments showed.

    Attributes:
        began: when its fault went in; ended: when the run was over.
        acted: when the first mitigation was done; None: never.
        series: of every expression of the dashboard, a sample a second.
        traces: of the paged service, oldest first.
        commit: what it was played on.
    """

    drill: Drill
    run: str
    page: Page
    began: datetime
    ended: datetime
    acted: datetime | None
    series: Mapping[str, Sequence[Series]]
    traces: Sequence[Trace]
    commit: str


def slow(service: str, downstream: str, latency: int, where: Sequence[str]) -> dict[str, Any]:
    """Return a fault that delays answers."""
    with_ = {"service": service, "downstream": downstream, "latency": f"{latency}ms"}
    return {"experiment": "slow-downstream", "with": with_ | {"regions": ",".join(where)}}


def broken(service: str, downstream: str, mode: str, where: Sequence[str]) -> dict[str, Any]:
    """Return a fault that loses answers."""
    with_ = {"service": service, "downstream": downstream, "mode": mode}
    return {"experiment": "broken-downstream", "with": with_ | {"regions": ",".join(where)}}


def drain(after: float, region: str) -> Act:
    """Return that a region is drained."""
    return Act(after, "drain-region", {"region": region})


def failover(after: float, region: str = "") -> Act:
    """Return that a region's stock, or everybody's, is read from the standby."""
    return Act(after, "failover-db", {"region": region} if region else {})


DB = ("inventory", "db")
DRILLS = (
    Drill("slow database, the bot", (EU,), *DB, slow(*DB, 400, [EU])),
    Drill("healthy region drained", (EU,), *DB, slow(*DB, 450, [EU]), (drain(6, US),), 60),
    Drill(
        "sick region drained at once",
        (US,),
        *("checkout", "inventory"),
        slow("checkout", "inventory", 600, [US]),
        (drain(3, US),),
    ),
    Drill(
        "healthy drained, then failed over",
        (US,),
        *DB,
        slow(*DB, 350, [US]),
        (drain(5, EU), failover(40, US)),
    ),
    Drill("both regions, the bot", (EU, US), *DB, slow(*DB, 500, [EU, US])),
    Drill("both regions, one drained", (EU, US), *DB, slow(*DB, 500, [EU, US]), (drain(8, EU),)),
    Drill("late", (EU,), *DB, slow(*DB, 1500, [EU]), (failover(60, EU),), 60),
    Drill(
        "failover that cannot help",
        (US,),
        *("storefront", "checkout"),
        slow("storefront", "checkout", 500, [US]),
        (failover(5, US), drain(45, US)),
    ),
    Drill(
        "answers lost, healthy drained",
        (EU,),
        *("checkout", "inventory"),
        broken("checkout", "inventory", "reset", [EU]),
        (drain(5, US),),
    ),
    Drill(
        "hop down, drained",
        (US,),
        *("storefront", "checkout"),
        broken("storefront", "checkout", "down", [US]),
        (drain(10, US),),
    ),
    Drill("a deploy waits, the bot", (EU, US), "checkout", None, {}, change="wait"),
    Drill(
        "a deploy works too hard, rolled back late",
        (EU, US),
        *("inventory", None),
        {},
        (Act(45, "rollback-deploy", {"service": "inventory"}),),
        change="compute",
    ),
    Drill(
        "another region's trouble before",
        (EU,),
        *DB,
        slow(*DB, 400, [EU]),
        (failover(30, EU),),
        60,
        earlier={**slow(*DB, 600, [US]), "duration": "5s"},
    ),
    Drill(
        "healthy drained after a restart",
        (US,),
        *DB,
        slow(*DB, 700, [US]),
        (drain(4, EU), failover(35, US)),
        60,
        earlier={
            "experiment": "kill-service",
            "with": {"service": "checkout", "region": EU},
            "duration": "5s",
        },
    ),
)


def kept(drill: Drill) -> Path:
    """Return where the recording of a drill is."""
    return FOLDER / f"{drill.name.replace(' ', '-').replace(',', '')}.pickle"


def recorded(drill: Drill) -> Recording | None:
    """Return the recording of a drill; None where it is not there, or of another drill."""
    try:
        found = pickle.loads(kept(drill).read_bytes())
    except OSError:
        return None
    return found if isinstance(found, Recording) and found.drill == drill else None


def play(target: Target, drill: Drill) -> Recording:
    """Play a drill, and keep and return its recording."""
    done = target.gameday("sandbox", "reset", "--history")
    if done.returncode:
        raise SystemExit(f"the sandbox cannot be reset: {done.stderr}")
    time.sleep(drill.history)
    path = target.folder / "drill.yaml"
    path.write_text(yaml.safe_dump(_scenario(target, drill), sort_keys=False))
    known = {note.name for note in _notes(target)}
    with target.start("run", str(path), "--json") as process:
        acting = threading.Thread(target=_act, args=(target, drill, known, process.poll))
        acting.start()
        _, said = process.communicate()
        acting.join()
    shown = target.gameday("show", "last", "--json")
    if shown.returncode:
        raise SystemExit(f"{drill.name}: {said}")
    recording = asyncio.run(_record(target, drill, json.loads(shown.stdout)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept(drill).write_bytes(pickle.dumps(recording))
    return recording


def _notes(target: Target) -> list[Path]:
    return list((target.folder / "state" / "incidents").glob("*.json"))


def _act(target: Target, drill: Drill, known: set[str], ended: Any) -> None:
    """Do what the drill's person does, counted from when the page is there."""
    if not drill.acts:
        return
    note: Path | None = None
    while ended() is None:
        note = note or next((n for n in _notes(target) if n.name not in known), None)
        if note is not None and _is_paged(target, note.stem):
            break
        time.sleep(0.2)
    paged = time.monotonic()
    for act in drill.acts:
        while ended() is None and time.monotonic() - paged < act.after:
            time.sleep(0.1)
        if note is not None and ended() is None:
            target.mitigate(note.stem, act.name, **act.parameters)
    while ended() is None and time.monotonic() - paged < drill.acts[-1].after + AFTERWARDS:
        time.sleep(0.2)
    if note is not None and ended() is None:
        target.gameday("abort", note.stem)


def _is_paged(target: Target, run: str) -> bool:
    shown = target.gameday("show", run, "--json")
    return '"page.delivered"' in shown.stdout


def _scenario(target: Target, drill: Drill) -> dict[str, Any]:
    fault = dict(drill.fault)
    if drill.change:
        control = target.state["control_url"]
        asked = {"service": drill.service, "seed": 3, "kind": drill.change}
        answer = httpx.post(f"{control}/changes", json=asked, auth=auth_for(control), timeout=30)
        revision = answer.raise_for_status().json()["revision"]
        fault = {
            "experiment": "deploy-change",
            "with": {"service": drill.service, "revision": revision},
        }
    faults = [{"at": "25s" if drill.earlier else "0s", "duration": "4m", **fault}]
    if drill.earlier:
        faults.insert(0, {"at": "0s", **drill.earlier})
    return {
        "apiVersion": "gameday/v1",
        "kind": "Scenario",
        "metadata": {"name": "reading", "title": drill.name, "severity": "SEV-3"},
        "spec": {
            "target": "sandbox",
            "regions": list(drill.regions),
            "slo": "checkout-latency",
            "steadyState": {"for": "8s", "burnRateBelow": 1, "within": "90s"},
            "faults": faults,
            "expect": {"errorRatio": len(drill.regions) / 2},
            "responder": "human" if drill.acts else "bot",
            "runbook": "runbooks/checkout-latency.md",
        },
    }


async def _record(target: Target, drill: Drill, shown: Mapping[str, Any]) -> Recording:
    facts = shown["facts"]

    def at(kind: Kind) -> list[datetime]:
        return [datetime.fromisoformat(f["happened_at"]) for f in facts if f["kind"] == kind]

    delivered = next((f for f in facts if f["kind"] == Kind.PAGE_DELIVERED), None)
    if delivered is None:
        raise SystemExit(f"{drill.name}: run {shown['run']} paged nobody; play it once more")
    page = Page.model_validate(delivered["data"]["page"])
    ended = max(at(Kind.RUN_ENDED))
    window = page.burn_until - page.burn_from
    since = page.burn_from - 2 * window
    metrics = Prometheus(target.state["prometheus_url"])
    asked = DEFAULT.of(page.service, window=SHORT).values()
    sharper = [e.replace("histogram_quantile(0.9,", "histogram_quantile(0.99,") for e in asked]
    series = {
        expression: await metrics.range(expression, since=since, until=ended, step=SECOND)
        for expression in dict.fromkeys([*asked, *sharper])
    }
    store = JaegerTraces(target.state["store_url"])
    found: dict[str, Trace] = {}
    begin = since
    while begin < ended:
        for trace in await store.search(
            service=page.service, since=begin, until=begin + SHORT, limit=400
        ):
            found[trace.trace_id] = trace
        begin += SHORT
    return Recording(
        replace(drill),
        shown["run"],
        page,
        max(at(Kind.FAULT_INJECTED)),
        ended,
        min(at(Kind.MITIGATION_APPLIED), default=None),
        series,
        sorted(found.values(), key=lambda t: t.root().started_at),
        commit(),
    )
