"""What each page of a drill's console shows, and what clicking it puts on record."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from opened_drill import Desk, csrf_of, instruments

from gameday.errors import TemporaryDriverError
from gameday.model.page import Step
from gameday.ports import Role
from scoring.timeline import Kind

pytestmark = pytest.mark.served

DOWN = TemporaryDriverError("Prometheus at http://prom does not answer")
VIEWS = ("red", "traces", "profile", "blame", "runbook")


async def got(http: httpx.AsyncClient, path: str) -> str:
    answer = await http.get(f"/console/incidents/{path}")
    assert answer.status_code == 200, answer.text
    return answer.text


def big_button(html: str) -> str:
    found = re.search(r'id="next"[^>]*>(.*?)(<small>|</button>|</a>)', html, re.DOTALL)
    assert found is not None, html
    return found.group(1).strip()


async def test_before_the_page_the_on_call_is_told_to_wait(desk: Desk) -> None:
    http = await desk.signed_in()

    home = await http.get("/console/", follow_redirects=True)

    assert "No page yet" in home.text


async def test_the_way_of_the_funnel_is_one_big_button_after_the_other(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    said = [big_button(await got(http, desk.id))]

    await desk.send(http, "ack")
    said.append(big_button(await got(http, desk.id)))
    await desk.send(http, "findings/red", moved="duration", shape="plateau", region="eu-west")
    said.append(big_button(await got(http, desk.id)))
    await desk.send(http, "findings/trace", service="inventory", downstream="db", region="eu-west")
    said.append(big_button(await got(http, desk.id)))
    await desk.send(http, "findings/profile", where="off-cpu", waiting_in="db")
    said.append(big_button(await got(http, desk.id)))
    await desk.send(http, "findings/blame", explained="no")
    said.append(big_button(await got(http, desk.id)))
    said.append(big_button(await got(http, f"{desk.id}/runbook")))
    await desk.send(http, "mitigations", fix="failover-db", **{"p.region": "eu-west"})
    said.append(big_button(await got(http, desk.id)))

    assert said == [
        "Acknowledge: I have it",
        "Read RED",
        "Read the traces",
        "Read the profile",
        "Read the changes",
        "Mitigate",
        "Start failover-db",
        "Watch it recover",
    ]


async def test_acknowledging_by_click_is_on_record_and_leads_to_red(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await desk.send(http, "ack")
    led = {"sec-fetch-site": "same-origin"}  # as a browser says that our own page leads there
    red = await http.get(answer.headers["location"], headers=led, follow_redirects=True)

    assert [f.data["by"] for f in desk.of_kind(Kind.ACKNOWLEDGED)] == ["on-call"]
    assert desk.links_opened() == [("red", "on-call")]
    assert red.url.path == f"/console/incidents/{desk.id}/red"


@pytest.mark.parametrize(
    ("view", "readings"),
    [
        ("red", ["duration moved", 'class="shape"', "did not move"]),
        ("traces", ["inventory waiting for db", "bulk</em>", 'class="bulk']),
        ("profile", ["off-CPU, inventory", 'class="leaf"', "widest leaf:", "of inventory"]),
        ("blame", ["no change explains this<", 'class="onset"', "Last change"]),
        ("runbook", [" fits", "<em>fits"]),
    ],
)
async def test_a_view_marks_nothing_and_its_form_is_blank(
    desk: Desk, view: str, readings: list[str]
) -> None:
    await desk.page()
    http = await desk.signed_in()

    html = await got(http, f"{desk.id}/{view}")
    form = re.search(r'<form id="finding".*?</form>', html, re.DOTALL)
    fields = re.findall(r"<input[^>]*>", form.group(0)) if form else []
    kept = ('type="hidden"', 'type="checkbox"', 'type="radio"')

    assert [r for r in readings if r in html.partition("<main")[2]] == []
    assert [f for f in fields if " checked" in f] == []
    assert [f for f in fields if " value=" in f and not any(k in f for k in kept)] == []


async def test_the_charts_carry_no_reading_before_a_hint(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    data = (await http.get(f"/console/incidents/{desk.id}/red.json")).json()

    assert sorted(data) == ["marks", "panels"]
    assert [m["words"] for m in data["marks"]] == ["page"]


async def test_a_wrong_finding_does_not_bring_the_reading_for_nothing(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "findings/trace", service="storefront")

    assert "inventory waiting for db" not in await got(http, f"{desk.id}/traces")


async def test_a_hint_is_on_record_once_and_shows_only_its_own_step(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    await desk.send(http, "hints/trace")
    answer = await desk.send(http, "hints/trace")

    assert answer.headers["location"] == f"/console/incidents/{desk.id}/traces"
    assert [(f.data["step"], f.data["by"]) for f in desk.of_kind(Kind.HINT_ASKED)] == [
        ("trace", "on-call")
    ]
    assert "asked for a hint: trace" in await got(http, desk.id)
    assert "inventory waiting for db" in await got(http, f"{desk.id}/traces")
    assert "duration moved" not in await got(http, f"{desk.id}/red")


@pytest.mark.parametrize("step", ["mitigate", "nonsense"])
async def test_what_has_no_hint_says_what_has(desk: Desk, step: str) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await desk.send(http, f"hints/{step}")

    assert answer.status_code == 400
    assert "red, trace, profile, blame have one" in answer.text


async def test_whoever_may_not_act_asks_for_no_hint(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in(Role.FACILITATOR)

    answer = await desk.send(http, "hints/trace")

    assert answer.status_code == 403
    assert desk.of_kind(Kind.HINT_ASKED) == []


async def test_the_profile_is_of_the_service_that_is_chosen(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    first = await got(http, f"{desk.id}/profile")
    chosen = await got(http, f"{desk.id}/profile?service=inventory")
    foreign = await got(http, f"{desk.id}/profile?service=nobody")
    await desk.send(http, "findings/trace", service="inventory", downstream="db")

    found = await got(http, f"{desk.id}/profile")

    assert "Profile of storefront" in first
    assert "Profile of inventory" in chosen
    assert "no span of nobody is in these traces" in foreign
    assert "Profile of inventory" in found


async def test_red_names_what_moved_and_its_shape_as_a_hint(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "hints/red")

    html = await got(http, f"{desk.id}/red")
    data = (await http.get(f"/console/incidents/{desk.id}/red.json")).json()

    assert "duration moved in eu-west" in html
    assert [p["signal"] for p in data["panels"]] == ["rate", "errors", "duration"]
    assert {s["name"] for s in data["panels"][2]["series"]} == {"eu-west", "us-east"}
    assert [m["signal"] for m in data["movements"]] == ["duration"]


async def test_traces_are_waterfalls_whose_bulk_span_a_hint_marks(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "hints/trace")

    html = await got(http, f"{desk.id}/traces")

    assert 5 <= html.count('<details class="trace"') <= 10
    assert "inventory waiting for db is slow in eu-west" in html
    marked = re.findall(r'<li class="bulk[^"]*">\s*<span[^>]*><b>(\w+)</b> ([^<]+) <em>', html)
    assert set(marked) == {("inventory", "SELECT stock → db")}


async def test_a_call_says_whom_it_goes_to(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    assert "</b> SELECT stock → db</span>" in await got(http, f"{desk.id}/traces")


async def test_a_hint_marks_the_widest_leaf_of_the_flame_graph(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "hints/profile")

    html = await got(http, f"{desk.id}/profile")

    assert re.findall(r'<g class="leaf"><title>([^ ]+)', html) == ["Stock.reserve"]
    assert "off-CPU, inventory is waiting in db" in html


async def test_the_flame_graph_can_be_of_one_trace(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await got(http, f"{desk.id}/traces")

    html = await got(http, f"{desk.id}/profile?trace={2:032x}")

    assert "Trace <code>00000000</code> only" in html


async def test_a_trace_that_is_not_shown_has_no_flame_graph(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    html = await got(http, f"{desk.id}/profile?trace=abcdef")

    assert "this trace is not among those that are shown" in html


async def test_blame_stands_beside_the_deploy_timeline_as_a_hint(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "hints/blame")

    html = await got(http, f"{desk.id}/blame")

    assert "no change explains this" in html
    assert "<code>c0ffee1234</code>" in html
    assert 'class="onset"' in html


async def test_the_runbook_gives_the_fix_that_fits_first_and_filled_in(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "findings/trace", service="inventory", downstream="db", region="eu-west")

    html = await got(http, f"{desk.id}/runbook")

    fixes = re.findall(r'<article class="fix( fits)?">\s*<h3>([\w-]+)', html)
    assert fixes[0] == (" fits", "failover-db")
    assert 'name="p.region" value="eu-west"' in html


async def test_a_mitigation_by_click_is_done_and_ticks_its_step(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    await desk.send(http, "mitigations", fix="failover-db", **{"p.region": "eu-west"})

    [applied] = desk.of_kind(Kind.MITIGATION_APPLIED)
    assert applied.data["ok"] is True
    assert applied.data["parameters"] == {"region": "eu-west"}
    [ticked] = desk.of_kind(Kind.RUNBOOK_STEP)
    assert (ticked.data["step"], ticked.data["done"]) == ("failover-db", True)
    [chosen] = [f for f in desk.of_kind(Kind.FINDING) if f.data["step"] == "mitigate"]
    assert chosen.data["detail"]["mitigation"] == "failover-db"


async def test_regions_and_services_that_were_read_are_chosen_and_not_typed(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()
    typed = await got(http, f"{desk.id}/runbook")
    for view in ("red", "traces"):
        await got(http, f"{desk.id}/{view}")

    chosen = await got(http, f"{desk.id}/runbook")

    assert '<input id="p-drain-region-region"' in typed
    region = re.search(r'<select id="p-drain-region-region".*?</select>', chosen, re.DOTALL)
    service = re.search(r'<select id="p-rollback-deploy-service".*?</select>', chosen, re.DOTALL)
    assert region is not None and service is not None
    assert re.findall("<option>(.*?)</option>", region[0]) == ["eu-west", "us-east"]
    assert "inventory" in re.findall("<option>(.*?)</option>", service[0])


async def test_a_mitigation_that_fails_says_so_and_is_not_ticked(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    await desk.send(http, "mitigations", fix="rollback-deploy", **{"p.service": "checkout"})
    html = await got(http, f"{desk.id}/runbook")

    assert desk.of_kind(Kind.RUNBOOK_STEP) == []
    assert "there is no mitigation &#39;rollback-deploy&#39;" in html


async def test_a_mitigation_without_what_it_needs_is_refused(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await desk.send(http, "mitigations", fix="drain-region", **{"p.region": " "})

    assert answer.status_code == 400
    assert "drain-region needs a region" in answer.text
    assert desk.of_kind(Kind.MITIGATION_STARTED) == []


async def test_steps_are_ticked_and_skipped_with_a_remark(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    await desk.send(http, "ticks", step="read-red", done="yes", note="")
    await desk.send(http, "ticks", step="find-hop", done="no", note="store down")

    ticked = [
        (f.data["step"], f.data["done"], f.data["note"]) for f in desk.of_kind("runbook.step")
    ]
    assert ticked == [("read-red", True, ""), ("find-hop", False, "store down")]


async def test_open_pages_hear_of_whoever_is_late(desk: Desk) -> None:
    await desk.page()
    before = await desk.console.incidents.pulse(desk.id)

    desk.clock.advance(timedelta(seconds=31))
    after = await desk.console.incidents.pulse(desk.id)

    assert before != after
    assert "on-call is late" in await got(await desk.signed_in(), desk.id)


async def test_a_note_stands_in_the_record(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in()

    await desk.send(http, "notes", text="the shop's phone rings", here="overview")

    assert "note: the shop&#39;s phone rings" in await got(http, desk.id)


@pytest.mark.parametrize("view", ["", *(f"/{v}" for v in VIEWS)], ids=lambda v: v or "overview")
async def test_a_page_works_while_no_instrument_does(desk: Desk, tmp_path, view: str) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "broken"
    folder.mkdir()
    async with Desk(folder, instruments(broken=DOWN)).opened() as broken:
        await broken.page()
        http = await broken.signed_in()
        html = await got(http, f"{broken.id}{view}")

    assert "Note for the record" in html
    if view not in ("/runbook", "/blame"):
        assert "Prometheus at http://prom does not answer" in html


@pytest.mark.parametrize(
    ("step", "fields", "why"),
    [
        ("trace", {}, "which service"),
        ("profile", {"where": "off-cpu"}, "waiting in what"),
        ("profile", {"where": "on-cpu"}, "which function"),
        ("blame", {}, "yes or no"),
        ("blame", {"explained": "yes"}, "which commit"),
        ("red", {}, "which of rate"),
        ("red", {"moved": "-", "shape": "banana"}, "no shape"),
        ("profile", {}, "working or waiting"),
        ("mitigate", {}, "no form of its own"),
        ("nonsense", {}, "no step"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
async def test_a_finding_that_says_too_little_is_refused_with_a_question(
    desk: Desk, step: str, fields: dict[str, str], why: str
) -> None:
    await desk.page()
    http = await desk.signed_in()

    answer = await desk.send(http, f"findings/{step}", **fields)

    assert answer.status_code == 400
    assert why in answer.text
    assert desk.of_kind(Kind.FINDING) == []


async def test_the_facilitator_sees_what_is_injected_and_what_is_awaited(desk: Desk) -> None:
    http = await desk.signed_in(Role.FACILITATOR)

    html = (await http.get("/console/", follow_redirects=True)).text

    assert "slow-downstream-of-inventory" in html
    assert "<strong>awaited</strong>" in html


async def test_the_facilitators_abort_is_the_order_of_the_command_line(desk: Desk) -> None:
    http = await desk.signed_in(Role.FACILITATOR)
    csrf = csrf_of((await http.get("/console/runs/r1")).text)

    unsure = await http.post("/console/runs/r1/abort", data={"csrf": csrf})
    sure = await http.post("/console/runs/r1/abort", data={"csrf": csrf, "sure": "yes"})

    assert (unsure.status_code, sure.status_code) == (400, 303)
    assert [(str(o.kind), o.run, o.by) for o in desk.store.orders("r1")] == [
        ("abort", "r1", "facilitator")
    ]


async def test_a_facilitator_does_not_answer_in_place_of_the_on_call(desk: Desk) -> None:
    await desk.page()
    http = await desk.signed_in(Role.FACILITATOR)

    answer = await desk.send(http, "ack")

    assert answer.status_code == 403
    assert desk.of_kind(Kind.ACKNOWLEDGED) == []


async def test_a_step_without_an_instrument_is_passed_over_and_its_page_says_why(
    tmp_path: Path,
) -> None:
    bare = replace(
        instruments(), traces=None, profiles=None, absent=frozenset({Step.TRACE, Step.PROFILE})
    )
    async with Desk(tmp_path, instruments=bare).opened() as desk:
        await desk.page()
        http = await desk.signed_in()
        await desk.send(http, "ack")

        await desk.send(http, "findings/red", moved="duration", shape="plateau")

        html = await got(http, desk.id)
        assert "Read the changes" == big_button(html)
        assert "the step does not apply" in await got(http, f"{desk.id}/traces")
        assert "the step does not apply" in await got(http, f"{desk.id}/profile")


FOUND = {
    "red": {"moved": "duration", "shape": "plateau", "region": "eu-west"},
    "trace": {"service": "inventory", "downstream": "db", "region": "eu-west"},
    "profile": {"where": "off-cpu", "waiting_in": "db"},
    "blame": {"explained": "no"},
}


def measures(desk: Desk, burn_rate: float, seconds: int = 20) -> None:
    """Let time pass in which the shortest window burns at this rate."""
    for _ in range(seconds):
        desk.clock.advance(timedelta(seconds=1))
        data = {"what": "burn_rate", "values": {"1h": 20.0, "5m": burn_rate}}
        desk.ledger.record(Kind.MEASUREMENT, source="prometheus", data=data)


@pytest.mark.parametrize(
    ("after", "said", "why"),
    [
        (100.0, "makes it worse", "what was tried makes it worse"),
        (50.0, "does not help", "what was tried does not help"),
        (0.5, "helps", "stay until the alert has cleared"),
    ],
)
async def test_after_a_mitigation_its_effect_is_awaited_and_then_told(
    desk: Desk, after: float, said: str, why: str
) -> None:
    desk.ledger.record(Kind.RUN_STARTED, source="conductor", data={"time_scale": 60})
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "ack")
    for step, fields in FOUND.items():
        await desk.send(http, f"findings/{step}", **fields)
    measures(desk, 50.0)
    before = (await http.get(f"/console/incidents/{desk.id}/live")).text

    await desk.send(http, "mitigations", fix="failover-db", **{"p.region": "eu-west"})
    awaited = (await http.get(f"/console/incidents/{desk.id}/live")).text
    measures(desk, after)
    told = (await http.get(f"/console/incidents/{desk.id}/live")).text

    assert "Mitigations" not in before
    assert "effect not known yet: nothing was measured for long enough after it" in awaited
    assert re.search(rf'<strong class="(good|bad)">{said}</strong>\s*failover-db', told), told
    assert f"burn rate 50 before, {after:g} after" in told
    assert why in told
    assert ("take it back" in told) is (said == "makes it worse")


async def test_what_was_applied_is_taken_back_by_click_and_then_something_else_is_to_be_done(
    desk: Desk,
) -> None:
    await desk.page()
    http = await desk.signed_in()
    await desk.send(http, "ack")
    for step, fields in FOUND.items():
        await desk.send(http, f"findings/{step}", **fields)
    before = await got(http, desk.id)
    await desk.send(http, "mitigations", fix="failover-db", **{"p.region": "eu-west"})
    applied = await got(http, desk.id)

    await desk.send(http, "take-back")

    after = await got(http, desk.id)
    assert [False, True, False] == ["Take back" in html for html in (before, applied, after)]
    assert ["Watch it recover", "Mitigate"] == [big_button(html) for html in (applied, after)]
    assert "take-back" == desk.of_kind(Kind.MITIGATION_APPLIED)[-1].data["name"]
