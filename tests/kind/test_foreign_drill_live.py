"""Drills on a cluster's system that nobody of us wrote, as the page for strangers tells them."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import foreign_on_cluster as site
import pytest
from conftest import Live
from real_programs import program
from test_faults_rights import Account, apply
from tutorial_page import MOST_LINES, Edit, Terminal, follow, placeholders, steps

from gameday.drivers.kubernetes import Cluster

PAGE = (site.REPOSITORY / "docs/your-own-cluster.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Standing:
    """The system while it runs.

    Attributes:
        templates: what is deployed, before any drill.
    """

    cluster: Cluster
    namespace: str
    versions: site.Versions
    templates: Mapping[str, Any]

    def reader(self, context: str) -> dict[str, str]:
        """Return what a reader of the page has in the place of what stands there."""
        versions = self.versions
        return {
            "prod-eu": context,
            "website": self.namespace,
            "/srv/code/vault": str(versions.folder),
            "vault:release-900d900d900d": versions.image(versions.good),
            "vault:release-bad0bad0bad0": versions.image(versions.bad),
            "bad0bad0bad0": versions.bad[:12],
        }

    def is_as_before(self) -> bool:
        """Return whether everything deployed is what was deployed before any drill."""
        return self.templates == _templates(self.cluster, self.namespace)


@pytest.fixture(scope="module")
def stands(
    live: Live, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standing]:
    """The system in a namespace of its own, with its images on every node."""
    lacking = site.lacking()
    if lacking:
        pytest.skip(f"needs {lacking}")
    if live.bin is None:
        pytest.skip("needs the shared cluster's tool, which makes images without a registry")
    programs = {
        "prometheus": program("prometheus3"),
        "alertmanager": program("alertmanager3"),
        "jaeger": program("jaeger"),
    }
    namespace = f"gd-{secrets.token_hex(4)}"
    began = time.monotonic()
    with site.images(live, tmp_path_factory.mktemp("images"), programs) as versions:
        print(f"\nimages made and loaded in {time.monotonic() - began:.0f} s")
        cluster.create("namespaces", {"metadata": {"name": namespace}})
        try:
            began = time.monotonic()
            site.deploy(cluster, namespace, versions)
            print(f"the system stood and was visited after {time.monotonic() - began:.0f} s")
            yield Standing(cluster, namespace, versions, _templates(cluster, namespace))
        finally:
            cluster.delete("namespaces", namespace)


def _templates(cluster: Cluster, namespace: str) -> Mapping[str, Any]:
    return {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in cluster.list("deployments", namespace)
    }


def terminal(
    stands: Standing, live: Live, folder: Path, *, kubeconfig: str = "", context: str = ""
) -> Terminal:
    """Return a terminal in an empty folder, whose settings allow the system's namespace alone."""
    (folder / "mine").mkdir()
    allowed = {
        "KUBECONFIG": kubeconfig or live.kubeconfig,
        "GAMEDAY_KUBE_CONTEXTS": context or live.context,
        "GAMEDAY_KUBE_NAMESPACES": stands.namespace,
    }
    environment = {k: v for k, v in live.environment().items() if k != "GAMEDAY_KUBE_CONTEXT"}
    return Terminal(folder / "mine", folder / "state", {**environment, **allowed})


def prepared(stands: Standing, at: Terminal, context: str, *, wished: str = "") -> None:
    """Do what the page says, up to its drill.

    Args:
        wished: what is said to `gameday init` besides.
    """
    for step in steps(PAGE, stands.reader(context)):
        if isinstance(step, Edit):
            step.make(at.folder)
        elif step.text.startswith("gameday init"):
            done = at.typed(f"{step.text.strip()} {wished}")
            assert 0 == done.returncode, done.stderr


