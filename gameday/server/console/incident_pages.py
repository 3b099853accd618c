"""The pages of incidents: the list, one incident, and the views of its funnel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

from gameday.diagnosis.remedy import check_of
from gameday.errors import UsageError
from gameday.http.origin import is_from_own_page
from gameday.incidents.engine import NoSuchIncident
from gameday.incidents.state import ROLES
from gameday.model.page import Finding, RedShape, Step
from gameday.model.runbook import Runbook
from gameday.server.console import pictures
from gameday.server.console.forms import FormFields, finding_of
from gameday.server.console.guard import BASE, SessionGuard, headers
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.live import Streams
from gameday.server.console.readings import Readings, Unreadable
from gameday.server.console.rendering import Renderer
from gameday.server.console.subject import VIEWS, Row, View
from gameday.server.sessions import Session
from scoring.effect import Effect
from scoring.timeline import TAKE_BACK

__all__ = ["is_read_out", "next_step", "routes"]

MOST_ROWS = 200

NAMES = {
    "red": "RED",
    "traces": "Traces",
    "profile": "Profile",
    "blame": "Changes",
    "runbook": "Runbook",
}
STEP_OF = {
    "red": Step.RED,
    "traces": Step.TRACE,
    "profile": Step.PROFILE,
    "blame": Step.BLAME,
    "runbook": Step.MITIGATE,
}
HINTED = (Step.RED, Step.TRACE, Step.PROFILE, Step.BLAME)
"""The steps that the machine can read out, where it is asked to."""

VIEW_OF = {step: view for view, step in STEP_OF.items()}


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one thing to do now.

    Attributes:
        view: the view it is done in; empty for an act of its own.
        act: the act, where it is one: ``ack`` or ``close``.
    """

    words: str
    why: str
    view: str = ""
    act: str = ""


def next_step(view: View, absent: frozenset[Step] = frozenset()) -> NextStep | None:
    """Return what the funnel asks for now; None where nothing is left to do.

    Args:
        absent: the steps that there is no instrument for.
    """
    if not view.is_open:
        return None
    if view.acked_at is None:
        return NextStep("Acknowledge: I have it", "others stop being woken", act="ack")
    if view.cleared_at is not None:
        if "close" in view.takes:
            return NextStep("Resolve the incident", "its alerts have cleared", act="close")
        return None
    found = view.said.findings
    if not view.said.is_mitigated:
        for step, words, why in (
            (Step.RED, "Read RED", "which of rate, errors and duration moved?"),
            (Step.TRACE, "Read the traces", "which span holds the bulk of the time?"),
            (Step.PROFILE, "Read the profile", "which leaf is the widest?"),
            (Step.BLAME, "Read the changes", "does a change explain it?"),
        ):
            if step not in found and step not in absent:
                return NextStep(words, why, view=VIEW_OF[step])
        tried = view.said.mitigations[-1].effect if view.said.mitigations else None
        if tried and tried.effect is Effect.MAKES_WORSE:
            return NextStep("Mitigate", "what was tried makes it worse", view="runbook")
        if tried and tried.effect is Effect.DOES_NOT_HELP:
            return NextStep("Mitigate", "what was tried does not help", view="runbook")
        return NextStep("Mitigate", "the runbook gives the fixes", view="runbook")
    return NextStep("Watch it recover", "stay until the alert has cleared", view="red")


def is_read_out(view: View, step: Step) -> bool:
    """Whether a view may show what the machine reads: it was asked to, or all is over."""
    return step in view.said.hints or not view.is_open


