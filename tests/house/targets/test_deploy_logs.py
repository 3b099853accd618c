"""The deploy timeline of a declared system, out of the sources its document names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deploy_servers import Argo, Github, Grafana, serving
from pydantic import ValidationError

from gameday.errors import DriverError
from gameday.house.targets.declared_system import absent_steps
from gameday.house.targets.deploy_logs import are_heard, deploy_log_of
from gameday.model.signals import Deploy
from gameday.model.system import SystemSpec

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = "2026-01-01T12:00:00Z"


def spec(**changed: Any) -> SystemSpec:
    return SystemSpec.model_validate(
        {
            "metrics": {"prometheus": {"url": "http://127.0.0.1:9"}},
            "alerts": {"page": {"alertname": "A"}},
            "pages": {"alertmanager": {"url": "http://127.0.0.1:9"}},
            "red": {"preset": "haproxy"},
            **changed,
        }
    )


async def found(*sources: dict[str, Any]) -> Sequence[Deploy]:
    log = deploy_log_of(spec(deploys=sources))
    assert log is not None
    return await log.deploys(since=NOON - timedelta(hours=1), until=NOON + timedelta(hours=1))


async def test_several_sources_are_one_timeline_each_asked_with_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    github, argo, grafana = Github(), Argo(), Grafana()
    for served in (github, argo, grafana):
        monkeypatch.setenv(f"{type(served).__name__.upper()}_TOKEN", served.token)
    github.status(github.deployment("b" * 40, AT), "success", AT)
    argo.synced("a" * 40, "2026-01-01T11:30:00Z")
    grafana.mark(round(NOON.timestamp() * 1000) + 60_000, "deploy", "inventory", "eu", "c" * 40)

    with serving(github) as one, serving(argo) as two, serving(grafana) as three:
        deploys = await found(
            {
                "github": {
                    "url": one,
                    "repository": github.repository,
                    "environment": "production",
                    "bearerToken": {"env": "GITHUB_TOKEN"},
                }
            },
            {
                "argocd": {
                    "url": two,
                    "application": argo.application,
                    "service": "edge",
                    "bearerToken": {"env": "ARGO_TOKEN"},
                }
            },
            {"grafana": {"url": three, "bearerToken": {"env": "GRAFANA_TOKEN"}}},
        )

    assert [("edge", "a" * 40), ("shop", "b" * 40), ("inventory", "c" * 40)] == [
        (deploy.service, deploy.revision) for deploy in deploys
    ]


async def test_where_one_source_fails_the_others_are_not_left_running() -> None:
    with pytest.raises(DriverError):
        await found(
            {"command": {"run": ["sleep", "60"]}}, {"command": {"run": ["/nowhere/deploys"]}}
        )

    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_where_one_source_does_not_answer_none_is_believed() -> None:
    with pytest.raises(DriverError, match="/nowhere/deploys cannot be run"):
        await found(
            {"command": {"run": ["echo", "[]"]}}, {"command": {"run": ["/nowhere/deploys"]}}
        )


def test_what_pipelines_tell_is_heard_and_not_asked() -> None:
    heard = spec(deploys=[{"webhook": True}])

    assert deploy_log_of(heard) is None
    assert are_heard(heard)
    assert not are_heard(spec(deploys=[{"command": {"run": ["true"]}}]))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "states none of command, kubernetes"),
        ({"webhook": True, "command": {"run": ["x"]}}, "states command and webhook"),
        ({"webhook": False}, "Input should be True"),
        ({"kubernetes": {}}, "reads deploys from a cluster and names none"),
        ({"kubernetes": {"context": "prod"}}, "reads deploys from a cluster and names none"),
        ({"github": {"repository": "shop", "service": "a"}}, "is no repository: 'shop'"),
        ({"github": {"service": "a"}}, "Field required"),
        ({"argocd": {"application": "a", "service": "b"}}, "Field required"),
        ({"grafana": {"url": "http://a", "bearerToken": "glsa_x"}}, "holds a secret itself"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(source: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(deploys=[source])


def test_a_cluster_of_the_document_is_the_one_of_its_deploys() -> None:
    told = spec(
        kubernetes={"context": "prod", "namespaces": ["books"]}, deploys=[{"kubernetes": {}}]
    )

    assert told.deploys[0].kubernetes is not None


PARTS: dict[str, Any] = {
    "traces": {"jaeger": {"url": "http://127.0.0.1:7"}},
    "profiles": {"pyroscope": {"url": "http://127.0.0.1:8"}},
    "deploys": [{"webhook": True}],
    "code": [{"service": "a", "repository": "."}],
}


def lacking(*missing: str, **more: Any) -> tuple[str, ...]:
    return absent_steps(spec(**{k: v for k, v in PARTS.items() if k not in missing}, **more))


@pytest.mark.parametrize("missing", ["deploys", "code"])
def test_without_deploys_or_without_code_blame_does_not_apply(missing: str) -> None:
    assert () == lacking()
    assert ("blame",) == lacking(missing)


def test_blame_applies_without_profiles_where_something_names_a_service() -> None:
    edges = {"edges": [["front", "back"]]}

    assert ("profile",) == lacking("profiles")
    assert ("profile",) == lacking("profiles", "traces", graph=edges)
    assert ("trace", "profile", "blame") == lacking("profiles", "traces")
