"""How fast is a region drained: by our action, by kubectl, by chaostoolkit-kubernetes?

30 simulated nodes in one region with 600 pods, 15 elsewhere that have room for them. Each row is a
whole process, from its start until it ended well; then it is looked whether the nodes are empty,
and everything is put back. The rows of the tools are interleaved.

    python bench/drain.py [--runs 5] [--peer-runs 1] [--only TOOL] [--budgets] [--alone]
                          [--minutes 28] [--fresh] [--keep-nodes] [--write docs/measured/drain.md]

`ours` is `gameday.chaos.regions.drain_region`; `kubectl` is one `kubectl drain` a node, all at the
same time, started again where it gives up (under budgets it does, over a conflict that a second try
solves); `chaosk8s` is chaostoolkit-kubernetes' `drain_nodes` in an environment of its own, played
once unless `--peer-runs` says more often, because it takes six minutes. With `--budgets` six
PodDisruptionBudgets of 10 % each stand in the way, and chaosk8s is left out: it gives up at the
first refusal.

With `--alone` our action drains the same nodes one after another, once. Nodes that are drained at
the same time take as long as the slowest of them, so this tells how much there is to win at all.

Needs ../shared/cluster, whose nodes of this kind only pretend to run containers; skipped without.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from target import KEPT, REPOSITORY

from gameday.drivers.kubernetes import Cluster, connect, draining, pods

INSIDE, OUTSIDE, DEPLOYMENTS, REPLICAS = 30, 15, 6, 100
REGION = "topology.kubernetes.io/region"
HERE = "gd-bench-inside"
NAMESPACE = "gd-faults-bench"
HOLLOW = "kube-fixture/hollow"
PATIENCE_S = 120
PEER = "chaostoolkit-kubernetes==0.39.0"

OURS = f"""
from gameday.chaos.regions import drain_region
print(drain_region(region="{HERE}", mark="gd-bench-1", foreign="leave", within_s=900))
"""
ALONE = """
import sys, time
from gameday.chaos.regions import drain_region
for name in sys.argv[1:]:
    began = time.monotonic()
    at = dict(selector="kubernetes.io/hostname=" + name, mark="gd-bench-1", foreign="leave")
    drain_region(**at, within_s=900)
    print(time.monotonic() - began, flush=True)
"""
CHAOSK8S = f"""
from chaosk8s.node.actions import drain_nodes
print(drain_nodes(label_selector="{REGION}={HERE}", timeout=900))
"""


@dataclass
class Row:
    """One drain.

    Attributes:
        left: pods of ours that were still on the nodes when the tool had ended.
        load: share of both processors in use while it ran, ours and the cluster's together.
        again: how many of its processes gave up and were started again.
    """

    tool: str
    budgets: bool
    number: int
    seconds: float
    left: int
    load: float
    code: str
    again: int = 0


def main() -> int:
    """Play what is missing, print the tables; 0: all right, 1: not, 3: rows are still missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=1, help="how many of those of chaosk8s")
    parser.add_argument("--only", choices=["ours", "kubectl", "chaosk8s"])
    parser.add_argument("--budgets", action="store_true", help="play the rows with budgets")
    parser.add_argument("--alone", action="store_true", help="drain one node after another, once")
    parser.add_argument("--minutes", type=float, default=28, help="stop before this; go on later")
    parser.add_argument("--fresh", action="store_true", help="forget the rows played before")
    parser.add_argument("--keep-nodes", action="store_true", help="leave the simulated nodes up")
    parser.add_argument("--write", type=Path, help="write the tables here")
    options = parser.parse_args()
    if not (tools() / "hollow").exists():
        print(f"skipped: there is no cluster with simulated nodes at {tools()}", file=sys.stderr)
        return 0
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / "drain.jsonl"
    if options.fresh:
        kept.unlink(missing_ok=True)
    here = code()
    lines = kept.read_text().splitlines() if kept.exists() else []
    rows = [r for r in (Row(**json.loads(line)) for line in lines) if r.code == here]
    wanted = keys(options)
    done = {(r.tool, r.budgets, r.number) for r in rows}
    waiting = [key for key in wanted if key not in done]
    if waiting and options.minutes > 0:
        _play_all(waiting, time.monotonic() + options.minutes * 60, rows, kept, options.keep_nodes)
    text = tables(rows)
    print(text)
    if options.write:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        options.write.write_text(
            "# How fast is a region drained?\n\n"
            f"Commit {here}, {stamp}, `python bench/drain.py`. {INSIDE} simulated nodes in one"
            f" region with {DEPLOYMENTS * REPLICAS} pods and {OUTSIDE} elsewhere, on"
            f" {psutil.cpu_count()} processors that carry the control plane and all nodes as well."
            " Whole processes, start included; interleaved. *Processors in use* counts everything"
            " on the machine, also what had nothing to do with it.\n\n"
            f"{text}\n"
        )
    missing = len([k for k in wanted if k not in {(r.tool, r.budgets, r.number) for r in rows}])
    if missing:
        print(f"{missing} rows are still to be played: run this again", file=sys.stderr)
        return 3
    return 0 if is_right(rows) else 1


