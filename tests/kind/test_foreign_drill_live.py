"""A drill on a cluster's system that nobody of us wrote, as the page for strangers tells it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import foreign_on_cluster as site
import pytest
from conftest import Live
from real_programs import program
from tutorial_page import MOST_LINES, Edit, Terminal, follow, placeholders, steps

from gameday.drivers.kubernetes import Cluster

PAGE = site.REPOSITORY / "docs/your-own-cluster.md"


@pytest.fixture(scope="module")
def versions(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[site.Versions]:
    """The images of the system, on every node."""
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
    began = time.monotonic()
    with site.images(live, tmp_path_factory.mktemp("images"), programs) as versions:
        print(f"images made and loaded in {time.monotonic() - began:.0f} s")
        yield versions


def running(cluster: Cluster, namespace: str) -> Mapping[str, Any]:
    """Return the templates of what is deployed, but for what a cluster counts itself."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in cluster.list("deployments", namespace)
    }


def test_a_stranger_who_follows_the_page_plays_a_drill_that_passes_and_leaves_no_trace(
    live: Live, cluster: Cluster, namespace: str, versions: site.Versions, tmp_path: Path
) -> None:
    began = time.monotonic()
    site.deploy(cluster, namespace, versions)
    print(f"the system stood and was visited after {time.monotonic() - began:.0f} s")
    page = PAGE.read_text(encoding="utf-8")
    own = {
        "prod-eu": live.context,
        "website": namespace,
        "/srv/code/vault": str(versions.folder),
        "vault:release-900d900d900d": versions.image(versions.good),
        "vault:release-bad0bad0bad0": versions.image(versions.bad),
        "bad0bad0bad0": versions.bad[:12],
    }
    folder = tmp_path / "mine"
    folder.mkdir()
    allowed = {"GAMEDAY_KUBE_CONTEXTS": live.context, "GAMEDAY_KUBE_NAMESPACES": namespace}
    terminal = Terminal(folder, tmp_path / "state", {**live.environment(), **allowed})
    before = running(cluster, namespace)
    began = time.monotonic()

    code = follow(page, own, terminal)

    result: dict[str, Any] = json.loads(terminal.typed("gameday score last --json").stdout)
    print(told(result, time.monotonic() - began))
    assert list(own)[:-1] == placeholders(page)
    assert ("passed", "", 0) == (result["verdict"], result["reason"], code), terminal.words()
    assert "system/site" == result["target"]
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
    assert before == running(cluster, namespace)
    assert time.monotonic() - began < 600


def test_a_stranger_edits_no_more_than_thirty_lines_by_hand() -> None:
    edits = [s for s in steps(PAGE.read_text(encoding="utf-8"), {}) if isinstance(s, Edit)]

    assert 4 == len(edits)
    assert sum(edit.lines for edit in edits) <= MOST_LINES


def told(result: Mapping[str, Any], seconds: float) -> str:
    """Return how the drill went, in lines for people."""
    detection = result["detection"]
    lines = [
        f"from init to the report {seconds:.0f} s; fired after {detection['seconds']:.1f} s,"
        f" predicted {detection['predicted_seconds']:.1f} s, ratio {detection['ratio']:.2f}",
        *(
            f"{step['step']}: {step['verdict']}: {(step['finding'] or {}).get('summary', '')}"
            for step in result["funnel"]
        ),
        *(f"{name}: {phase['verdict']}" for name, phase in result["phases"].items()),
    ]
    return "\n".join(lines)
