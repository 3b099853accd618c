"""From a timeline and the texts a run was planned from to its result."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from gameday.errors import Ground, Problem, Refusal, SpecError, StoreError, UsageError
from gameday.model.result import Recovery, RunResult
from gameday.model.runbook import Runbook
from gameday.model.scenario import ResponderKind, Scenario, TargetKind
from gameday.model.slo import Slo
from gameday.ports import Store
from gameday.spec.document import Document, only, parse_documents
from gameday.spec.json_text import ENDING
from gameday.spec.runbook import parse_runbook
from gameday.spec.scenario import scenario_of
from gameday.spec.slo import slos_of
from scoring.alerting import Detection
from scoring.expectation import Culprit, Expectation
from scoring.rubric import Rubric
from scoring.scorecard import Score
from scoring.scorecard import judge as judge_timeline
from scoring.timeline import Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

PLAYED = (RunVerdict.PASSED, RunVerdict.MISSED, RunVerdict.UNKNOWN)
"""How runs end that reached their own end, and have something to teach."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The texts a run is planned from, and where they came from."""

    scenario: str
    scenario_path: str
    slo: str
    slo_path: str
    runbook: str
    runbook_path: str
    rubric: str
    overrides: str = "{}"
    """JSON object of the scenario fields that the command line replaced."""
    system: str = ""
    system_path: str = ""

    def to_mapping(self) -> dict[str, str]:
        """Return the documents as the store keeps them."""
        return asdict(self)

    @classmethod
    def of(cls, stored: Mapping[str, str]) -> Documents:
        """Return the documents the store kept; what an older run did not keep is empty."""
        return cls(**{name: stored.get(name, "") for name in cls.__dataclass_fields__})

    def read_scenario(self) -> Scenario:
        """Return the scenario as it was played: the file's, with the command line's changes.

        Raises:
            SpecError: the stored text can no longer be read by this gameday.
        """
        document = only(_kept(self.scenario, self.scenario_path))
        scenario, problems = scenario_of(document)
        if scenario is None:
            raise SpecError(problems)
        changes = json.loads(self.overrides or "{}")
        return overridden(scenario, changes) if changes else scenario

    def read_slo(self, id: str) -> Slo:
        """Return the SLO as it was when the run was planned."""
        read = slos_of(_kept(self.slo, self.slo_path), Path(self.slo_path))
        return next(slo for slo in read if slo.id == id)

    def read_runbook(self) -> Runbook | None:
        """Return the runbook as it was when the run was planned; None: none that can be read."""
        try:
            return parse_runbook(self.runbook, self.runbook_path) if self.runbook else None
        except SpecError:  # its checks are unknown then, and nothing else rests on them
            return None


def _kept(text: str, path: str) -> tuple[Document, ...]:
    """Return the documents of a text that a run kept."""
    try:
        return parse_documents(text, path)
    except SpecError:
        if not path.endswith(ENDING):
            raise
        # Earlier runs kept what a JSON file referred to behind it, as YAML.
        return parse_documents(text, path.removesuffix(ENDING))


