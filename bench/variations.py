"""Is the bot right about things nobody tuned it for?

Every row is a real run on the real sandbox: `gameday run` on a scenario written for the occasion,
its parameters drawn by the row's seed, from an empty history. Rows are kept as they are finished,
so a table that was stopped goes on where it was; a row counts only for the code it was run on.

    python bench/variations.py [--seeds 3] [--only NAME] [--minutes 28] [--workers 1] [--fresh]
                               [--write docs/measured/variations.md]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from target import KEPT, REPOSITORY, Target

from gameday.http.keys import auth_for

REGIONS = ("eu-west", "us-east")
SERVICES = ("storefront", "checkout", "inventory")


@dataclass(frozen=True)
class Drawn:
    """One row's scenario: its faults, what is true, and what should be seen."""

    faults: list[dict[str, Any]]
    regions: list[str]
    culprit: dict[str, Any]
    mitigations: list[str]
    error_ratio: float
    silent: bool = False
    told: str = ""


Draw = Callable[[random.Random, "Sandbox"], Drawn]


class Sandbox(Target):
    """A worker's sandbox."""

    def __init__(self, number: int) -> None:
        super().__init__(f"worker-{number}")

    def reset(self) -> None:
        """Put the shop back and forget all telemetry: a cold start."""
        done = self.gameday("sandbox", "reset", "--history")
        if done.returncode:
            sys.exit(f"the sandbox cannot be reset: {done.stderr}")

    def change(self, service: str, seed: int, kind: str) -> dict[str, Any]:
        """Have a commit made and return it; nothing is deployed yet."""
        answer = httpx.post(
            f"{self.state['control_url']}/changes",
            json={"service": service, "seed": seed, "kind": kind},
            auth=auth_for(self.state["control_url"]),
            timeout=30,
        )
        answer.raise_for_status()
        return dict(answer.json())

    def deploy(self, service: str, revision: str) -> None:
        """Let a revision go live in every region."""
        httpx.post(
            f"{self.state['control_url']}/deploys",
            json={"service": service, "revision": revision},
            auth=auth_for(self.state["control_url"]),
            timeout=60,
        ).raise_for_status()


def latency(draw: random.Random) -> str:
    return f"{draw.randint(150, 2000)}ms"


def slow(service: str, downstream: str, regions: int | str = 1, jitter: bool = False) -> Draw:
    def drawn(draw: random.Random, _sandbox: Sandbox) -> Drawn:
        where = [regions] if isinstance(regions, str) else sorted(draw.sample(REGIONS, regions))
        delay = draw.randint(150, 2000)
        with_ = {"service": service, "downstream": downstream, "latency": f"{delay}ms"}
        if jitter:
            with_["jitter"] = f"{delay // 4}ms"
            with_["latency"] = f"{delay + delay // 4}ms"
        return Drawn(
            [{"experiment": "slow-downstream", "with": with_}],
            where,
            _hop(service, downstream, where),
            _fixes(downstream),
            len(where) / len(REGIONS),
            told=f"{with_['latency']} {'+'.join(where)}",
        )

    return drawn


def broken(service: str, downstream: str, *modes: str) -> Draw:
    def drawn(draw: random.Random, _sandbox: Sandbox) -> Drawn:
        where, mode = [draw.choice(REGIONS)], draw.choice(modes)
        with_ = {"service": service, "downstream": downstream, "mode": mode}
        return Drawn(
            [{"experiment": "broken-downstream", "with": with_}],
            where,
            _hop(service, downstream, where),
            _fixes(downstream),
            0.5,
            told=f"{mode} {where[0]}",
        )

    return drawn


def deployed(kind: str, *services: str) -> Draw:
    def drawn(draw: random.Random, sandbox: Sandbox) -> Drawn:
        service = draw.choice(services)
        change = sandbox.change(service, draw.randint(1, 10_000), kind)
        return Drawn(
            [
                {
                    "experiment": "deploy-change",
                    "with": {"service": service, "revision": change["revision"]},
                }
            ],
            list(REGIONS),
            {"service": service, "function": change["function"], "commit": change["revision"]},
            ["rollback-deploy"],
            0.25 if kind == "compute" else 0.5,
            told=f"{service}.{change['function']} {change['revision'][:7]}",
        )

    return drawn


def decoy(draw: random.Random, sandbox: Sandbox) -> Drawn:
    """A harmless deploy of the same service shortly before: it must not be accused."""
    change = sandbox.change("inventory", draw.randint(1, 10_000), "harmless")
    sandbox.deploy("inventory", change["revision"])
    made = slow("inventory", "db")(draw, sandbox)
    return Drawn(
        made.faults,
        made.regions,
        made.culprit,
        made.mitigations,
        made.error_ratio,
        told=f"{made.told}, decoy {change['revision'][:7]}",
    )


