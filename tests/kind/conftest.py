"""A real cluster for the tests that need one, and a namespace of its own for each of them.

In this order: the cluster of ``--kubeconfig`` (its current context), the one that
``../shared/cluster`` brings up beside the repository, one made by kind from ``kind-config.yaml``.
Where there is none of them the tests are skipped, and one sentence says why.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shop_on_cluster import image_on

from gameday.drivers.kubernetes import Cluster, connect

REPOSITORY = Path(__file__).parents[2]
NAME = "gameday"
"""Of the cluster kind makes; kubectl calls its context ``kind-gameday``."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.kind)


@dataclass(frozen=True)
class Live:
    """A cluster to test on.

    Attributes:
        image: something small whose container runs until it is ended, and that the nodes have.
        programs: folder of a kubectl that fits it; may be empty.
        bin: path of the shared cluster's tools; None elsewhere.
    """

    kubeconfig: str
    context: str
    image: str = "registry.k8s.io/pause:3.9"
    programs: str = ""
    bin: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return what a process needs to play on it."""
        path = os.pathsep.join(p for p in (self.programs, os.environ["PATH"]) if p)
        return {
            "PATH": path,
            "KUBECONFIG": self.kubeconfig,
            "GAMEDAY_KUBE_CONTEXT": self.context,
            "GAMEDAY_KUBE_CONTEXTS": self.context,
            "GAMEDAY_KUBE_NAMESPACES": "gd-*",
        }


def _shared() -> Path | None:
    """Return the folder of the shared cluster's tools, beside the repository's main folder."""
    asked = ("git", "rev-parse", "--path-format=absolute", "--git-common-dir")
    found = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    roots = [REPOSITORY, *([Path(found.stdout.strip()).parent] if found.returncode == 0 else [])]
    folders = [root.parent / "shared" / "cluster" for root in roots]
    return next((f for f in folders if (f / "up").is_file()), None)


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """A cluster, or the reason why there is none."""
    given = request.config.getoption("--kubeconfig")
    if given:
        yield Live(str(Path(given).absolute()), _current_context(given))
        return
    shared = _shared()
    if shared is not None and os.geteuid() == 0:
        done = subprocess.run([str(shared / "up")], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            exports = dict(re.findall(r"export (\w+)=[\"']?([^\"'\n;]+)", done.stdout))
            kubeconfig = exports["KUBECONFIG"]
            programs = exports.get("PATH", "").partition(os.pathsep)[0]
            yield Live(
                kubeconfig,
                _current_context(kubeconfig),
                image="pause:fixture",
                programs=programs,
                bin=shared,
            )
            return
        pytest.skip(f"the shared cluster did not come up: {done.stderr.strip()[-300:]}")
    if shutil.which("docker") and shutil.which("kind"):
        yield from _kind(request)
        return
    pytest.skip(
        "needs a cluster: give --kubeconfig, or run where ../shared/cluster or Docker and kind are"
    )


def _kind(request: pytest.FixtureRequest) -> Iterator[Live]:
    from pytest_kind import KindCluster

    kind, kubectl = shutil.which("kind"), shutil.which("kubectl")
    made = KindCluster(
        NAME,
        kind_path=Path(kind) if kind else None,
        kubectl_path=Path(kubectl) if kubectl else None,
    )
    # The fixture of pytest-kind makes a single node; ours has three regions.
    made.create(REPOSITORY / "kind-config.yaml")
    yield Live(str(made.kubeconfig_path.absolute()), f"kind-{NAME}")
    if not request.config.getoption("--keep-cluster"):
        made.delete()


def _current_context(kubeconfig: str) -> str:
    import yaml

    return str(yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))["current-context"])


@pytest.fixture(autouse=True)
def _settings(
    _clean_environment: None, live: Live, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """The settings of this cluster, in this process and those it starts."""
    for name, value in live.environment().items():
        monkeypatch.setenv(name, value)
    return live.environment()


@pytest.fixture(scope="session")
def cluster(live: Live) -> Iterator[Cluster]:
    """The API of the cluster, with all rights."""
    with connect(live.context, kubeconfig=live.kubeconfig, environment=live.environment()) as found:
        yield found


@pytest.fixture(scope="session")
def shop_image(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The image of the whole shop, on every node."""
    with image_on(live, tmp_path_factory.mktemp("image")):
        yield


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of this test alone."""
    word = request.path.stem.removeprefix("test_").replace("_", "-")
    name = f"gd-{word[:30]}-{secrets.token_hex(3)}"
    cluster.create("namespaces", {"metadata": {"name": name}})
    yield name
    cluster.delete("namespaces", name)


@dataclass(frozen=True)
class Workload:
    """Makes and watches workloads in one namespace."""

    cluster: Cluster
    namespace: str
    image: str

    def deploy(
        self, name: str, replicas: int, *, pod: Mapping[str, Any] | None = None, **spec: Any
    ) -> None:
        """Create a Deployment and wait until all of it is ready."""
        labels = {"app": name}
        container = {
            "name": name,
            "image": self.image,
            "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
            **spec,
        }
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [container],
                **(pod or {}),
            },
        }
        body = {
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": template,
            },
        }
        self.cluster.create("deployments", body, self.namespace)
        wait_until(lambda: len(self.ready(name)) == replicas, f"{name} is ready")

    def pods(self, name: str) -> Sequence[dict[str, Any]]:
        """Return the living pods of a Deployment."""
        from gameday.drivers.kubernetes import pods

        found = self.cluster.list("pods", self.namespace, labels=f"app={name}")
        return [p for p in found if pods.is_alive(p)]

    def ready(self, name: str) -> Sequence[dict[str, Any]]:
        """Return the ready pods of a Deployment."""
        from gameday.drivers.kubernetes import pods

        return [p for p in self.pods(name) if pods.is_ready(p)]

    def get(self, name: str) -> dict[str, Any]:
        """Return a Deployment."""
        found = self.cluster.get("deployments", name, self.namespace)
        assert found is not None
        return found

    def protect(self, name: str, *, available: int) -> None:
        """Let a budget keep that many of a Deployment's pods, and wait until it is known."""
        body = {
            "metadata": {"name": name},
            "spec": {"minAvailable": available, "selector": {"matchLabels": {"app": name}}},
        }
        self.cluster.create("poddisruptionbudgets", body, self.namespace)

        def is_known() -> bool:
            found = self.cluster.get("poddisruptionbudgets", name, self.namespace) or {}
            return int((found.get("status") or {}).get("expectedPods") or 0) > 0

        wait_until(is_known, f"the budget {name} is known")