def overridden(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return the scenario with target, responder or regions replaced.

    Raises:
        UsageError: there is no such target or responder.
    """
    update: dict[str, Any] = {}
    try:
        if "target" in changes:
            target = TargetKind(changes["target"])
            if target is not scenario.spec.target:
                update |= {"target": target, "system": None}
            if target is TargetKind.SYSTEM and scenario.spec.system is None:
                raise UsageError("a system is named in the scenario: `system: NAME`")
        if "responder" in changes:
            update["responder"] = ResponderKind(changes["responder"])
    except ValueError as error:
        raise UsageError(f"{error}; see `gameday run --help`") from error
    if "regions" in changes:
        update["regions"] = tuple(changes["regions"])
    spec = scenario.spec.model_copy(update=update)
    return scenario.model_copy(update={"spec": spec})


def rubric_of(text: str) -> Rubric:
    """Return the rubric of a YAML text.

    Raises:
        SpecError: it is no rubric.
    """
    document = only(parse_documents(text, "rubric"))
    try:
        return Rubric.from_mapping(document.data)
    except ValueError as error:
        raise SpecError([Problem("rubric", 0, "", str(error))]) from error


def expectation(scenario: Scenario, slo: Slo, runbook: Runbook | None = None) -> Expectation:
    """Return what a run of this scenario is judged against.

    Args:
        runbook: that was read beside it; None: it is not known.
    """
    expect = scenario.spec.expect
    within = expect.alert.within if expect.alert else None
    recovered = expect.recovered.within
    return Expectation(
        slo=slo.id,
        service=slo.service,
        alert=expect.alert.severity if expect.alert else None,
        within=within if isinstance(within, timedelta) else None,
        culprit=Culprit(
            service=expect.culprit.service,
            downstream=expect.culprit.downstream,
            region=expect.culprit.region,
            function=expect.culprit.function,
            commit=expect.culprit.commit,
        )
        if expect.culprit
        else None,
        mitigations=expect.mitigation,
        recovered_within=recovered if isinstance(recovered, timedelta) else None,
        collateral=expect.collateral,
        error_ratio=expect.error_ratio,
        regions=scenario.spec.regions,
        first_checks=tuple(step.id for step in runbook.first_checks) if runbook else None,
    )


def judge(
    run: str, timeline: Timeline, documents: Documents, *, timeline_path: str = ""
) -> RunResult:
    """Return the result of a run: verdict, phases, detection, funnel, score, tasks, postmortem.

    Pure but for reading the texts: the same timeline and documents give the same result, today and
    in a year.

    Args:
        timeline_path: where the facts can be read as JSON lines; empty where they were not written.
    """
    from gameday.learning.postmortem import draft
    from gameday.learning.tasks import runbook_tasks

    scenario = documents.read_scenario()
    slo = documents.read_slo(scenario.spec.slo)
    rubric = rubric_of(documents.rubric)
    expected = expectation(scenario, slo, documents.read_runbook())
    card = judge_timeline(timeline, expected, rubric, targets=scenario.spec.targets.stated)
    started = timeline.first(Kind.RUN_STARTED)
    begun = dict(started.data) if started else {}
    result = RunResult(
        run=run,
        scenario=scenario.metadata.name,
        title=scenario.metadata.title,
        severity=scenario.metadata.severity,
        target=str(begun.get("target", scenario.spec.target)),
        time_scale=float(begun.get("time_scale", 1)),
        responder=str(begun.get("responder", scenario.spec.responder)),
        started_at=started.happened_at if started else None,
        verdict=card.verdict,
        reason=card.reason,
        refusals=_refusals(timeline),
        phases=card.phases,
        detection=card.detection,
        pages=card.pages,
        funnel=card.funnel,
        response=card.response,
        mitigations=card.mitigations,
        score=card.score,
        recovery=Recovery(open_faults(timeline)),
        timeline=timeline_path,
    )
    if result.verdict in PLAYED and documents.runbook:
        path = relative(documents.runbook_path)
        tasks = runbook_tasks(timeline, scenario, documents.runbook, path, result)
        result = replace(result, tasks=tuple(tasks))
    if timeline.first(Kind.FAULT_INJECTED) is not None:
        result = replace(result, postmortem=draft(result, timeline, scenario, slo))
    return result


def unjudged(run: str, timeline: Timeline, *, timeline_path: str = "") -> RunResult:
    """Return the result of a run that its judges failed on, out of its timeline alone: it failed.

    Args:
        timeline_path: where the facts can be read as JSON lines.
    """
    started = timeline.first(Kind.RUN_STARTED)
    begun = dict(started.data) if started else {}
    reason = f"it could not be judged; `gameday score {run}` judges it again"
    return RunResult(
        run=run,
        scenario=str(begun.get("scenario", "")),
        target=str(begun.get("target", "")),
        time_scale=float(begun.get("time_scale", 1)),
        responder=str(begun.get("responder", "")),
        started_at=started.happened_at if started else None,
        verdict=RunVerdict.FAILED,
        reason=reason,
        phases={},
        detection=Detection(verdict=Verdict.UNKNOWN, reason=reason),
        funnel=(),
        score=Score.of("", ()),
        recovery=Recovery(open_faults(timeline)),
        timeline=timeline_path,
    )


def refused(documents: Documents, refusals: Sequence[Refusal], *, target: str) -> RunResult:
    """Return the result of a run that was refused before it began: judged without a fact."""
    result = judge("", Timeline.of(()), documents)
    return replace(result, target=target, refusals=tuple(refusals))


def _refusals(timeline: Timeline) -> tuple[Refusal, ...]:
    said = timeline.last(Kind.RUN_REFUSED)
    return tuple(
        Refusal(Ground(str(r["ground"])), str(r["reason"]), str(r["remedy"]))
        for r in (said.data.get("refusals", ()) if said is not None else ())
    )


def open_faults(timeline: Timeline) -> int:
    """Return how much the run changed, or may have changed, that is not proven taken back."""
    stored = {f.data.get("undo") for f in timeline.of_kind(Kind.UNDO_STORED)}
    done = timeline.of_kind(Kind.RECOVERY_PROVEN, Kind.MITIGATIONS_RESTORED)
    proven = {f.data.get("undo") for f in done}
    return len(stored - proven)


def rejudge(store: Store, run: str, *, rubric: str | None = None) -> RunResult:
    """Return the result of a stored run, judged by today's judges; the store is not changed.

    Args:
        rubric: text of another rubric than the one the run was planned with.
    """
    documents = Documents.of(store.documents(run))
    if not documents.scenario:
        raise UsageError(f"run {run} kept no documents; it cannot be judged again")
    if rubric is not None:
        documents = replace(documents, rubric=rubric)
    path = _timeline_of(store, run)
    return judge(run, Timeline.of(store.facts(run)), documents, timeline_path=path)


def result_of(store: Store, run: str) -> RunResult | None:
    """Return the result of a run with what was said about its incident since; None: none yet.

    A postmortem follows its run, so that a run's own result cannot know of it.
    """
    result = store.result(run)
    facts = store.facts(run)
    ends = next((n for n, f in enumerate(facts) if f.kind == Kind.RUN_ENDED), len(facts))
    is_behind = any(f.kind == Kind.POSTMORTEM_DRAFTED for f in facts[ends:])
    return rejudge(store, run) if result is not None and is_behind else result


def _timeline_of(store: Store, run: str) -> str:
    try:
        stored = store.result(run)
    except StoreError:  # a result that cannot be read is a reason to judge the run again
        return ""
    return stored.timeline if stored else ""


def relative(path: str) -> str:
    """Return a path relative to the git repository around it, else to the working directory.

    Patches name files this way, so that ``git apply`` finds them from the top of the repository.
    """
    full = Path(path).resolve()
    for folder in full.parents:
        if (folder / ".git").exists():
            return full.relative_to(folder).as_posix()
    try:
        return full.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return full.name
