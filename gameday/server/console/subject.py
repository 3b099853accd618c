"""What the pages show of incidents and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from gameday.incidents.state import Phase
from gameday.model.page import Finding, Step
from gameday.model.plan_record import PlanRecord
from gameday.model.result import RunResult
from gameday.model.runbook import Runbook
from gameday.model.severity import IncidentSeverity
from gameday.ports import Role, RunRecord
from gameday.server.sessions import Visitor
from scoring.effect import Effect, MitigationEffect
from scoring.timeline import TAKE_BACK, Fact, Kind

VIEWS = ("red", "traces", "profile", "blame", "runbook")
"""The console's own views, in the order of the funnel."""


@dataclass(frozen=True, slots=True)
class Row:
    """One incident in a list."""

    id: str
    service: str
    slo: str
    severity: IncidentSeverity
    state: str
    opened_at: datetime
    is_drill: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One group of an incident's record."""

    at: datetime
    words: str
    who: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A runbook step that was ticked or skipped."""

    done: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """A mitigation that was tried.

    Attributes:
        ok: whether it was applied; detail: what was done, or why it was not.
        effect: what it did to users, of a drill; None: nobody judges it.
    """

    name: str
    ok: bool
    detail: str
    at: datetime
    effect: MitigationEffect | None = None

    @property
    def takes_back(self) -> bool:
        """Whether it took back all that was applied before it."""
        return self.ok and self.name == TAKE_BACK

    @property
    def may_help(self) -> bool:
        """Whether it was applied, and is not known to be in vain."""
        vain = (Effect.DOES_NOT_HELP, Effect.MAKES_WORSE)
        is_vain = self.effect is not None and self.effect.effect in vain
        return self.ok and not self.takes_back and not is_vain


@dataclass(frozen=True, slots=True)
class Said:
    """What people said about an incident, out of its facts; latest word first where it matters.

    Attributes:
        findings: the latest per step; ticks: per runbook step.
        hints: the steps whose reading by the machine was asked for.
        mitigations: what was tried, oldest first.
    """

    findings: Mapping[Step, Finding] = field(default_factory=dict)
    hints: frozenset[Step] = frozenset()
    ticks: Mapping[str, Tick] = field(default_factory=dict)
    mitigations: tuple[Tried, ...] = ()
    record: tuple[Entry, ...] = ()

    @property
    def is_mitigated(self) -> bool:
        """Whether something was applied that is not known to be in vain."""
        tried = self.mitigations
        taken_back = max((n for n, one in enumerate(tried) if one.takes_back), default=-1)
        return any(one.may_help for one in tried[taken_back + 1 :])


@dataclass(frozen=True, slots=True)
class View:
    """An incident as a page shows it, to whoever may see incidents at all.

    Attributes:
        window: nominal long window of the branch that fired; burn_from: where the burn began by it.
        short: how far back the rates of the RED panels look.
        slower: from when on a request is slow; zero where nobody said.
        remarks: what is to be known of how its alert was told.
        tools: deeplink per view that leads to a tool elsewhere; the console's own view else.
        takes: the acts it takes: ack, finding, tick, mitigate, note, close, merge, role; acting:
            from whom.
        acts_for_you: whether mitigating does something, or puts on record what somebody did.
    """

    id: str
    summary: str
    service: str
    slo: str
    alert: str
    severity: IncidentSeverity
    state: str
    is_open: bool
    is_drill: bool
    fired_at: datetime
    paged_at: datetime
    now: datetime
    window: str = ""
    burn_rate: float | None = None
    remarks: Sequence[str] = ()
    burn_from: datetime | None = None
    short: timedelta = timedelta(minutes=5)
    slower: timedelta = timedelta(0)
    acked_at: datetime | None = None
    cleared_at: datetime | None = None
    closed_at: datetime | None = None
    phases: tuple[Phase, ...] = ()
    said: Said = field(default_factory=Said)
    roles: Mapping[str, str] = field(default_factory=dict)
    runbook: Runbook | None = None
    runbook_missing: str = "no runbook is known for this alert"
    tools: Mapping[str, str] = field(default_factory=dict)
    takes: frozenset[str] = frozenset()
    acting: frozenset[Role] = frozenset()
    acts_for_you: bool = False

    @property
    def can_take_back(self) -> bool:
        """Whether something was applied that is still there, and the run can take it back."""
        applied = [one.name for one in self.said.mitigations if one.ok]
        return self.acts_for_you and self.is_open and applied[-1:] not in ([], [TAKE_BACK])

    @property
    def burn_since(self) -> datetime:
        """When the burn window begins."""
        return self.burn_from or self.fired_at - timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RunView:
    """A game day as its facilitator sees it: with everything it hides from the others.

    Attributes:
        plan: None before there is one.
        result: None while it goes on.
    """

    record: RunRecord
    facts: tuple[Fact, ...]
    plan: PlanRecord | None
    result: RunResult | None
    now: datetime


class Runs(Protocol):
    """The game days a console shows."""

    async def listed(self) -> Sequence[RunRecord]:
        """Return runs, newest first."""

    async def shown(self, run: str) -> RunView:
        """Return one run; `UsageError` where there is none."""

    async def pulse(self, run: str) -> str:
        """Return a text that is another one whenever the run's page would look different."""

    async def abort(self, run: str, by: Visitor) -> None:
        """Give the order that ``gameday abort`` gives."""


