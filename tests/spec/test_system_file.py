"""What a system's file means, and that it never tells a secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import jsonschema_rs
import pytest

from gameday.errors import SpecError
from gameday.model.access import SecretRef
from gameday.model.mitigation import Call, ChaosAction, Command
from gameday.model.secret_names import is_secret
from gameday.spec import read_documents, read_system, schema

GOOD = Path(__file__).parent / "good/system.yaml"


def test_a_system_is_read_with_how_it_is_reached_and_what_may_be_done_to_it() -> None:
    system = read_system(GOOD)

    prometheus = system.spec.metrics.prometheus
    assert SecretRef(env="PROMETHEUS_TOKEN") == prometheus.bearer_token
    assert {"X-Scope-OrgID": "books", "X-Api-Key": SecretRef(file="/run/secrets/key")} == (
        prometheus.headers
    )
    assert {"alertname": "BookshopDown", "severity": "critical"} == system.spec.alerts.page
    assert system.spec.traces is not None and system.spec.profiles is not None
    assert ("storefront", "cart") == tuple(
        system.spec.traces.names.to_theirs(name) for name in ("shop", "cart")
    )
    assert "shop" == system.spec.traces.names.to_ours("storefront")
    shed, take_out, restart, flush, *acts = system.spec.mitigations
    assert isinstance(shed.undo, Call)
    assert {"on": False} == shed.undo.json_
    assert Command(run=("take-in", "{server}"), within=timedelta(seconds=30)) == take_out.undo
    assert "none" == restart.undo
    assert isinstance(flush.undo, ChaosAction)
    assert (("region",), ["in", "{region}"]) == (
        flush.parameters,
        flush.undo.provider["arguments"],
    )
    assert SecretRef(env="FLAGS_TOKEN") in [secret for _, secret in system.spec.secrets()]
    assert ["deployment/{service}", "deployment/{service}"] == [
        a.kubernetes.aim for a in acts[:2] if a.kubernetes
    ]
    assert [("service",), ("service", "replicas"), (), (), ("node",)] == [
        a.parameters for a in acts
    ]
    assert ("monitoring/pyroscope:4040",) == system.spec.services
    assert GOOD == system.path


def test_the_published_schema_takes_what_is_read() -> None:
    (document,) = read_documents(GOOD)

    assert jsonschema_rs.is_valid(schema("system"), document.data)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Authorization", True),
        ("PROXY-AUTHORIZATION", True),
        ("X-Api-Key", True),
        ("access_token", True),
        ("hubSignature", True),
        ("X-Scope-OrgID", False),
        ("author", False),
        ("X-Design", False),
        ("monkey", False),
    ],
)
def test_a_secret_is_told_by_the_words_of_its_name(name: str, expected: bool) -> None:
    assert expected == is_secret(name)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("metrics: {prometheus: {url: 'http://a', bearerToken: HUNTER2}}", "bearerToken"),
        ("metrics: {prometheus: {url: 'http://a', bearerToken: [HUNTER2]}}", "bearerToken"),
        ("metrics: {prometheus: {url: 'http://a', headers: {Authorization: HUNTER2}}}", "header"),
        ("metrics: {prometheus: {url: 'http://a', headers: {X-Hub-Token: HUNTER2}}}", "header"),
        ("metrics: {prometheus: {url: 'http://u:HUNTER2@a'}}", "url"),
        ("traces: {jaeger: {url: 'http://a', bearerToken: HUNTER2}}", "bearerToken"),
        ("profiles: {pyroscope: {url: 'http://a', headers: {X-Api-Key: HUNTER2}}}", "header"),
        ("metrics: {prometheus: {url: 'http://a/b?x=1&access_token=HUNTER2'}}", "url"),
        (
            "metrics: {prometheus: {url: 'http://a', basic: {username: u, password: HUNTER2}}}",
            "password",
        ),
        (
            "mitigations: [{name: a, http: {post: 'http://a', token: HUNTER2}, undo: none}]",
            "token",
        ),
        (
            "mitigations: [{name: a, chaostoolkit: {name: a, provider: {type: http,"
            " url: 'http://a', headers: {X-Api-Key: HUNTER2}}}, undo: none}]",
            "header",
        ),
        (
            "mitigations: [{name: a, chaostoolkit: {name: a, provider: {type: http,"
            " url: 'http://a/?token=HUNTER2'}}, undo: none}]",
            "url",
        ),
        (
            "mitigations: [{name: a, chaostoolkit: {name: a, provider: {type: process,"
            " path: x}, secrets: {a: {b: HUNTER2}}}, undo: none}]",
            "secret",
        ),
        (
            "mitigations: [{name: a, command: {run: [x]},"
            " undo: {post: 'http://a', token: HUNTER2}}]",
            "token",
        ),
    ],
)
def test_a_secret_written_into_the_file_is_refused_and_not_repeated(
    tmp_path: Path, line: str, secret: str
) -> None:
    path = tmp_path / "x.yaml"
    head = "apiVersion: gameday/v1\nkind: System\nmetadata: {name: x}\nspec:\n  "
    path.write_text(f"{head}{line}\n")

    with pytest.raises(SpecError) as caught:
        read_system(path)

    assert "HUNTER2" not in str(caught.value)
    said = [p for p in caught.value.problems if secret in str(p)]
    assert any("{env: " in p.hint for p in said)
