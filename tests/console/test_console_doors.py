"""Who comes in, what a form must carry, and what a session never sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from opened_drill import INJECTED, RUNBOOK, Desk, csrf_of, instruments
from starlette.routing import Mount

from gameday.ports import Role
from scoring.timeline import Kind

pytestmark = pytest.mark.served

OPEN = {"/sign-in", "/enter/{secret}", "/whoami", "/assets/{version}/{name}"}
"""What is there for people without a session."""

SCRIPT = "<script>alert(1)</script>"


def routes_of(desk: Desk) -> Iterator[tuple[str, str]]:
    mounted = next(r for r in desk.api.routes if isinstance(r, Mount))
    assert isinstance(mounted.app, FastAPI)
    for route in mounted.app.routes:
        if isinstance(route, APIRoute) and route.path not in OPEN:
            path = route.path.format(
                incident=desk.id, name="red", step="red", run="r1", secret="x", version="1"
            )
            for method in route.methods:
                yield method, f"/console{path}"


async def test_every_page_without_a_session_leads_to_signing_in(desk: Desk) -> None:
    await desk.page()
    http = desk.browser()
    asked = list(routes_of(desk))

    said = {(m, p): (await http.request(m, p)) for m, p in asked}

    assert len(asked) > 15
    for (method, path), answer in said.items():
        if method == "GET":
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/console/sign-in"), path
        else:
            assert answer.status_code == 401, path


@pytest.mark.parametrize("path", ["/", "/console"])
async def test_whoever_types_the_address_short_is_led_to_the_console(desk: Desk, path: str) -> None:
    answer = await desk.browser().get(path)

    assert (303, "/console/") == (answer.status_code, answer.headers["location"])


async def test_every_form_without_its_token_is_refused(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    before = len(desk.ledger.timeline)
    forms = [path for method, path in routes_of(desk) if method == "POST"]

    bare = [(await http.post(p, data={"text": "x"})).status_code for p in forms]
    wrong = [(await http.post(p, data={"csrf": "x", "text": "x"})).status_code for p in forms]

    assert len(forms) >= 8
    assert {*bare, *wrong} == {403}
    assert len(desk.ledger.timeline) == before


async def test_a_form_of_another_session_is_refused(desk: Desk) -> None:
    await desk.page()
    mine, other = await desk.signed_in(), await desk.signed_in()
    csrf = csrf_of((await other.get(f"/console/incidents/{desk.id}")).text)

    answer = await mine.post(f"/console/incidents/{desk.id}/ack", data={"csrf": csrf})

    assert answer.status_code == 403


async def test_a_session_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    http = desk.browser()

    answer = await http.get(f"/console/enter/{desk.secrets[Role.RESPONDER]}")

    session, link = answer.headers.get_list("set-cookie")
    assert "HttpOnly" in session and "SameSite=Strict" in session and "Path=/;" in session
    assert "HttpOnly" in link and "SameSite=Lax" in link and "Path=/go;" in link


async def test_a_token_signs_in_and_out_by_form(desk: Desk) -> None:
    await desk.page()
    http = desk.browser()
    secret = desk.secrets[Role.RESPONDER]

    wrong = await http.post("/console/sign-in", data={"token": "guess", "next": "/console/"})
    right = await http.post(
        "/console/sign-in", data={"token": secret, "next": f"/console/incidents/{desk.id}/red"}
    )
    page = await http.get(right.headers["location"])
    await http.post("/console/sign-out", data={"csrf": csrf_of(page.text)})
    after = await http.get(f"/console/incidents/{desk.id}/red")

    assert wrong.status_code == 401
    assert (right.status_code, right.headers["location"]) == (
        303,
        f"/console/incidents/{desk.id}/red",
    )
    assert after.headers["location"] == f"/console/sign-in?next=/console/incidents/{desk.id}/red"


@pytest.mark.parametrize(
    "next_",
    ["http://evil.example/", "//evil.example", "/console//evil", "/console/\\evil", "/api", ""],
)
async def test_signing_in_leads_nowhere_else(desk: Desk, next_: str) -> None:
    http = desk.browser()

    answer = await http.post(
        "/console/sign-in", data={"token": desk.secrets[Role.RESPONDER], "next": next_}
    )

    assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
    ],
)
async def test_another_site_cannot_sign_somebody_in(desk: Desk, headers: dict[str, str]) -> None:
    http = desk.browser()

    answer = await http.post(
        "/console/sign-in",
        data={"token": desk.secrets[Role.RESPONDER]},
        headers=headers,
    )

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_session_ends_with_its_shift(desk: Desk) -> None:
    http = await desk.signed_in()
    desk.clock.advance(timedelta(hours=12, seconds=1))

    assert (await http.get("/console/whoami")).json() == {"in": False}


@pytest.mark.parametrize("place", range(0, 200, 7))
async def test_an_altered_cookie_is_no_session(desk: Desk, place: int) -> None:
    http = await desk.signed_in()
    [(name, value)] = [(c.name, c.value or "") for c in http.cookies.jar if c.path == "/"]
    place %= len(value)
    if value[place] == ".":
        place += 1
    altered = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]

    answer = await desk.browser().get("/console/whoami", headers={"cookie": f"{name}={altered}"})

    assert answer.json() == {"in": False}


async def test_the_cookie_of_deeplinks_opens_no_page(desk: Desk) -> None:
    http = await desk.signed_in()
    cookies = {c.path: (c.name, c.value) for c in http.cookies.jar}
    name, value = cookies["/"][0], cookies["/go"][1]

    answer = await desk.browser().get("/console/whoami", headers={"cookie": f"{name}={value}"})

    assert answer.json() == {"in": False}


async def test_a_link_opened_in_the_responders_browser_counts_and_leads_to_the_view(
    desk: Desk,
) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await http.get(desk.link("traces"))

    assert answer.headers["location"] == f"/console/incidents/{desk.id}/traces"
    assert desk.links_opened() == [("traces", "on-call")]


async def test_a_link_from_a_chat_counts_by_the_lax_cookie_alone(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    [link] = [c for c in http.cookies.jar if c.path == "/go"]

    await desk.browser().get(desk.link("red"), headers={"cookie": f"{link.name}={link.value}"})

    assert desk.links_opened() == [("red", "on-call")]


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}, True),
        ({"referer": "http://here/console/"}, True),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate"}, False),
        ({}, False),
    ],
)
async def test_a_view_counts_as_opened_only_where_a_page_of_ours_led_to_it(
    desk: Desk, headers: dict[str, str], counts: bool
) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await http.get(f"/console/incidents/{desk.id}/open/red", headers=headers)

    assert f"/console/incidents/{desk.id}/red" == answer.headers["location"]
    assert ([("red", "on-call")] if counts else []) == desk.links_opened()


async def test_no_page_of_another_site_takes_anything_in(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    asked = [path for method, path in routes_of(desk) if method == "GET"]
    asked += [desk.link("red"), "/api/incidents", "/healthz"]
    image = {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    frame = image | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}

    said = {(await http.get(p, headers=h)).status_code for p in asked for h in (image, frame)}

    assert ({403}, []) == (said, desk.links_opened())


async def test_nothing_may_be_framed(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    asked = [f"/console/incidents/{desk.id}", "/console/sign-in", "/api/incidents", "/go/x"]

    said = [await http.get(path) for path in asked]

    assert ["DENY"] * 4 == [a.headers["x-frame-options"] for a in said]
    assert all("frame-ancestors 'none'" in a.headers["content-security-policy"] for a in said)


@pytest.mark.parametrize("role", [None, Role.OBSERVER, Role.FACILITATOR])
async def test_a_link_opened_by_nobody_who_answers_redirects_and_counts_for_nobody(
    desk: Desk, role: Role | None
) -> None:
    await desk.page()
    http = await desk.signed_in(role) if role else desk.browser()

    answer = await http.get(desk.link("red"))

    assert answer.status_code == 302
    assert desk.links_opened() == [("red", None)]


async def test_a_deeplink_gives_no_secret_of_the_run_away(desk: Desk) -> None:
    await desk.page()
    http = desk.browser()

    answers = [
        await http.get(desk.link(link), follow_redirects=False)
        for link in ("red", "traces", "profile", "runbook")
    ]

    said = "".join(f"{a.headers} {a.text}" for a in answers)
    assert not any(secret in said for secret in desk.secrets.values())
    assert answers[3].text == RUNBOOK.read_text(encoding="utf-8")


async def test_the_on_call_never_gets_a_byte_about_the_injected_fault(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    seen = [await desk.send(http, "ack"), await desk.send(http, "findings/red", moved="duration")]

    seen += [await http.request(m, p) for m, p in routes_of(desk) if not p.endswith("/events")]
    seen += [await http.get("/console/", follow_redirects=True)]

    for answer in seen:
        for word in (INJECTED, "slow-db", "400ms", "fault"):
            assert word not in f"{answer.headers.get('location')} {answer.text}".lower()


@pytest.mark.parametrize("role", [Role.RESPONDER, Role.OBSERVER])
async def test_only_the_facilitator_sees_the_run_while_it_goes_on(desk: Desk, role: Role) -> None:
    http = await desk.signed_in(role)

    answers = [
        await http.get("/console/runs/r1"),
        await http.get("/console/runs/r1/live"),
        await http.get("/console/runs/r1/events"),
        await http.post(
            "/console/runs/r1/abort",
            data={"csrf": csrf_of((await http.get("/console/runs")).text), "sure": "yes"},
        ),
    ]

    assert [a.status_code for a in answers] == [400, 400, 403, 403]
    assert list(desk.store.orders("r1")) == []
    assert "slow-db" not in (await http.get("/console/runs")).text


async def test_an_observer_reads_and_changes_nothing(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in(Role.OBSERVER)

    page = await http.get(f"/console/incidents/{desk.id}")
    answer = await desk.send(http, "ack")
    opened = await http.get(f"/console/incidents/{desk.id}/open/red")

    assert "Awaited from the on-call" in page.text
    assert (answer.status_code, opened.status_code) == (403, 303)
    assert desk.of_kind(Kind.ACKNOWLEDGED) == desk.of_kind(Kind.LINK_OPENED) == []


async def test_script_in_labels_findings_notes_and_spans_is_escaped(tmp_path: Path) -> None:
    async with Desk(tmp_path, instruments(span_name=SCRIPT)).opened() as desk:
        await desk.page(summary=SCRIPT, alertname=SCRIPT)
        http = await desk.signed_in()
        await desk.send(http, "findings/trace", service=SCRIPT, span=SCRIPT, summary=SCRIPT)
        await desk.send(http, "notes", text=SCRIPT, here='"><script>')

        pages = [
            (await http.get(f"/console/incidents/{desk.id}{view}")).text
            for view in ("", "/red", "/traces", "/profile", "/blame", "/runbook", "/live")
        ]

        assert all(SCRIPT not in page for page in pages)
        assert sum("&lt;script&gt;alert(1)" in page for page in pages) == len(pages)


async def test_no_script_but_the_servers_own_may_run_on_any_page(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    paths = ("", f"/{desk.id}", f"/{desk.id}/red")
    answers = [await http.get(f"/console/incidents{p}") for p in paths]
    answers.append(await desk.browser().get("/console/sign-in"))

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "<script>" not in answer.text and " onclick" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["..%2f..%2fapp.py", "app.py", "%2e%2e/rendering.py", "x" * 300])
async def test_only_the_assets_are_handed_out(desk: Desk, name: str) -> None:
    answer = await desk.browser().get(f"/console/assets/1/{name}")

    assert answer.status_code in (303, 404)


@pytest.mark.parametrize("name", ["console.css", "console.js", "plotly.js"])
async def test_the_assets_come_from_this_server(desk: Desk, name: str) -> None:
    answer = await desk.browser().get(f"/console/assets/1/{name}")

    assert answer.status_code == 200
    assert len(answer.content) > 1000


async def test_a_form_too_large_is_refused(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await desk.send(http, "notes", text="x" * 100_000)

    assert answer.status_code == 413


async def test_a_body_that_is_no_form_is_refused(desk: Desk) -> None:
    await desk.page()
    http: httpx.AsyncClient = await desk.signed_in()

    answer = await http.post(f"/console/incidents/{desk.id}/ack", json={"csrf": "x"})

    assert answer.status_code == 400


async def test_no_page_holds_the_secret_of_its_own_session(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    html = (await http.get(f"/console/incidents/{desk.id}")).text

    assert csrf_of(html)
    assert not any(c.value and c.value.partition(".")[0] in html for c in http.cookies.jar)