def said_of(facts: Sequence[Fact]) -> Said:
    """Return what people said, out of facts in the order they happened."""
    findings: dict[Step, Finding] = {}
    ticks: dict[str, Tick] = {}
    mitigations: list[Tried] = []
    record: list[Entry] = []
    hints: set[Step] = set()
    for fact in facts:
        d = fact.data
        match fact.kind:
            case Kind.FINDING if d.get("step") in set(Step):
                step = Step(d["step"])
                detail = dict(d.get("detail") or {})
                findings[step] = Finding(step=step, summary=str(d.get("summary")), detail=detail)
            case Kind.HINT_ASKED if d.get("step") in set(Step):
                hints.add(Step(d["step"]))
            case Kind.RUNBOOK_STEP:
                ticks[str(d.get("step"))] = Tick(bool(d.get("done")), str(d.get("note") or ""))
            case Kind.MITIGATION_APPLIED:
                done = str(d.get("detail") or "")
                tried = Tried(str(d.get("name")), bool(d.get("ok")), done, fact.happened_at)
                mitigations.append(tried)
        words = _events(fact)
        if words:
            record.append(Entry(fact.happened_at, words, str(d.get("by") or "")))
    return Said(findings, frozenset(hints), ticks, tuple(mitigations), tuple(record))


def _events(fact: Fact) -> str:
    """Return a fact as a group of the record; empty for those nobody reads."""
    d = fact.data
    match fact.kind:
        case Kind.PAGE_RECEIVED:
            return f"page: {d.get('alert')} {d.get('long') or ''}".strip()
        case Kind.PAGE_RESOLVED | Kind.ALERT_RESOLVED:
            return f"cleared: {d.get('alert')} {d.get('long') or ''}".strip()
        case Kind.PAGE_DELIVERED:
            return f"paged {d.get('to')}{_shared(d)}"
        case Kind.PAGE_FAILED:
            return f"page failed{_shared(d)}: {d.get('error')}"
        case Kind.ACKNOWLEDGED:
            return "acknowledged" + (f", with {d['with']}" if d.get("with") else "")
        case Kind.UNACKNOWLEDGED:
            return "not acknowledged any more: somebody is asked again"
        case Kind.LINK_OPENED:
            return f"opened {d.get('link')}" + (
                " (nobody known)" if d.get("attributed") is False else ""
            )
        case Kind.FINDING:
            return f"{d.get('step')}: {d.get('summary')}"
        case Kind.HINT_ASKED:
            return f"asked for a hint: {d.get('step')}"
        case Kind.RUNBOOK_STEP:
            done = "done" if d.get("done") else "skipped"
            return f"runbook {d.get('step')}: {done} {d.get('note') or ''}".strip()
        case Kind.MITIGATION_STARTED:
            return f"mitigation started: {d.get('name')}"
        case Kind.MITIGATION_APPLIED:
            done = "mitigation applied" if d.get("ok") else "mitigation failed"
            return f"{done}: {d.get('detail') or d.get('name')}"
        case Kind.NOTED:
            return f"note: {d.get('text')}"
        case Kind.ROLE_TAKEN:
            return f"{d.get('role')} is {d.get('name')}"
        case Kind.RESOLVED | Kind.FALSE_ALARM:
            name = "resolved" if fact.kind == Kind.RESOLVED else "false alarm"
            return f"{name}: {d.get('text')}" if d.get("text") else name
        case Kind.MERGED:
            return f"merged into {d.get('into')}"
        case Kind.REMINDED:
            return str(d.get("text") or "")
        case Kind.POSTMORTEM_DRAFTED:
            return "postmortem drafted"
        case _:
            return str(d.get("text") or "")


def _shared(page: Mapping[str, Any]) -> str:
    told = page.get("shared")
    if not told:
        return ""
    return f" in one page about {told['incidents']} incidents, named after {told['lead']}"