def below_threshold(draw: random.Random, _sandbox: Sandbox) -> Drawn:
    """Slower, and still within the SLO's 100 ms: nothing may fire."""
    where, delay = [draw.choice(REGIONS)], draw.randint(10, 30)
    with_ = {"service": "inventory", "downstream": "db", "latency": f"{delay}ms"}
    fault = {"experiment": "slow-downstream", "with": with_, "duration": "45s"}
    return Drawn([fault], where, {}, [], 0.0, silent=True, told=f"{delay}ms {where[0]}")


def rarely(draw: random.Random, _sandbox: Sandbox) -> Drawn:
    """So few requests are hit that the budget burns slower than any page branch."""
    where = [draw.choice(REGIONS)]
    share = round(draw.uniform(0.01, 0.04), 3)
    with_ = {
        "service": "checkout",
        "downstream": "inventory",
        "latency": latency(draw),
        "toxicity": share,
    }
    fault = {"experiment": "slow-downstream", "with": with_, "duration": "45s"}
    return Drawn([fault], where, {}, [], share / 2, silent=True, told=f"{share:.1%} of {where[0]}")


def _hop(service: str, downstream: str, where: list[str]) -> dict[str, Any]:
    culprit: dict[str, Any] = {"service": service, "downstream": downstream}
    if len(where) == 1:
        culprit["region"] = where[0]
    return culprit


def _fixes(downstream: str) -> list[str]:
    return ["failover-db"] if downstream == "db" else ["drain-region"]


VARIATIONS: dict[str, Draw] = {
    "db slow, eu-west": slow("inventory", "db", "eu-west"),
    "db slow, us-east": slow("inventory", "db", "us-east"),
    "db slow, both regions": slow("inventory", "db", 2),
    "db slow, with jitter": slow("inventory", "db", jitter=True),
    "inventory hop slow": slow("checkout", "inventory"),
    "checkout hop slow": slow("storefront", "checkout"),
    "db answers lost": broken("inventory", "db", "reset", "timeout", "down"),
    "inventory answers lost": broken("checkout", "inventory", "reset", "timeout", "down"),
    "checkout answers lost": broken("storefront", "checkout", "reset", "timeout", "down"),
    "deploy burns CPU, storefront": deployed("compute", "storefront"),
    "deploy burns CPU, checkout": deployed("compute", "checkout"),
    "deploy burns CPU, inventory": deployed("compute", "inventory"),
    "deploy waits": deployed("wait", *SERVICES),
    "db slow after a harmless deploy": decoy,
    "silent: within the threshold": below_threshold,
    "silent: too few requests": rarely,
}


def scenario(name: str, drawn: Drawn) -> dict[str, Any]:
    """Return the scenario file of one row."""
    expect: dict[str, Any] = {"errorRatio": drawn.error_ratio, "mitigation": drawn.mitigations}
    if drawn.silent:
        expect["alert"] = "none"
    else:
        expect["culprit"] = drawn.culprit
    return {
        "apiVersion": "gameday/v1",
        "kind": "Scenario",
        "metadata": {"name": "variation", "title": name, "severity": "SEV-3"},
        "spec": {
            "target": "sandbox",
            "regions": drawn.regions,
            "slo": "checkout-latency",
            "steadyState": {"for": "8s", "burnRateBelow": 1, "within": "90s"},
            "faults": [{"at": "0s", "duration": "4m", **fault} for fault in drawn.faults],
            "expect": expect,
            "runbook": "runbooks/checkout-latency.md",
        },
    }


def play(name: str, seed: int, sandbox: Sandbox) -> dict[str, Any]:
    """Play one row and return it."""
    sandbox.reset()
    drawn = VARIATIONS[name](random.Random(f"{name}/{seed}"), sandbox)
    path = sandbox.folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(scenario(name, drawn), sort_keys=False))
    started = time.monotonic()
    ran = sandbox.gameday("run", str(path), "--json")
    row: dict[str, Any] = {
        "variation": name,
        "seed": seed,
        "drawn": drawn.told,
        "silent": drawn.silent,
        "exit": ran.returncode,
        "seconds": round(time.monotonic() - started, 1),
    }
    try:
        result = json.loads(ran.stdout)
    except ValueError:
        return {**row, "right": False, "found": ran.stderr.strip().splitlines()[-1:]}
    row["run"] = result["run"]
    row["verdict"] = result["verdict"]
    row["detection"] = result.get("detection", {})
    if drawn.silent:
        fired = row["detection"].get("fired_at")
        return {**row, "right": fired is None, "found": "silence" if fired is None else "a page"}
    steps = {s["step"]: s for s in result.get("funnel", [])}
    row["found"] = (
        (steps.get("trace", {}).get("finding") or {}).get("summary", "nothing")
        if (isinstance(steps.get("trace", {}).get("finding"), dict))
        else str(steps.get("trace", {}).get("finding"))
    )
    row["steps"] = {name: step.get("verdict") for name, step in steps.items()}
    wanted = ["trace", "blame", "mitigate"] + (["profile"] if "function" in drawn.culprit else [])
    row["right"] = all(row["steps"].get(step) == "met" for step in wanted)
    row["recovered"] = result["phases"].get("recovered", {}).get("verdict")
    return row


