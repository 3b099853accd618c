"""The service over HTTP: hooks in, incidents out, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from opened_service import NOON, Opening, Service

from gameday.errors import StoreError
from gameday.http import keys
from gameday.incidents.previews import RECORDED

Firing = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.served

MINUTE = timedelta(minutes=1)


async def test_an_alert_opens_an_incident_once_however_often_it_is_sent(
    service: Service, firing: Firing
) -> None:
    first = await service.send(firing())
    again = await service.send(firing(), firing(), firing("f2"))

    assert ({"recorded": 1}, {"recorded": 1}) == (first.json(), again.json())
    (row,) = await service.incidents()
    shown = (await service.get(f"/api/incidents/{row['id']}")).json()
    assert ("triggered", "SEV-2", 2) == (shown["state"], shown["severity"], shown["alerts_total"])
    assert {"red", "traces", "profile", "runbook"} == set(shown["links"])


async def test_an_incident_is_played_from_its_page_to_its_postmortem(
    service: Service, firing: Firing
) -> None:
    await service.send(firing())
    (row,) = await service.incidents()
    at = f"/api/incidents/{row['id']}"

    for path, body in (
        ("ack", {}),
        ("role", {"role": "scribe", "name": "Sam"}),
        ("finding", {"step": "red", "summary": "errors moved", "detail": {"moved": ["errors"]}}),
        ("note", {"text": "looking <script>alert(1)</script>"}),
        ("mitigation", {"name": "failover-db"}),
    ):
        service.clock.advance(timedelta(seconds=10))
        answer = await service.post(f"{at}/{path}", body)
        assert 200 == answer.status_code, answer.text
    assert 409 == (await service.post(f"{at}/resolve", {})).status_code
    await service.send(firing(ends=NOON + MINUTE))
    service.clock.advance(2 * MINUTE)
    assert 200 == (await service.post(f"{at}/resolve", {"text": "failed over"})).status_code
    assert 409 == (await service.post(f"{at}/resolve", {})).status_code

    shown = (await service.get(at)).json()
    assert "resolved" == shown["state"]
    assert {"on-call": "the responder", "scribe": "Sam"} == shown["roles"]
    verdicts = {name: phase["verdict"] for name, phase in shown["phases"].items()}
    assert ("met", "met", "missed") == (verdicts["acked"], verdicts["mitigated"], verdicts["blame"])
    assert "pending" == verdicts["postmortem"]
    assert 10.0 == shown["phases"]["acked"]["seconds_from_page"]
    await service.post(f"{at}/postmortem", {"url": "https://wiki/pm"})
    shown = (await service.get(at)).json()
    assert "met" == shown["phases"]["postmortem"]["verdict"]
    whos = {(entry.who, entry.about) for entry in service.store.audit()}
    assert {("the responder", row["id"])} == whos


async def test_a_false_alarm_and_a_duplicate_are_closed_by_saying_so(
    service: Service, firing: Firing
) -> None:
    await service.send(firing("f1"), firing("f2", slo="other"))
    one, two = [r["id"] for r in await service.incidents()]

    assert 409 == (await service.post(f"/api/incidents/{one}/merge", {"into": one})).status_code
    assert 404 == (await service.post(f"/api/incidents/{one}/merge", {"into": "x"})).status_code
    assert 200 == (await service.post(f"/api/incidents/{one}/merge", {"into": two})).status_code
    assert 200 == (await service.post(f"/api/incidents/{two}/false-alarm")).status_code

    states = [(await service.get(f"/api/incidents/{i}")).json()["state"] for i in (one, two)]
    assert ["merged", "false alarm"] == states


async def test_what_was_acknowledged_is_there_after_a_restart(
    opening: Opening, firing: Firing
) -> None:
    async with opening() as before:
        await before.send(firing("f1"), firing("f2"))
        (row,) = await before.incidents()
        await before.post(f"/api/incidents/{row['id']}/ack")

    async with opening() as after:
        shown = (await after.get(f"/api/incidents/{row['id']}")).json()
        again = await after.send(firing("f1"), firing("f2"))

    assert ("acknowledged", 2) == (shown["state"], shown["alerts_total"])
    assert {"recorded": 0} == again.json()


async def test_a_deploy_is_shown_with_the_incidents_of_its_service(
    service: Service, firing: Firing
) -> None:
    await service.send(firing())
    body = {"service": "storefront", "revision": "abc", "deployed_at": NOON.isoformat()}
    await service.post("/hooks/deploy", body, role="webhook")
    await service.post("/hooks/deploy", body, role="webhook")

    (row,) = await service.incidents()
    shown = (await service.get(f"/api/incidents/{row['id']}")).json()
    assert ["abc"] == [d["data"]["revision"] for d in shown["deploys"]]


async def test_what_cannot_be_written_down_is_not_acknowledged(
    service: Service, firing: Firing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(service.store, "commit", full)
        refused = await service.send(firing())
    taken = await service.send(firing())

    assert (503, "1") == (refused.status_code, refused.headers["retry-after"])
    assert {"recorded": 1} == taken.json()


ROUTES = [
    ("POST", "/hooks/alertmanager", "webhook"),
    ("POST", "/hooks/deploy", "webhook"),
    ("GET", "/api/incidents", "observer"),
    ("GET", "/api/incidents/x", "observer"),
    ("GET", "/api/incidents/x/deploys", "observer"),
    ("GET", "/api/incidents/x/runbook", "observer"),
    ("GET", "/metrics", "observer"),
    ("GET", "/openapi.json", "observer"),
    *(
        ("POST", f"/api/incidents/x/{word}", "responder")
        for word in (
            [
                "ack",
                "note",
                "finding",
                "step",
                "mitigation",
                "role",
                "resolve",
                "false-alarm",
                "merge",
                "postmortem",
            ]
        )
    ),
]
ALLOWED = {
    "webhook": {"webhook", "facilitator"},
    "observer": {"observer", "responder", "facilitator"},
    "responder": {"responder", "facilitator"},
}


@pytest.mark.parametrize(("method", "path", "role"), ROUTES)
async def test_every_route_opens_to_its_roles_and_to_nobody_else(
    service: Service, method: str, path: str, role: str
) -> None:
    for bad in (None, "", "Bearer", "Bearer gd_wrong", f"Basic {service.tokens['responder']}"):
        headers = {} if bad is None else {"authorization": bad}
        answer = await service.http.request(method, path, headers=headers)
        assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])

    admitted = {
        given
        for given in service.tokens
        if (await service.http.request(method, path, headers=service.as_(given))).status_code != 403
    }

    assert ALLOWED[role] == admitted


async def test_the_table_of_routes_is_whole(service: Service) -> None:
    described = (await service.get("/openapi.json")).json()["paths"]

    known = {(m.upper(), p.replace("{incident}", "x")) for p, ops in described.items() for m in ops}
    own_right = {
        ("GET", "/go/{token}"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", "/hooks/pagerduty"),
    }
    assert {(m, p) for m, p, _ in ROUTES} == known - own_right


async def test_a_revoked_token_opens_nothing_any_more(opening: Opening) -> None:
    async with opening() as service:
        for token in service.store.tokens():
            service.store.revoke_token(token.id, at=NOON)

        assert 401 == (await service.get("/api/incidents")).status_code


DEEP = b'{"alerts":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BODIES = [
    (b"{", 400),
    (b"[]", 400),
    (b"null", 400),
    (b"\xff\xfe", 400),
    (DEEP, 400),
    (b'{"alerts":' + b"[" * 40 + b"]" * 40 + b"}", 400),
    (b'{"alerts": 1}', 400),
    (b'{"alerts": [1]}', 400),
    (b'{"alerts": [], "x": NaN}', 400),
    (b'{"alerts": [], "x": 1e999}', 400),
    (b'{"alerts": [], "x": ' + b"9" * 5000 + b"}", 400),
    (b'{"alerts": []}', 200),
    (b'{"alerts": [{"labels": {"service": "\\ud800\\u0000", "slo": "s"}}]}', 200),
    (b" " * (5 * 1024 * 1024), 413),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=lambda v: repr(v)[:40])
async def test_a_hostile_body_is_refused_with_a_sentence(
    service: Service, body: bytes, status: int
) -> None:
    answer = await service.http.post(
        "/hooks/alertmanager", content=body, headers=service.as_("webhook")
    )

    assert status == answer.status_code
    assert "Traceback" not in answer.text
    if status != 200:
        assert answer.json()["error"]


async def test_a_body_that_hides_its_length_is_cut_off_too(service: Service) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 65_536

    answer = await service.http.post(
        "/hooks/alertmanager", content=chunks(), headers=service.as_("webhook")
    )

    assert 413 == answer.status_code


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("note", {}),
        ("note", {"text": ""}),
        ("note", {"text": ["no"]}),
        ("note", {"text": "x" * 10_001}),
        ("finding", {"step": "guess", "summary": "x"}),
        ("role", {"role": "king", "name": "x"}),
        ("mitigation", {"name": ""}),
        ("resolve", {"anyway": "perhaps"}),
    ],
)
async def test_a_word_that_does_not_fit_is_refused_and_its_field_named(
    service: Service, firing: Firing, word: str, body: Any
) -> None:
    await service.send(firing())
    (row,) = await service.incidents()

    answer = await service.post(f"/api/incidents/{row['id']}/{word}", body)

    assert 400 == answer.status_code
    assert ":" in answer.json()["error"]


async def test_a_finding_with_half_a_character_is_kept_and_shown(
    service: Service, firing: Firing
) -> None:
    await service.send(firing(annotations={"summary": "<img src=x onerror=alert(1)>"}))
    (row,) = await service.incidents()
    raw = b'{"step": "red", "summary": "\\ud800", "detail": {"\\udfff": 1}}'
    at = f"/api/incidents/{row['id']}"

    answer = await service.http.post(f"{at}/finding", content=raw, headers=service.as_("responder"))
    shown = await service.get(at)

    assert (200, 200) == (answer.status_code, shown.status_code)
    assert shown.headers["content-type"].startswith("application/json")
    assert "nosniff" == shown.headers["x-content-type-options"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/incidents/../../etc/passwd",
        "/api/incidents/..%2f..%2fetc%2fpasswd",
        "/api/incidents/%00",
        "/api/incidents/" + "x" * 199,
        "/api/incidents/%F0%9F%94%A5",
        "/nothing",
    ],
)
async def test_a_path_that_leads_nowhere_is_not_found(service: Service, path: str) -> None:
    assert 404 == (await service.get(path)).status_code


async def test_limits_of_the_list_are_told(service: Service) -> None:
    answer = await service.get("/api/incidents?limit=0")

    assert 400 == answer.status_code
    assert "limit" in answer.json()["error"]


async def test_the_document_names_every_status_that_was_seen(
    service: Service, firing: Firing
) -> None:
    described = (await service.get("/openapi.json")).json()
    json.dumps(described)

    assert "422" not in json.dumps(described)
    for path, operations in described["paths"].items():
        for operation in operations.values():
            statuses = set(operation["responses"])
            if "401" in statuses:
                # PagerDuty proves who it is by its signature.
                assert operation["security"] or path == "/hooks/pagerduty"
            if "{incident}" in path:
                assert "404" in statuses


async def test_it_says_how_it_does_itself(service: Service, firing: Firing) -> None:
    await service.send(firing(), {"labels": {"alertname": "Watchdog"}})
    await service.engine.tick()

    text = (await service.get("/metrics")).text

    route = 'method="POST",route="/hooks/alertmanager"'
    assert f'gameday_http_requests_total{{code="200",{route}}} 1.0' in text
    assert "gameday_incidents_open 1.0" in text
    assert "gameday_requests_waiting " in text
    assert "gameday_pages_failed_total 0.0" in text
    assert "gameday_duties_fulfilled_total" in text
    assert "gameday_watchdog_beat_timestamp_seconds" in text
    assert "/api/incidents/x" not in text


async def test_health_needs_no_token_and_readiness_asks_the_store(
    service: Service,
) -> None:
    assert 200 == (await service.http.get("/healthz")).status_code
    assert 200 == (await service.http.get("/readyz")).status_code


async def test_a_fault_of_our_own_shows_no_traceback(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(service.engine, "listed", broken)

    answer = await service.get("/api/incidents")

    assert (500, False) == (answer.status_code, "secret" in answer.text)


def is_refused(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and "location" not in answer.headers


async def linked(service: Service, firing: Firing, view: str, **more: Any) -> str:
    await service.send(firing(**more))
    (row,) = await service.incidents()
    shown = (await service.get(f"/api/incidents/{row['id']}")).json()
    return str(shown["links"][view]).removeprefix("http://here")


async def test_a_deeplink_redirects_and_its_opening_is_on_record(
    service: Service, firing: Firing
) -> None:
    url = "https://wiki/runbook?x=1"
    link = await linked(service, firing, "runbook", annotations={"runbook_url": url})

    bare = await service.http.get(link)
    known = await service.http.get(link, headers=service.as_("responder"))
    machine = await service.http.get(link, headers=service.as_("webhook"))

    assert [(302, url)] * 3 == [
        (a.status_code, a.headers["location"]) for a in (bare, known, machine)
    ]
    (row,) = await service.incidents()
    shown = (await service.get(f"/api/incidents/{row['id']}")).json()
    opened = [f["data"]["by"] for f in shown["timeline"] if f["kind"] == "link.opened"]
    assert [None, "the responder", None] == opened


async def test_a_tool_that_asks_for_a_key_gets_it_by_whatever_name_this_machine_was_asked(
    service: Service, firing: Firing
) -> None:
    url = "http://127.0.0.1:19/runbook?x=1"
    keys.learn({"http://127.0.0.1:19": "a token"})
    key = keys.reading_for(url)
    link = await linked(service, firing, "runbook", annotations={"runbook_url": url})

    same = await service.http.get(link, headers={"host": "127.0.0.1:8080"})
    other = await service.http.get(link, headers={"host": "localhost:8080"})

    assert (url, True) == (same.headers["location"], key in same.headers["set-cookie"])
    assert (f"{url}&key={key}", False) == (
        other.headers["location"],
        "set-cookie" in other.headers,
    )


async def test_openings_by_nobody_known_do_not_fill_the_record(
    service: Service, firing: Firing
) -> None:
    url = "https://wiki/runbook"
    link = await linked(service, firing, "runbook", annotations={"runbook_url": url})

    answers = [(await service.http.get(link)).status_code for _ in range(RECORDED + 15)]
    await service.http.get(link, headers=service.as_("responder"))

    (row,) = await service.incidents()
    shown = (await service.get(f"/api/incidents/{row['id']}")).json()
    opened = [f["data"]["by"] for f in shown["timeline"] if f["kind"] == "link.opened"]
    assert {302} == set(answers)
    assert [*[None] * RECORDED, "the responder"] == opened


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil", "https://x\r\nset-cookie: a=b", "data:,x", "https://"]
)
async def test_a_deeplink_leads_to_no_address_that_is_not_the_webs(
    service: Service, firing: Firing, url: str
) -> None:
    link = await linked(service, firing, "runbook", annotations={"runbook_url": url})

    answer = await service.http.get(link)

    assert answer.headers["location"].startswith("/api/incidents/")
    assert "set-cookie" not in answer.headers


async def test_a_deeplink_with_any_one_bit_changed_is_refused(
    service: Service, firing: Firing
) -> None:
    token = (await linked(service, firing, "red")).removeprefix("/go/")

    for place in range(len(token)):
        for bit in range(8):
            changed = bytearray(token.encode())
            changed[place] ^= 1 << bit
            path = "/go/" + "".join(f"%{b:02x}" for b in changed)
            answer = await service.http.get(path)
            # A slash makes another path of it, which leads nowhere.
            assert is_refused(answer) or (b"/" in changed and answer.status_code == 404)
    for forged in ("", "x", ".", token + "=", token + "A", token[:-1], f"{token}.{token}", "é" * 9):
        assert (await service.http.get(f"/go/{forged}")).status_code in (403, 404)


async def test_an_expired_deeplink_is_refused(service: Service, firing: Firing) -> None:
    link = await linked(service, firing, "red")

    service.clock.advance(timedelta(hours=72))
    last = await service.http.get(link)
    service.clock.advance(timedelta(seconds=1))
    expired = await service.http.get(link)

    assert (302, True) == (last.status_code, is_refused(expired))
