"""Every driver of deploys against the contract of its port, each on a stand-in of its tool."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from deploy_servers import Argo, Github, Grafana, serving

from gameday.drivers.annotations import GrafanaDeploys
from gameday.drivers.argocd import ArgoDeploys
from gameday.drivers.deploy_command import PrintedDeploys
from gameday.drivers.github import GithubDeploys
from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.deploys import (
    ControllerRevisionDeploys,
    ReplicaSetDeploys,
    labelled,
)
from gameday.errors import PermanentDriverError
from gameday.http.credentials import Credentials
from gameday.model.service_names import ServiceNames
from gameday.ports import DeployLog
from gameday.testing.contracts import DeployedSystem, DeployLogContract
from gameday.testing.gate import Trouble, status
from gameday.testing.kubernetes import SimulatedApi

STARTED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


class PrintedSystem(DeployedSystem):
    """Deploys in a file, which a program prints as it stands there."""

    service, region, started_at = "checkout", "eu-west", STARTED_AT

    def __init__(self, folder: Path) -> None:
        self._file = folder / "deploys.json"
        self._file.write_text("[]")

    def log(self) -> DeployLog:
        return self._printing(f"print(open({str(self._file)!r}).read())")

    def unreachable(self) -> DeployLog:
        return PrintedDeploys(["/nowhere/at-all"], within=SECOND)

    def garbled(self) -> DeployLog:
        return self._printing("print('no deploys today')")

    def deploy(self, revision: str, at: timedelta) -> None:
        said = json.loads(self._file.read_text())
        instant = (self.started_at + at).isoformat()
        entry = {"service": self.service, "revision": revision, "deployed_at": instant}
        self._file.write_text(json.dumps([{**entry, "region": self.region}, *said]))

    def _printing(self, program: str) -> DeployLog:
        return PrintedDeploys([sys.executable, "-c", program], within=30 * SECOND)


class TestPrintedDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> PrintedSystem:
        return PrintedSystem(tmp_path)


CLOSED = "http://127.0.0.1:9"
QUICK: dict[str, Any] = {
    "timeout": timedelta(seconds=10),
    "pause": timedelta(0),
}


def shown(token: str) -> Credentials:
    return Credentials({"Authorization": f"Bearer {token}"})


class ServedSystem(DeployedSystem):
    """Deploys in a tool behind HTTP, and the address of something else."""

    service, started_at = "checkout", STARTED_AT

    def __init__(self, url: str, something_else: str) -> None:
        self._url = url
        self._something_else = something_else

    def log(self) -> DeployLog:
        return self.at(self._url)

    def unreachable(self) -> DeployLog:
        return self.at(CLOSED)

    def garbled(self) -> DeployLog:
        return self.at(self._something_else)

    def at(self, url: str) -> DeployLog:
        raise NotImplementedError

    def written(self, at: timedelta) -> str:
        return (self.started_at + at).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def something_else() -> Iterator[str]:
    with serving(lambda *_: {"hello": ["world"]}) as url:
        yield url


class GithubSystem(ServedSystem):
    """What is created a minute before it is through."""

    github: Github

    def at(self, url: str) -> DeployLog:
        return GithubDeploys(
            url,
            Github.repository,
            service=self.service,
            environment="production",
            credentials=shown(Github.token),
            **QUICK,
        )

    def deploy(self, revision: str, at: timedelta) -> None:
        before = self.written(at - timedelta(minutes=1))
        number = self.github.deployment(revision, before)
        self.github.status(number, "in_progress", before)
        self.github.status(number, "success", self.written(at))
        self.github.status(number, "inactive", self.written(at + timedelta(hours=1)))


class TestGithubDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self, something_else: str) -> Iterator[GithubSystem]:
        github = Github()
        with serving(github) as url:
            system = GithubSystem(url, something_else)
            system.github = github
            yield system

    def test_what_failed_or_is_under_way_or_elsewhere_is_not_live(
        self, subject: GithubSystem
    ) -> None:
        github = subject.github
        for state in ("failure", "in_progress", "error", "queued", "pending"):
            number = github.deployment("c" * 40, subject.written(timedelta(minutes=2)))
            github.status(number, state, subject.written(timedelta(minutes=3)))
        github.deployment("c" * 40, subject.written(timedelta(minutes=2)))
        staging = github.deployment(
            "c" * 40, subject.written(timedelta(minutes=2)), environment="staging"
        )
        github.status(staging, "success", subject.written(timedelta(minutes=3)))
        subject.deploy("b" * 40, timedelta(minutes=4))

        found = subject.found(timedelta(0), timedelta(minutes=5))

        assert ["b" * 40] == [deploy.revision for deploy in found]

    def test_more_than_a_page_of_them_are_found(self, subject: GithubSystem) -> None:
        for second in range(230):
            subject.deploy(f"{second:040x}", timedelta(seconds=second))

        found = subject.found(timedelta(0), timedelta(minutes=5))

        assert [f"{second:040x}" for second in range(230)] == [d.revision for d in found]


class ArgoSystem(ServedSystem):
    argo: Argo

    def at(self, url: str) -> DeployLog:
        return ArgoDeploys(
            url,
            Argo.application,
            service=self.service,
            credentials=shown(Argo.token),
            **QUICK,
        )

    def deploy(self, revision: str, at: timedelta) -> None:
        self.argo.synced(revision, self.written(at))


class TestArgoDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self, something_else: str) -> Iterator[ArgoSystem]:
        argo = Argo()
        with serving(argo) as url:
            system = ArgoSystem(url, something_else)
            system.argo = argo
            yield system

    def test_of_several_sources_the_first_is_meant(self, subject: ArgoSystem) -> None:
        sources = [{"repoURL": "a", "chart": "shop"}, {"repoURL": "b"}]
        subject.argo.synced(
            "",
            subject.written(timedelta(minutes=1)),
            source=None,
            revisions=["a" * 40, "1.2.3"],
            sources=sources,
        )

        (deploy,) = subject.found(timedelta(0), timedelta(minutes=5))

        assert ("a" * 40, "checkout, shop") == (deploy.revision, deploy.summary)


class GrafanaSystem(ServedSystem):
    region = "eu-west"
    grafana: Grafana

    def at(self, url: str) -> DeployLog:
        return GrafanaDeploys(url, credentials=shown(Grafana.token), **QUICK)

    def deploy(self, revision: str, at: timedelta) -> None:
        milliseconds = round((self.started_at + at).timestamp() * 1000)
        self.grafana.mark(milliseconds, "deploy", self.service, "eu-west", revision)


class TestGrafanaDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self, something_else: str) -> Iterator[GrafanaSystem]:
        grafana = Grafana()
        with serving(grafana) as url:
            system = GrafanaSystem(url, something_else)
            system.grafana = grafana
            yield system


@pytest.mark.parametrize(
    ("served", "made"),
    [
        (Github, lambda url: GithubDeploys(url, Github.repository, service="checkout", **QUICK)),
        (Argo, lambda url: ArgoDeploys(url, Argo.application, service="checkout", **QUICK)),
        (Grafana, lambda url: GrafanaDeploys(url, **QUICK)),
    ],
    ids=["github", "argocd", "grafana"],
)
async def test_without_its_token_a_tool_refuses_in_words(served: Any, made: Any) -> None:
    with (
        serving(served()) as url,
        pytest.raises(PermanentDriverError, match=r"answers 401 .*Bad credentials"),
    ):
        await made(url).deploys(since=STARTED_AT, until=STARTED_AT + SECOND)


async def test_an_application_that_is_not_there_is_named() -> None:
    with (
        serving(Argo()) as url,
        pytest.raises(PermanentDriverError, match="404 to /api/v1/applications/chekout"),
    ):
        log = ArgoDeploys(
            url, "chekout", service="checkout", credentials=shown(Argo.token), **QUICK
        )
        await log.deploys(since=STARTED_AT, until=STARTED_AT + SECOND)


class ClusterSystem(DeployedSystem):
    """A workload in a cluster, whose deploys leave behind what an API server keeps of them."""

    service, region, started_at = "checkout", "eu-west", STARTED_AT
    labels: ClassVar[Mapping[str, str]] = {
        "app.kubernetes.io/name": "checkout",
        "topology.kubernetes.io/region": "eu-west",
    }

    def __init__(self) -> None:
        self.api = SimulatedApi(namespace="shop")
        self.revision = 0

    def log(self) -> DeployLog:
        return self.on(self.api.cluster())

    def unreachable(self) -> DeployLog:
        return self.on(
            SimulatedApi(namespace="shop", troubles=[Trouble("GET", times=10_000)]).cluster()
        )

    def garbled(self) -> DeployLog:
        forbidden = status(403, "deployments.apps is forbidden", reason="Forbidden")
        return self.on(
            SimulatedApi(namespace="shop", troubles=[Trouble("GET", forbidden, times=99)]).cluster()
        )

    def on(self, cluster: Cluster) -> DeployLog:
        raise NotImplementedError

    def written(self, at: timedelta) -> str:
        return (self.started_at + at).strftime("%Y-%m-%dT%H:%M:%SZ")

    def template(self, revision: str) -> dict[str, Any]:
        containers = [{"name": "app", "image": f"registry.example/books/checkout:{revision}"}]
        labels = {**self.labels, "version": f"v-{revision}"}
        return {"metadata": {"labels": labels}, "spec": {"containers": containers}}


class DeploymentSystem(ClusterSystem):
    def on(self, cluster: Cluster) -> DeployLog:
        return ReplicaSetDeploys(cluster, "books", labels="")

    def deploy(self, revision: str, at: timedelta) -> None:
        owner = self.api.find("deployments", "checkout", "books") or self.api.put(
            "deployments", "checkout", "books"
        )
        progress = {"type": "Progressing", "lastUpdateTime": self.written(at)}
        self.api.edit(
            "deployments", "checkout", "books", {"status": {"conditions": [progress]}}, "c"
        )
        self.revision += 1
        name, number = f"checkout-{revision[:8]}", str(self.revision)
        if self.api.find("replicasets", name, "books") is None:
            self.api.put(
                "replicasets",
                name,
                "books",
                metadata={
                    "labels": dict(self.labels),
                    "annotations": {"deployment.kubernetes.io/revision": number},
                    "creationTimestamp": self.written(at),
                    "ownerReferences": [{"uid": owner["metadata"]["uid"], "controller": True}],
                },
                spec={"template": self.template(revision)},
            )
            return
        annotations = {
            "deployment.kubernetes.io/revision": number,
            "deployment.kubernetes.io/revision-history": "1",
        }
        self.api.edit("replicasets", name, "books", {"metadata": {"annotations": annotations}}, "c")


class TestReplicaSetDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self) -> DeploymentSystem:
        return DeploymentSystem()

    def test_a_version_is_told_by_a_label_where_the_document_says_so(
        self, subject: DeploymentSystem
    ) -> None:
        subject.deploy("a" * 40, timedelta(minutes=1))
        log = ReplicaSetDeploys(
            subject.api.cluster(),
            "books",
            labels="",
            names=ServiceNames({"kasse": "checkout"}),
            version=labelled({"kasse": "version"}),
        )

        (deploy,) = subject.do(log.deploys(since=STARTED_AT, until=STARTED_AT + HOUR))

        assert ("kasse", f"v-{'a' * 40}") == (deploy.service, deploy.revision)


class StatefulSystem(ClusterSystem):
    kind = "statefulsets"

    def on(self, cluster: Cluster) -> DeployLog:
        return ControllerRevisionDeploys(cluster, "books")

    def deploy(self, revision: str, at: timedelta) -> None:
        owner = self.api.find(self.kind, "checkout", "books") or self.api.put(
            self.kind, "checkout", "books"
        )
        self.revision += 1
        name = f"checkout-{revision[:8]}"
        if self.api.find("controllerrevisions", name, "books") is None:
            self.api.put(
                "controllerrevisions",
                name,
                "books",
                metadata={
                    "creationTimestamp": self.written(at),
                    "ownerReferences": [{"uid": owner["metadata"]["uid"], "controller": True}],
                },
                data={"spec": {"template": {**self.template(revision), "$patch": "replace"}}},
                revision=self.revision,
            )
        else:
            self.api.edit("controllerrevisions", name, "books", {"revision": self.revision}, "c")
        hashed = name if self.kind == "statefulsets" else revision[:8]
        self.api.put(
            "pods",
            f"checkout-{self.revision}",
            "books",
            metadata={
                "labels": {"controller-revision-hash": hashed},
                "creationTimestamp": self.written(at),
            },
        )


class TestStatefulSetDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self) -> StatefulSystem:
        return StatefulSystem()


class DaemonSystem(StatefulSystem):
    kind = "daemonsets"


class TestDaemonSetDeploys(DeployLogContract):
    @pytest.fixture
    def subject(self) -> DaemonSystem:
        return DaemonSystem()