CODE = ("gameday", "scoring", "experiments", "runbooks", "slos", "bench/variations.py")


def git(*arguments: str) -> str:
    """Return what git says in this repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=REPOSITORY)
    return done.stdout.strip()


def code() -> str:
    """Return a name for the code that decides a row; a change of the documents keeps it."""
    trees = git("rev-parse", *(f"HEAD:{path}" for path in CODE))
    edits = git("diff", "HEAD", "--", *CODE)
    return hashlib.sha256(f"{trees}{edits}".encode()).hexdigest()[:12]


def commit() -> str:
    """Return the commit that is checked out, marked where the code differs from it."""
    edits = git("diff", "HEAD", "--name-only", "--", *CODE)
    return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if edits else "")


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows and their totals as Markdown."""
    lines = [
        "| variation | seed | drawn | culprit right | detection ratio | recovered | verdict | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = row.get("detection", {}).get("ratio")
        lines.append(
            f"| {row['variation']} | {row['seed']} | {row['drawn']} "
            f"| {'yes' if row['right'] else '**NO**: ' + str(row['found'])} "
            f"| {'—' if ratio is None else f'{ratio:.2f}'} | {row.get('recovered', '—')} "
            f"| {row.get('verdict', 'exit ' + str(row['exit']))} | {row['seconds']:.0f} |"
        )
    loud = [r for r in rows if not r["silent"]]
    silent = [r for r in rows if r["silent"]]
    lines += [
        "",
        f"culprit right: {sum(r['right'] for r in loud)} of {len(loud)}; "
        f"silent as expected: {sum(r['right'] for r in silent)} of {len(silent)}",
    ]
    return "\n".join(lines)


def main() -> int:
    """Play what is missing, print the table; 0: all right, 1: not, 3: rows are still missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="one variation by its name, or its beginning")
    parser.add_argument("--minutes", type=float, default=28, help="stop before this; go on later")
    parser.add_argument("--workers", type=int, default=1, help="sandboxes at a time")
    parser.add_argument("--fresh", action="store_true", help="forget the rows played before")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()

    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / "variations.jsonl"
    if options.fresh:
        kept.unlink(missing_ok=True)
    now = code()
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    rows = [r for r in rows if r["code"] == now]
    wanted = [
        (name, seed)
        for seed in range(1, options.seeds + 1)
        for name in VARIATIONS
        if name.startswith(options.only or "")
    ]
    done = {(r["variation"], r["seed"]) for r in rows}
    deadline = time.monotonic() + options.minutes * 60
    waiting = [key for key in wanted if key not in done]
    lock = threading.Lock()

    def work(number: int) -> None:
        sandbox: Sandbox | None = None
        while True:
            with lock:
                if not waiting or time.monotonic() > deadline - 120:
                    break
                name, seed = waiting.pop(0)
            sandbox = sandbox or Sandbox(number)
            row = {**play(name, seed, sandbox), "code": now, "commit": commit()}
            word = "right" if row["right"] else f"WRONG ({row['found']}, {row.get('steps')})"
            with lock:
                rows.append(row)
                with kept.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(
                    f"{name} #{seed} [{row['drawn']}]: {word}, {row['seconds']} s",
                    file=sys.stderr,
                    flush=True,
                )
        if sandbox is not None:
            sandbox.down()

    with ThreadPoolExecutor(options.workers) as pool:
        for done_working in [pool.submit(work, n) for n in range(options.workers)]:
            done_working.result()
    order = {key: number for number, key in enumerate(wanted)}
    rows = [r for r in rows if (r["variation"], r["seed"]) in order]
    rows.sort(key=lambda r: (list(VARIATIONS).index(r["variation"]), r["seed"]))
    text = table(rows)
    print(text)
    missing = len(wanted) - len(rows)
    if missing:
        print(f"{missing} rows are still to be played: run this again", file=sys.stderr)
    if options.write:
        command = f"python bench/variations.py --seeds {options.seeds} --workers {options.workers}"
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        options.write.write_text(
            f"# Is the bot right about what nobody tuned it for?\n\n"
            f"Commit {commit()}, {stamp}, `{command}`, "
            f"{len(rows)} of {len(wanted)} rows.\n\n{text}\n"
        )
    if not all(r["right"] for r in rows):
        return 1
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