@pytest.fixture
def workload(cluster: Cluster, namespace: str, live: Live) -> Workload:
    """Workloads in this test's namespace."""
    return Workload(cluster, namespace, live.image)


def wait_until(holds: Callable[[], bool], what: str, *, within_s: float = 120) -> None:
    """Return once something holds; the deadline is for what never comes, not for what is slow."""
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.2)


@pytest.fixture
def wait() -> Callable[..., None]:
    """Wait until something holds."""
    return wait_until


@pytest.fixture
def restored_nodes(cluster: Cluster) -> Iterator[Callable[[], Mapping[str, Any]]]:
    """Look at every node's cordon and labels of ours; whatever a test leaves is taken out."""

    def look() -> Mapping[str, Any]:
        return {
            n["metadata"]["name"]: (
                bool(n["spec"].get("unschedulable")),
                sorted(k for k in n["metadata"]["labels"] if k.startswith("gameday.dev/")),
            )
            for n in cluster.list("nodes")
        }

    before = look()
    yield look
    for node in cluster.list("nodes"):
        name = node["metadata"]["name"]
        was_cordoned, _ = before.get(name, (False, []))
        labels = {k: None for k in node["metadata"]["labels"] if k.startswith("gameday.dev/")}
        if labels or bool(node["spec"].get("unschedulable")) != was_cordoned:
            patch = {
                "metadata": {"labels": labels},
                "spec": {"unschedulable": True if was_cordoned else None},
            }
            with contextlib.suppress(Exception):
                cluster.patch("nodes", name, "", patch)