def keys(options: argparse.Namespace) -> list[tuple[str, bool, int]]:
    """Return tool, budgets and number of every row that was asked for."""
    if options.alone:
        return [("alone", False, number) for number in range(INSIDE)]
    players = ["chaosk8s", "ours", "kubectl"] if not options.budgets else ["ours", "kubectl"]
    return [
        (tool, options.budgets, number)
        for number in range(options.runs)
        for tool in players
        if tool == (options.only or tool) and (tool != "chaosk8s" or number < options.peer_runs)
    ]


def tables(rows: list[Row]) -> str:
    """Return what was measured, as Markdown."""
    parts = []
    for budgets, title in ((False, "Without budgets"), (True, "With budgets of 10 % each")):
        there = [r for r in rows if r.budgets is budgets and r.tool != "alone"]
        if not there:
            continue
        parts.append(f"## {title}\n")
        parts.append(
            "| tool | runs | median s | fastest s | slowest s | left | started again"
            " | processors in use |"
        )
        parts.append("|---|---|---|---|---|---|---|---|")
        for tool in ("ours", "kubectl", "chaosk8s"):
            of = [r for r in there if r.tool == tool]
            if of:
                times = [r.seconds for r in of]
                parts.append(
                    f"| {tool} | {len(of)} | {statistics.median(times):.2f} | {min(times):.2f}"
                    f" | {max(times):.2f} | {sum(r.left for r in of)}"
                    f" | {sum(r.again for r in of)} | {statistics.mean(r.load for r in of):.0%} |"
                )
        for other in ("kubectl", "chaosk8s"):
            found = ratio(there, other)
            if found is not None and other == "kubectl":
                parts.append(f"\nours ÷ kubectl: {found:.2f} (allowed: 1.1)")
            elif found is not None:
                parts.append(f"\nchaosk8s ÷ ours: {1 / found:.1f} (wanted: 20)")
        parts.append("")
    alone = sorted(r.seconds for r in rows if r.tool == "alone")
    if alone:
        *most, slowest = alone
        parts.append("## One node after another, by ours\n")
        parts.append("| nodes | median s | fastest s | slowest but one s | slowest s |")
        parts.append("|---|---|---|---|---|")
        parts.append(
            f"| {len(alone)} | {statistics.median(alone):.2f} | {alone[0]:.2f} | {most[-1]:.2f}"
            f" | {slowest:.2f} |"
        )
        parts.append(
            f"\nBut for the slowest (a kubelet of 1.20 overlooks a pod for a minute now and then),"
            f" all at once could not be more than {sum(most) / most[-1]:.1f} times as fast: the"
            " slowest of them takes as long then as well, and has processors of its own here.\n"
        )
    return "\n".join(parts)


def ratio(rows: list[Row], other: str) -> float | None:
    """Return our median as a multiple of another tool's; None where one was not measured."""
    ours = [r.seconds for r in rows if r.tool == "ours"]
    theirs = [r.seconds for r in rows if r.tool == other]
    return statistics.median(ours) / statistics.median(theirs) if ours and theirs else None


def is_right(rows: list[Row]) -> bool:
    """Return whether what was measured is as fast as promised, and left nothing."""
    free = [r for r in rows if not r.budgets]
    limits = [
        (ratio(free, "kubectl"), 1.1),
        (ratio(free, "chaosk8s"), 1 / 20),
        (ratio([r for r in rows if r.budgets], "kubectl"), 1.1),
    ]
    return all(found is None or found <= limit for found, limit in limits) and not any(
        r.left for r in rows if r.tool == "ours"
    )


def tools() -> Path:
    """Return the folder of the cluster's tools; KUBE_FIXTURE names another."""
    return Path(os.environ.get("KUBE_FIXTURE", REPOSITORY.parent / "shared" / "cluster"))