def passed(result: Mapping[str, Any], versions: site.Versions, words: str) -> None:
    """Hold what every one of these drills must show against one."""
    assert ("passed", "") == (result["verdict"], result["reason"]), f"{result}\n{words}"
    print(told(result))
    assert 0.8 <= result["detection"]["ratio"] <= 1.5
    found = {step["step"]: step for step in result["funnel"]}
    assert {"red": "met", "trace": "met", "blame": "met", "mitigate": "met"} == {
        name: step["verdict"] for name, step in found.items() if name != "profile"
    }, found
    assert versions.bad == found["blame"]["finding"]["detail"]["commit"]
    assert "not_applicable" == result["phases"]["profile"]["verdict"]
    assert ("met", "met") == tuple(
        result["phases"][name]["verdict"] for name in ("mitigated", "recovered")
    )
    assert {"open": 0} == result["recovery"]


def test_a_stranger_who_follows_the_page_plays_a_drill_that_passes_and_leaves_no_trace(
    live: Live, stands: Standing, tmp_path: Path
) -> None:
    own = stands.reader(live.context)
    at = terminal(stands, live, tmp_path)
    began = time.monotonic()

    code = follow(PAGE, own, at)

    print(f"\nfrom init to the report {time.monotonic() - began:.0f} s")
    result: dict[str, Any] = json.loads(at.typed("gameday score last --json").stdout)
    passed(result, stands.versions, at.words())
    assert list(own)[:-1] == placeholders(PAGE)
    assert (0, "system/site") == (code, result["target"])
    assert stands.is_as_before()
    assert time.monotonic() - began < 600


def test_with_metrics_alone_and_the_rights_of_its_role_the_same_commit_is_found(
    cluster: Cluster, live: Live, stands: Standing, tmp_path: Path
) -> None:
    account = Account(cluster, live, stands.namespace, tmp_path)
    whole = apply(cluster, "cluster.yaml", stands.namespace)
    apply(cluster, "system.yaml", stands.namespace)
    try:
        kubeconfig = str(account.where["kubeconfig"])
        at = terminal(stands, live, tmp_path, kubeconfig=kubeconfig, context="account")
        prepared(stands, at, "account", wished="--traces none")
        with (at.folder / "systems/site.yaml").open("a", encoding="utf-8") as file:
            file.write("  graph: {edges: [[lobby, vault]]}\n")
        proven = at.typed("gameday doctor --system site")

        done = at.typed("gameday run lobby-first-drill --yes --json")
    finally:
        for resource, name, where in whole:
            cluster.delete(resource, name, where)

    assert 0 == proven.returncode, proven.stdout
    passed(json.loads(done.stdout), stands.versions, done.stderr)
    assert stands.is_as_before()


def test_what_a_run_that_is_killed_had_deployed_is_taken_back(
    live: Live, stands: Standing, tmp_path: Path, wait: Callable[..., None]
) -> None:
    at = terminal(stands, live, tmp_path)
    prepared(stands, at, live.context)

    drill = at.beside("gameday run lobby-first-drill --yes")
    wait(lambda: "fault injected" in at.words() or drill.poll() is not None, "the fault")
    assert not stands.is_as_before()
    drill.send_signal(signal.SIGKILL)
    drill.wait()

    wait(stands.is_as_before, "what was deployed before")
    wait(lambda: 0 == at.typed("gameday recover").returncode, "all is taken back")


def test_a_stranger_edits_no_more_than_thirty_lines_by_hand() -> None:
    edits = [step for step in steps(PAGE, {}) if isinstance(step, Edit)]

    assert 4 == len(edits)
    assert sum(edit.lines for edit in edits) <= MOST_LINES


def told(result: Mapping[str, Any]) -> str:
    """Return how the drill went, in lines for people."""
    detection = result["detection"]
    lines = [
        f"\nfired after {detection['seconds']:.1f} s, predicted"
        f" {detection['predicted_seconds']:.1f} s, ratio {detection['ratio']:.2f}",
        *(
            f"{step['step']}: {step['verdict']}: {(step['finding'] or {}).get('summary', '')}"
            for step in result["funnel"]
        ),
    ]
    return "\n".join(lines)