def routes(
    app: FastAPI,
    incidents: EngineIncidents,
    guard: SessionGuard,
    renderer: Renderer,
    readings: Readings,
    streams: Streams,
) -> None:
    """Add the pages of incidents to an application."""

    def to(incident: str, *rest: str) -> Response:
        parts = "/".join(quote(p, safe="") for p in (incident, *rest))
        return RedirectResponse(f"{BASE}/incidents/{parts}", 303, headers=headers())

    def onwards(view: View) -> Response:
        """Lead to the next step, which opens its view."""
        then = next_step(view, readings.absent)
        return to(view.id, "open", then.view) if then and then.view else to(view.id)

    async def rows(request: Request) -> tuple[list[Row], dict[str, Any]]:
        wanted = request.query_params.get("q", "").strip()[:200]
        only_open = request.query_params.get("state", "open") != "all"
        found = await incidents.listed(limit=MOST_ROWS, only_open=only_open)
        words = wanted.lower().split()
        shown = [r for r in found if all(w in _haystack(r) for w in words)]
        return shown, {"q": wanted, "only_open": only_open}

    def follows(session: Session) -> bool:
        # Whoever waits for a drill's one page is led to it.
        return incidents.is_single and guard.may_act(session)

    @app.get("/incidents")
    async def listed(request: Request) -> Response:
        session = await guard.session(request)
        shown, asked = await rows(request)
        return renderer.page(
            "incidents.html", session, rows=shown, follows=follows(session), **asked
        )

    @app.get("/incidents/events")
    async def list_events(request: Request) -> Response:
        session = await guard.session(request)

        async def look() -> str:
            found = await incidents.listed(limit=MOST_ROWS, only_open=True)
            return repr([(r.id, r.state) for r in found])

        async def pulse() -> str:
            return await streams.pulse("the list", look)

        return stream(request, session, pulse, None)

    @app.get("/incidents/{incident}")
    async def overview(incident: str, request: Request) -> Response:
        session = await guard.session(request)
        view = await incidents.view(incident)
        burn = await readings.burn(view)
        others: list[Row] = []
        if "merge" in view.takes and view.is_open and session.visitor.role in view.acting:
            found = await incidents.listed(limit=MOST_ROWS, only_open=True)
            others = [row for row in found if row.id != view.id]
        return page("incident.html", session, view, here="overview", burn=burn, others=others)

    @app.get("/incidents/{incident}/open/{name}")
    async def opened(incident: str, name: str, request: Request) -> Response:
        session = await guard.session(request)
        if name not in VIEWS:
            raise UsageError(f"there is no view {name!r}")
        # A page of another site may lead here, and whoever it leads here has not done so.
        if guard.may_act(session) and is_from_own_page(request.headers):
            await incidents.opened(incident, name, session.visitor)
        return to(incident, name)

    @app.get("/incidents/{incident}/live")
    async def live(incident: str, request: Request) -> Response:
        session = await guard.session(request)
        view = await incidents.view(incident)
        here = request.query_params.get("here", "overview")
        return page("live.html", session, view, here=here)

    @app.get("/incidents/{incident}/events")
    async def events(incident: str, request: Request) -> Response:
        session = await guard.session(request)
        view = await incidents.view(incident)

        async def burn() -> Mapping[str, Any]:
            found = await readings.burn(view)
            return {"why": found.why} if isinstance(found, Unreadable) else {"rates": dict(found)}

        async def pulse() -> str:
            return await streams.pulse(incident, lambda: incidents.pulse(incident))

        return stream(request, session, pulse, burn)

    @app.get("/incidents/{incident}/red.json")
    async def red_json(incident: str, request: Request) -> Response:
        await guard.session(request)
        view = await incidents.view(incident)
        panel = await readings.red(view)
        if isinstance(panel, Unreadable):
            return JSONResponse({"why": panel.why}, 503, headers=headers())
        marks = [(view.paged_at, "page")]
        if not is_read_out(view, Step.RED):
            return JSONResponse(pictures.charts(panel.drawn, marks), headers=headers())
        if panel.onset is not None:
            marks.append((panel.onset, "onset"))
        return JSONResponse(
            pictures.charts(panel.drawn, marks)
            | {
                "summary": panel.finding.summary,
                "movements": [
                    {"signal": m.signal, "region": m.region, "text": m.text(), "shape": m.shape}
                    for m in panel.drawn.reading.movements
                ],
            },
            headers=headers(),
        )

    @app.get("/incidents/{incident}/{name}")
    async def shown(incident: str, name: str, request: Request) -> Response:
        session = await guard.session(request)
        view = await incidents.view(incident)
        if name not in VIEWS:
            raise NoSuchIncident(f"there is no view {name!r}")
        values: dict[str, Any]
        reads_out = is_read_out(view, STEP_OF[name])
        match name:
            case "red":
                panel: Any = await readings.red(view)
                values = {"panel": panel, "shapes": [str(s) for s in RedShape]}
            case "traces":
                panel = await readings.traces(view)
                values = {"panel": panel, **_trace_values(panel, marks=reads_out)}
            case "profile":
                chosen = request.query_params.get("trace", "")[:64]
                service = request.query_params.get("service", "").strip()[:200]
                panel = await readings.profile(
                    view, chosen if chosen.isalnum() else None, service=service or None
                )
                values = {
                    "panel": panel,
                    "chosen": chosen,
                    **_profile_values(panel, marks=reads_out),
                }
            case "blame":
                panel = await readings.blame(view, lambda: incidents.deploys(incident))
                values = {"panel": panel, **_blame_values(panel, view, marks=reads_out)}
            case _:
                values = {**_runbook_values(view), "places": readings.places(view)}
        given = view.said.findings.get(STEP_OF[name])
        return page(
            f"{name}.html",
            session,
            view,
            here=name,
            given=given,
            draws=name == "red",
            reads_out=reads_out,
            **values,
        )

    # --- acts -------------------------------------------------------------------------------

    @app.post("/incidents/{incident}/ack")
    async def ack(incident: str, request: Request) -> Response:
        session, _ = await guard.act(request)
        await incidents.acknowledge(incident, session.visitor)
        return to(incident, "open", "red")

    @app.post("/incidents/{incident}/findings/{step}")
    async def finding(incident: str, step: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        try:
            which = Step(step)
        except ValueError as error:
            raise UsageError(f"there is no step {step!r}") from error
        await incidents.report(incident, finding_of(which, sent), session.visitor)
        return onwards(await incidents.view(incident))

    @app.post("/incidents/{incident}/hints/{step}")
    async def hint(incident: str, step: str, request: Request) -> Response:
        session, _ = await guard.act(request)
        if step not in HINTED:
            raise UsageError(f"there is no hint for {step!r}; {', '.join(HINTED)} have one")
        await incidents.hint(incident, Step(step), session.visitor)
        return to(incident, VIEW_OF[Step(step)])

    @app.post("/incidents/{incident}/ticks")
    async def tick(incident: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        view = await incidents.view(incident)
        step = sent.one("step")
        if view.runbook is None or view.runbook.step(step) is None:
            raise UsageError(f"the runbook has no step {step!r}")
        done = sent.one("done") != "no"
        note = sent.one("note")
        await incidents.tick(incident, step, session.visitor, done=done, note=note)
        return to(incident, "runbook")

    @app.post("/incidents/{incident}/mitigations")
    async def mitigate(incident: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        view = await incidents.view(incident)
        chosen, parameters = _mitigation(view.runbook, sent)
        await incidents.report(incident, chosen, session.visitor)
        name = str(chosen.detail["mitigation"])
        ok, _ = await incidents.mitigate(incident, name, parameters, session.visitor)
        if ok:
            step = str(chosen.detail["runbook_step"])
            note = f"started {name}"
            await incidents.tick(incident, step, session.visitor, done=True, note=note)
        return to(incident) if ok else to(incident, "runbook")

    @app.post("/incidents/{incident}/take-back")
    async def take_back(incident: str, request: Request) -> Response:
        session, _ = await guard.act(request)
        await incidents.mitigate(incident, TAKE_BACK, {}, session.visitor)
        return to(incident, "runbook")

    @app.post("/incidents/{incident}/notes")
    async def note(incident: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        text = sent.one("text")
        if not text:
            raise UsageError("the note is empty")
        await incidents.note(incident, text, session.visitor)
        back = sent.one("here")
        return to(incident, back) if back in VIEWS else to(incident)

    @app.post("/incidents/{incident}/close")
    async def close(incident: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        word = "false-alarm" if sent.one("word") == "false-alarm" else "resolve"
        await incidents.close(incident, word, sent.one("text"), session.visitor)
        return to(incident)

    @app.post("/incidents/{incident}/merge")
    async def merge(incident: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        into = sent.choice("into")
        if into is None:
            raise UsageError("which incident is the same trouble? Choose one")
        await incidents.merge(incident, into, session.visitor)
        return to(into)

    @app.post("/incidents/{incident}/role")
    async def role(incident: str, request: Request) -> Response:
        session, sent = await guard.act(request)
        if sent.one("role") not in ROLES:
            raise UsageError(f"there is no role {sent.one('role')!r}; {', '.join(ROLES)} are")
        await incidents.take(incident, sent.one("role"), session.visitor)
        return to(incident)

    # --- rendering ----------------------------------------------------------------------------

    def page(
        template: str, session: Session, view: View, *, here: str, draws: bool = False, **more: Any
    ) -> Response:
        return renderer.page(
            template,
            session,
            draws=draws,
            view=view,
            here=here,
            names=NAMES,
            views=VIEWS,
            step_of=STEP_OF,
            incident_roles=ROLES,
            next=next_step(view, readings.absent),
            may_act=session.visitor.role in view.acting,
            unreadable=Unreadable,
            **more,
        )

    def stream(request: Request, session: Session, pulse: Any, burn: Any) -> Response:
        streams.refuse_if_full(session.visitor.id)

        async def allowed() -> bool:
            return await guard.is_in(request)

        events = streams.events(pulse, burn, whom=session.visitor.id, allowed=allowed)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers())


def _haystack(row: Row) -> str:
    drill = "drill" if row.is_drill else "real"
    return " ".join((row.id, row.service, row.slo, row.severity, row.state, drill)).lower()


def _trace_values(panel: Any, *, marks: bool) -> dict[str, Any]:
    if isinstance(panel, Unreadable):
        return {"falls": (), "services": (), "downstreams": (), "regions": (), "spans": ()}
    falls = [
        pictures.waterfall(t, panel.bulk.get(t.trace_id, frozenset()) if marks else frozenset())
        for t in panel.sample.bad
    ]
    spans = [s for t in (*panel.sample.bad, *panel.sample.quiet) for s in t.spans]
    path = panel.finding.detail.get("path", ()) if marks else ()
    services = sorted({s.service for s in spans} | set(path))
    return {
        "falls": falls,
        "services": services,
        "downstreams": sorted({d for s in spans if (d := pictures.downstream(s))} | set(services)),
        "regions": sorted({f.region for f in falls if f.region}),
        "spans": sorted({s.name for s in spans}),
    }


def _profile_values(panel: Any, *, marks: bool) -> dict[str, Any]:
    if isinstance(panel, Unreadable):
        return {"flame": pictures.Flame((), 0), "functions": ()}
    drawn = pictures.flame(panel.profile, panel.leaf if marks else None)
    widest = sorted(drawn.boxes, key=lambda b: -b.share_ratio)
    # By name: the widest first would be an answer.
    functions = sorted(list(dict.fromkeys(b.function for b in widest if b.row))[:100])
    return {"flame": drawn, "functions": functions}


def _blame_values(panel: Any, view: View, *, marks: bool) -> dict[str, Any]:
    if isinstance(panel, Unreadable):
        return {"axis": ()}
    onset = panel.onset if marks else None
    axis = pictures.axis(panel.deploys, onset=onset, paged_at=view.paged_at, now=view.now)
    return {"axis": axis}


def _runbook_values(view: View) -> dict[str, Any]:
    """Return the fixes with their parameters filled from what was found, the fitting one first."""
    runbook = view.runbook
    if runbook is None:
        return {"fixes": (), "checks": (), "cause": None}
    trace = view.said.findings.get(Step.TRACE)
    blame = view.said.findings.get(Step.BLAME)
    found = dict(trace.detail) if trace else {}
    is_code = bool(blame and blame.detail.get("explained"))
    service, downstream = str(found.get("service") or ""), found.get("downstream")
    kind: Any = "code" if is_code else "downstream"
    fitting = [f.id for f in runbook.fixes_for(service, downstream, kind)] if service else []
    known = {"service": service, "downstream": downstream, "region": found.get("region")}
    fixes = []
    for fix in sorted(runbook.fixes, key=lambda f: f.id not in fitting):
        parameters = []
        for key, template in (fix.mitigation.parameters if fix.mitigation else {}).items():
            value = template
            for name, said in known.items():
                for hole in (f"{{{name}}}", f"{{{name}?}}"):
                    value = value.replace(hole, str(said or ""))
            parameters.append((key, value, "?}" not in template))
        fixes.append((fix, parameters, fix.id in fitting))
    checks = [(c, check_of(c.id, c.text)) for c in runbook.first_checks]
    cause = runbook.cause_for(service, downstream, kind) if service else None
    return {"fixes": fixes, "checks": checks, "cause": cause}


def _mitigation(runbook: Runbook | None, sent: FormFields) -> tuple[Finding, dict[str, str]]:
    """Return the choice of a fix as a finding, and its parameters."""
    fix = next((f for f in runbook.fixes if f.id == sent.one("fix")), None) if runbook else None
    if fix is None or fix.mitigation is None:
        raise UsageError(f"the runbook gives no mitigation {sent.one('fix')!r}")
    asked = {k: v for k, v in sent.starting("p.").items() if k in fix.mitigation.parameters}
    parameters = {k: v for k, v in asked.items() if v}
    for key, template in fix.mitigation.parameters.items():
        if not parameters.get(key) and "?}" not in template:
            raise UsageError(f"{fix.mitigation.name} needs a {key}: say which")
    words = " ".join([fix.mitigation.name, *(f"{k}={v}" for k, v in parameters.items())])
    detail = {
        "mitigation": fix.mitigation.name,
        "parameters": parameters,
        "runbook_step": fix.id,
        "reason": "chosen in the console",
    }
    chosen = Finding(step=Step.MITIGATE, summary=f"{words}: chosen by the on-call", detail=detail)
    return chosen, parameters