def code() -> str:
    """Return the last commit of what is measured: rows of another one do not count."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=REPOSITORY)
        return done.stdout.strip()

    measured = (
        "gameday/drivers/kubernetes",
        "gameday/chaos/faults/drain_region.py",
        "gameday/chaos/clusters.py",
    )
    edits = git("diff", "HEAD", "--name-only", "--", *measured)
    last = git("log", "-1", "--format=%h", "--", *measured)
    return last + (" with uncommitted changes" if edits else "")


# --- the stage ------------------------------------------------------------------------------------


class Stage:
    """The simulated nodes and the pods on them."""

    def __init__(self, tools: Path) -> None:
        self._tools = tools
        up = subprocess.run([str(tools / "up")], capture_output=True, text=True, check=True)
        exports = dict(
            line.removeprefix("export ").partition("=")[::2]
            for line in up.stdout.replace('"', "").split("\n")
            if line.startswith("export ")
        )
        path = exports["PATH"].partition(os.pathsep)[0]
        self.environment = {
            **os.environ,
            "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": exports["KUBECONFIG"],
            "GAMEDAY_KUBE_CONTEXTS": "kube-fixture",
            "GAMEDAY_KUBE_NAMESPACES": NAMESPACE,
            "PYTHONPATH": str(REPOSITORY),
        }
        self.cluster: Cluster = connect(environment=self.environment)

    def build(self) -> None:
        """Make nodes and namespace."""
        self._revive()  # a run that was killed leaves cordons
        hollow = sorted(str(n["metadata"]["name"]) for n in self.nodes())
        for index, name in enumerate(hollow):
            region = HERE if index < INSIDE else "gd-bench-outside"
            self.cluster.patch("nodes", name, "", {"metadata": {"labels": {REGION: region}}})
        if self.cluster.get("namespaces", NAMESPACE) is None:
            self.cluster.create("namespaces", {"metadata": {"name": NAMESPACE}})
        for index in range(DEPLOYMENTS):
            if self.cluster.get("deployments", f"app-{index}", NAMESPACE) is None:
                self.cluster.create("deployments", _deployment(f"app-{index}"), NAMESPACE)

    def end(self) -> None:
        """Take all of it down."""
        self.cluster.delete("namespaces", NAMESPACE)
        subprocess.run([str(self._tools / "hollow"), "0"], check=True)

    def nodes(self, region: str = "") -> list[dict[str, Any]]:
        """Return the simulated nodes, or those of a region."""
        labels = f"{HOLLOW}=true" + (f",{REGION}={region}" if region else "")
        return list(self.cluster.list("nodes", labels=labels))

    def fill(self, *, budgets: bool) -> None:
        """Put all pods inside, and nothing else in the way.

        A simulated node dies now and then of a data race in its pretended runtime, and its pods
        would end never: it is started again.
        """
        for _ in range(3):
            try:
                self._fill(budgets=budgets)
                return
            except TimeoutError:
                self._revive()
        sys.exit("the stage does not become ready; look at the cluster")

    def _fill(self, *, budgets: bool) -> None:
        for index in range(DEPLOYMENTS):
            self.cluster.delete("poddisruptionbudgets", f"app-{index}", NAMESPACE)
        draining.uncordon(self.cluster, "gd-bench-1")
        self._scale(0)
        self._until(lambda: not self.cluster.list("pods", NAMESPACE))
        for node in self.nodes():
            is_inside = node["metadata"]["labels"][REGION] == HERE
            self._cordon(node, None if is_inside else True)
        self._scale(REPLICAS)
        self._until(lambda: sum(map(pods.is_ready, self._there())) == DEPLOYMENTS * REPLICAS)
        for node in self.nodes("gd-bench-outside"):
            self._cordon(node, None)
        if budgets:
            for index in range(DEPLOYMENTS):
                self.cluster.create("poddisruptionbudgets", _budget(f"app-{index}"), NAMESPACE)
            self._until(self._budgets_are_known)
        time.sleep(5)  # what the control plane has left to do

    def inside(self) -> int:
        """Return how many of our pods are on the nodes to be drained."""
        names = {n["metadata"]["name"] for n in self.nodes(HERE)}
        return sum(p["spec"].get("nodeName") in names for p in self._there())

    def _there(self) -> list[dict[str, Any]]:
        return [p for p in self.cluster.list("pods", NAMESPACE) if pods.is_alive(p)]

    def _scale(self, replicas: int) -> None:
        for index in range(DEPLOYMENTS):
            patch = {"spec": {"replicas": replicas}}
            self.cluster.patch("deployments", f"app-{index}", NAMESPACE, patch)

    def _cordon(self, node: dict[str, Any], on: bool | None) -> None:
        patch = {"spec": {"unschedulable": on}}
        self.cluster.patch("nodes", node["metadata"]["name"], "", patch)

    def _budgets_are_known(self) -> bool:
        found = self.cluster.list("poddisruptionbudgets", NAMESPACE)
        return all((b.get("status") or {}).get("disruptionsAllowed") == 10 for b in found)

    def _revive(self) -> None:
        for node in self.nodes():  # cordoned ones do not count as ready
            self._cordon(node, None)
        subprocess.run([str(self._tools / "hollow"), str(INSIDE + OUTSIDE)], check=True)

    def _until(self, holds: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > ends:
                raise TimeoutError
            time.sleep(1)


def _deployment(name: str) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "pause:fixture",
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
    }
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "nodeSelector": {HOLLOW: "true"},
                    "tolerations": [{"key": HOLLOW, "operator": "Exists"}],
                    "containers": [container],
                },
            },
        },
    }


def _budget(name: str) -> dict[str, Any]:
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"maxUnavailable": "10%", "selector": selector}}


# --- the tools ------------------------------------------------------------------------------------


def _drain(tool: str, stage: Stage) -> int:
    """Drain the nodes; return how often kubectl had to be started again because it gave up."""
    match tool:
        case "ours":
            return _play([sys.executable, "-c", OURS], stage, tries=1)
        case "chaosk8s":
            return _play([str(_peer()), "-c", CHAOSK8S], stage, tries=1)
    commands = [
        ["kubectl", "drain", str(n["metadata"]["name"]), "--ignore-daemonsets"]
        for n in stage.nodes(HERE)
    ]
    with ThreadPoolExecutor(len(commands)) as pool:
        return sum(pool.map(lambda command: _play(command, stage, tries=10), commands))


def _play(command: list[str], stage: Stage, *, tries: int) -> int:
    for again in range(tries):
        done = subprocess.run(command, env=stage.environment, capture_output=True, text=True)
        if done.returncode == 0:
            return again
    sys.exit(f"{command[0]} failed: {done.stderr[-2000:]}")


def _play_alone(stage: Stage, rows: list[Row], kept: Path) -> None:
    """Drain the nodes one after another; a row each, or none."""
    stage.fill(budgets=False)
    names = [str(n["metadata"]["name"]) for n in stage.nodes(HERE)]
    command = [sys.executable, "-c", ALONE, *names]
    said = subprocess.run(command, env=stage.environment, capture_output=True, text=True)
    if said.returncode:
        sys.exit(f"alone failed: {said.stderr[-2000:]}")
    played = [
        Row("alone", False, number, float(seconds), 0, 0.0, code())
        for number, seconds in enumerate(said.stdout.split())
    ]
    rows[:] = [r for r in rows if r.tool != "alone"] + played
    with kept.open("a") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in played)


def _peer() -> Path:
    """Return the Python of an environment with chaostoolkit-kubernetes, made once."""
    folder = KEPT / "chaosk8s"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", PEER], check=True)
        (folder / "ready").touch()
    return python


def _play_all(
    waiting: list[tuple[str, bool, int]],
    deadline: float,
    rows: list[Row],
    kept: Path,
    keep_nodes: bool,
) -> None:
    if any(tool == "chaosk8s" for tool, _, _ in waiting):
        _peer()
    stage = Stage(tools())
    stage.build()
    try:
        if waiting[0][0] == "alone":
            _play_alone(stage, rows, kept)
            return
        for tool, budgets, number in waiting:
            if time.monotonic() > deadline - (420 if tool == "chaosk8s" else 150):
                break
            stage.fill(budgets=budgets)
            psutil.cpu_percent()
            began = time.monotonic()
            again = _drain(tool, stage)
            seconds = time.monotonic() - began
            load = psutil.cpu_percent() / 100
            row = Row(tool, budgets, number, seconds, stage.inside(), load, code(), again)
            rows.append(row)
            with kept.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            told = f"{seconds:.1f} s, {row.left} left, {again} started again"
            print(f"{tool} {number}: {told}", file=sys.stderr)
    finally:
        for node in stage.nodes():
            stage._cordon(node, None)
        draining.uncordon(stage.cluster, "gd-bench-1")
        if not keep_nodes:
            stage.end()


if __name__ == "__main__":
    sys.exit(main())
