"""What anybody could send to the service: one by one, refused with a sentence or made harmless."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opened_service import Opening, Service

Firing = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.served

OPEN = {"/healthz", "/readyz", "/proof"}
"""Whether it lives is for everybody, and whether it is the one that they are about to trust."""


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route there is, also of ones that no document names."""
    for route in app._app.routes:
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, route.path


async def test_no_route_opens_without_a_token(service: Service) -> None:
    found = list(routes(service.app))

    for method, path in found:
        filled = path.replace("{incident}", "x").replace("{token}", "x.y")
        answer = await service.http.request(method, filled)
        assert (answer.status_code in (401, 403)) != (path in OPEN), (method, path)
    assert len(found) > 15


async def test_no_route_opens_to_a_token_that_was_made_up(service: Service) -> None:
    for method, path in routes(service.app):
        if path in OPEN:
            continue
        filled = path.replace("{incident}", "x").replace("{token}", "x.y")
        for forged in ("gd_" + "A" * 43, "é", "\N{SNOWMAN}".encode().decode("latin-1"), "'--"):
            headers = {"authorization": f"Bearer {forged}".encode("latin-1")}
            answer = await service.http.request(method, filled, headers=headers)  # type: ignore[arg-type]
            # Bytes, since a text would have to be ASCII.
            assert answer.status_code in (401, 403), (method, path)


async def test_of_a_key_that_stands_twice_the_last_one_counts(
    service: Service,
) -> None:
    raw = (
        b'{"alerts": [], "alerts": [{"labels": {"service": "one", "service": "two", "slo": "s",'
        b' "severity": "page"}}]}'
    )

    answer = await service.http.post(
        "/hooks/alertmanager", content=raw, headers=service.as_("webhook")
    )

    assert {"recorded": 1} == answer.json()
    assert ["two"] == [i["service"] for i in await service.incidents()]


@pytest.mark.parametrize("number", ["9" * 19, "9" * 400, "-" + "9" * 400, "1e308", "0.1e-999"])
async def test_a_number_of_any_size_is_kept_or_refused(
    service: Service, firing: Firing, number: str
) -> None:
    await service.send(firing())
    (row,) = await service.incidents()
    at = f"/api/incidents/{row['id']}"
    raw = f'{{"step": "red", "summary": "x", "detail": {{"n": {number}}}}}'

    answer = await service.http.post(f"{at}/finding", content=raw, headers=service.as_("responder"))
    shown = await service.get(at)

    assert 200 == shown.status_code
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        kept = [f["data"]["detail"]["n"] for f in shown.json()["timeline"] if "detail" in f["data"]]
        assert [json.loads(number)] == kept


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("note", {"text": "a\0b"}),
        ("role", {"role": "scribe", "name": "a\0b"}),
        ("mitigation", {"name": "a\0b", "parameters": {"a\0": "\0"}}),
        ("finding", {"step": "red", "summary": "\0", "detail": {"\0": ["\0"]}}),
        ("postmortem", {"url": "https://x/\0"}),
    ],
)
async def test_a_nul_byte_breaks_neither_the_store_nor_the_answer(
    service: Service, firing: Firing, word: str, body: Any
) -> None:
    await service.send(firing())
    (row,) = await service.incidents()
    at = f"/api/incidents/{row['id']}"

    answer = await service.post(f"{at}/{word}", body)

    assert answer.status_code in (200, 400)
    assert 200 == (await service.get(at)).status_code
    assert 200 == (await service.get("/api/incidents")).status_code


async def test_a_nul_byte_in_every_text_of_a_webhook_is_made_harmless(
    service: Service, firing: Firing
) -> None:
    hostile = firing("a\0", annotations={"\0": "\0"}, service="s\0", slo="\0", alertname="\0")

    answer = await service.send(hostile)

    assert {"recorded": 1} == answer.json()
    (row,) = await service.incidents()
    assert "\0" not in json.dumps((await service.get(f"/api/incidents/{row['id']}")).json())


SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


async def test_script_in_every_text_of_an_alert_is_only_ever_json(
    service: Service, firing: Firing
) -> None:
    hostile = firing(
        SCRIPT,
        annotations={"summary": SCRIPT, "runbook_url": f"javascript:{SCRIPT}"},
        service=SCRIPT,
        slo=SCRIPT,
    )
    await service.send(hostile)
    (row,) = await service.incidents()

    shown = await service.get(f"/api/incidents/{row['id']}")
    link = await service.http.get(shown.json()["links"]["runbook"].removeprefix("http://here"))

    for answer in (shown, await service.get("/api/incidents")):
        assert answer.headers["content-type"].startswith("application/json")
        assert "nosniff" == answer.headers["x-content-type-options"]
    assert link.headers["location"].startswith("/api/incidents/")
    assert "<" not in link.headers["location"]


async def test_a_label_of_a_million_characters_is_cut_and_ten_thousand_labels_are_few(
    service: Service, firing: Firing
) -> None:
    many = {f"label-{n}": "x" for n in range(10_000)}

    answer = await service.send(firing("f1", service="s" * 1_000_000), firing("f2", **many))

    assert {"recorded": 2} == answer.json()
    for row in await service.incidents():
        (alert,) = (await service.get(f"/api/incidents/{row['id']}")).json()["alerts"]
        assert max(map(len, alert["labels"].values())) <= 1024
        assert len(alert["labels"]) <= 64


@pytest.mark.parametrize(
    "query", ["limit=99999999999999999999999", "limit=1e3", "limit=%00", "limit=-1", "open=perhaps"]
)
async def test_a_query_that_does_not_fit_is_refused(service: Service, query: str) -> None:
    assert 400 == (await service.get(f"/api/incidents?{query}")).status_code


async def test_five_megabytes_are_refused_by_every_route_that_reads(opening: Opening) -> None:
    async with opening() as service:
        body = b'{"text": "' + b"x" * (5 * 1024 * 1024) + b'"}'
        for method, path in routes(service.app):
            if method != "POST":
                continue
            filled = path.replace("{incident}", "x")
            answer = await service.http.post(
                filled, content=body, headers=service.as_("facilitator")
            )
            assert 413 == answer.status_code, path
