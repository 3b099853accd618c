"""Patches that are true: a sentence whose premise is taken away is not written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import slow_db_run
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.learning.tasks import runbook_tasks
from gameday.model.result import RunResult, Task
from gameday.model.scenario import Scenario
from gameday.testing.results import run_result
from scoring.effect import Effect, MitigationEffect
from scoring.finding import ExpectedFinding
from scoring.funnel import StepResult
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

PATH = "runbooks/checkout-latency.md"
RUNBOOK = slow_db_run.RUNBOOK
UNLISTED = RUNBOOK.replace("downstream: db", "downstream: cache")
UNREAD = RUNBOOK.replace(
    "3. **read-profile**: Open the profile. Which function is the widest leaf?\n", ""
)


def at(fact: Fact, second: float) -> Fact:
    """Return a fact as if it had happened this many seconds after the start."""
    moved = slow_db_run.fact(0, fact.kind, second)
    return replace(fact, happened_at=moved.happened_at, recorded_at=moved.recorded_at)


Facts = list[Fact]


def without(*kinds: str) -> Callable[[Facts], Facts]:
    return lambda facts: [f for f in facts if f.kind not in kinds]


def moved(kind: str, second: float) -> Callable[[Facts], Facts]:
    return lambda facts: [at(f, second) if f.kind == kind else f for f in facts]


def saying(kind: str, step: str = "", **data: Any) -> Callable[[Facts], Facts]:
    """Return a change of what facts of a kind (of a step of the funnel) say."""

    def fits(fact: Fact) -> bool:
        return fact.kind == kind and (not step or fact.data.get("step") == step)

    return lambda facts: [replace(f, data={**f.data, **data}) if fits(f) else f for f in facts]


def plus(*more: Fact) -> Callable[[Facts], Facts]:
    return lambda facts: sorted([*facts, *more], key=lambda f: f.happened_at)


def mitigated(second: float, name: str, *, ok: bool = True, number: int = 90) -> Fact:
    said = {"name": name, "parameters": {}, "ok": ok}
    return slow_db_run.fact(number, Kind.MITIGATION_APPLIED, second, "target", **said)


def branch(kind: str, second: float, number: int, long: str = "6h") -> Fact:
    said = {"severity": "page", "long": long, "slo": "checkout-latency"}
    return slow_db_run.fact(number, kind, second, "prometheus", **said)


REFUSED = saying(Kind.MITIGATION_APPLIED, ok=False)
ANOTHER = saying(Kind.MITIGATION_APPLIED, name="drain-region")
FIRING_ON = plus(branch(Kind.ALERT_FIRED, 40, 91))
NEVER_CLEARED = without(Kind.ALERT_RESOLVED)

APPLIED = "applied 16 s after the page"
CLEARED = "alert cleared 9 s (nominal 9 min) later"
OUTLASTED = "the alert had not cleared when the fault was taken out"
ARROW = "→ failover-db"
WAITING = "A leaf that only waits"
CAUSE = "inventory waits for db, or gets errors from it"
CHECK = "**read-profile**"


@pytest.fixture
def told(scenario: Scenario) -> Callable[..., str]:
    def made(
        text: str, facts: Facts, *, effects: Sequence[MitigationEffect] = (), **changes: Any
    ) -> str:
        funnel = (StepResult("profile", None, None, ExpectedFinding(off_cpu=True), Verdict.MET),)
        result = run_result(
            RunVerdict.PASSED,
            **{"time_scale": 60, "funnel": funnel, "mitigations": tuple(effects), **changes},
        )
        tasks = runbook_tasks(Timeline.of(facts), scenario, text, PATH, result)
        return "\n".join(f"{t.title}\n{_added(t)}" for t in tasks)

    return made


def _added(task: Task) -> str:
    """Return what a patch adds."""
    lines = task.patch.split("\n")
    return "\n".join(line[1:] for line in lines if line.startswith("+") and line[:3] != "+++")


@pytest.mark.parametrize(
    ("text", "sentence", "given_", "false"),
    [
        pytest.param(RUNBOOK, APPLIED, None, REFUSED, id="applied: refused"),
        pytest.param(RUNBOOK, APPLIED, None, ANOTHER, id="applied: another one was"),
        pytest.param(RUNBOOK, APPLIED, None, without(Kind.PAGE_RECEIVED), id="applied: no page"),
        pytest.param(RUNBOOK, APPLIED, None, moved(Kind.PAGE_RECEIVED, 50), id="applied: before"),
        pytest.param(RUNBOOK, CLEARED, None, NEVER_CLEARED, id="cleared: never"),
        pytest.param(RUNBOOK, CLEARED, None, FIRING_ON, id="cleared: a branch fires on"),
        pytest.param(RUNBOOK, CLEARED, None, moved(Kind.ALERT_RESOLVED, 40), id="cleared: before"),
        pytest.param(RUNBOOK, CLEARED, None, moved(Kind.FAULT_RECOVERED, 50), id="cleared: fault"),
        pytest.param(
            RUNBOOK, CLEARED, None, plus(mitigated(50, "rollback-deploy")), id="cleared: another"
        ),
        pytest.param(RUNBOOK, OUTLASTED, NEVER_CLEARED, REFUSED, id="outlasted: refused"),
        pytest.param(RUNBOOK, OUTLASTED, NEVER_CLEARED, ANOTHER, id="outlasted: another one"),
        pytest.param(
            RUNBOOK,
            OUTLASTED,
            NEVER_CLEARED,
            without(Kind.FAULT_RECOVERED),
            id="outlasted: in place",
        ),
        pytest.param(
            RUNBOOK, OUTLASTED, NEVER_CLEARED, without(Kind.ALERT_FIRED), id="outlasted: not fired"
        ),
        pytest.param(
            RUNBOOK, OUTLASTED, NEVER_CLEARED, moved(Kind.ALERT_FIRED, 50), id="outlasted: later"
        ),
        pytest.param(
            RUNBOOK,
            OUTLASTED,
            NEVER_CLEARED,
            plus(slow_db_run.fact(92, Kind.MEASUREMENT_FAILED, 50, what="alerts", error="down")),
            id="outlasted: not seen",
        ),
        pytest.param(
            RUNBOOK,
            OUTLASTED,
            NEVER_CLEARED,
            plus(branch(Kind.ALERT_RESOLVED, 57, 93, "1h")),
            id="outlasted: cleared",
        ),
        pytest.param(UNLISTED, CAUSE, None, without(Kind.FAULT_INJECTED), id="cause: no fault"),
        pytest.param(UNLISTED, ARROW, None, REFUSED, id="its fix: refused"),
        pytest.param(UNLISTED, ARROW, None, ANOTHER, id="its fix: another one"),
        pytest.param(UNLISTED, ARROW, None, NEVER_CLEARED, id="its fix: never cleared"),
        pytest.param(UNLISTED, ARROW, None, FIRING_ON, id="its fix: a branch fires on"),
        pytest.param(UNREAD, CHECK, None, without(Kind.FINDING), id="check: no finding"),
        pytest.param(
            RUNBOOK,
            WAITING,
            None,
            saying(Kind.FINDING, "profile", detail={}),
            id="waiting: it works",
        ),
        pytest.param(
            RUNBOOK,
            "The step find-hop could not be done",
            plus(slow_db_run.fact(94, Kind.RUNBOOK_STEP, 40, step="find-hop", done=False)),
            plus(slow_db_run.fact(95, Kind.RUNBOOK_STEP, 41, step="find-hop", done=True)),
            id="not done: done then",
        ),
    ],
)
def test_a_sentence_vanishes_with_its_premise(
    told: Callable[..., str],
    text: str,
    sentence: str,
    given_: Callable[[Facts], Facts] | None,
    false: Callable[[Facts], Facts],
) -> None:
    facts = given_(slow_db_run.slow_db()) if given_ else slow_db_run.slow_db()

    assert sentence in told(text, facts)
    assert sentence not in told(text, false(facts))


def effect_of(fact: Fact, effect: Effect) -> MitigationEffect:
    name = str(fact.data["name"])
    return MitigationEffect(name, {}, fact.happened_at, 50.0, 50.0, effect, "", (fact.id,))


@pytest.mark.parametrize("effect", [Effect.DOES_NOT_HELP, Effect.MAKES_WORSE])
@pytest.mark.parametrize(("text", "sentence"), [(RUNBOOK, CLEARED), (UNLISTED, ARROW)])
def test_what_is_known_not_to_have_helped_is_credited_with_nothing(
    told: Callable[..., str], text: str, sentence: str, effect: Effect
) -> None:
    facts = slow_db_run.slow_db()
    (applied,) = [f for f in facts if f.kind == Kind.MITIGATION_APPLIED]

    assert sentence in told(text, facts, effects=[effect_of(applied, Effect.HELPS)])
    assert sentence not in told(text, facts, effects=[effect_of(applied, effect)])


def test_a_fix_that_was_chosen_and_refused_is_not_said_to_be_applied(
    told: Callable[..., str],
) -> None:
    """Another mitigation was applied 27 s after the page, and the note stood at failover-db."""
    facts = [*REFUSED(slow_db_run.slow_db()), mitigated(56, "drain-region")]

    found = told(RUNBOOK, facts)

    assert "Last exercised" not in found and "failover-db" not in found


def test_each_fix_that_was_applied_is_told_of_by_its_own_facts(told: Callable[..., str]) -> None:
    facts = plus(mitigated(35, "rollback-deploy"))(slow_db_run.slow_db())

    found = told(RUNBOOK, facts)

    assert "Record at rollback-deploy" in found and "Record at failover-db" in found
    assert 1 == found.count("applied 6 s after the page.") and 1 == found.count(CLEARED)


def test_a_profile_that_was_read_wrong_explains_nothing(told: Callable[..., str]) -> None:
    wrong = (StepResult("profile", None, None, ExpectedFinding(function="f"), Verdict.MISSED),)

    assert WAITING not in told(RUNBOOK, slow_db_run.slow_db(), funnel=wrong)


def test_a_mitigation_that_was_rightly_chosen_is_no_unexpected_finding(
    told: Callable[..., str],
) -> None:
    expected = ExpectedFinding(mitigation=("failover-db",))
    refused = (StepResult("mitigate", None, None, expected, Verdict.MISSED, "it failed"),)

    assert "which is not what the scenario" not in told(
        RUNBOOK, slow_db_run.slow_db(), funnel=refused
    )


# --- any order of any facts -----------------------------------------------------------------------

SECONDS = st.integers(20, 80)
MITIGATIONS = st.lists(
    st.tuples(
        SECONDS, st.sampled_from(["failover-db", "rollback-deploy", "drain-region"]), st.booleans()
    ),
    max_size=4,
    unique_by=lambda m: m[0],
)
NOTE = re.compile(r"Last exercised \S+?(?:: (.*))?\.$")


@settings(max_examples=200, deadline=None)
@given(
    mitigations=MITIGATIONS,
    page=st.none() | SECONDS,
    fired=st.integers(15, 60),
    cleared=st.lists(st.none() | st.integers(20, 85), min_size=2, max_size=2),
    gone=st.none() | SECONDS,
)
def test_whatever_happened_each_clause_of_a_note_is_so(
    mitigations: list[tuple[int, str, bool]],
    page: int | None,
    fired: int,
    cleared: list[int | None],
    gone: int | None,
) -> None:
    scenario = Scenario.model_validate(
        {
            "metadata": {"name": "slow-db"},
            "spec": {
                "slo": "checkout-latency",
                "faults": [{"experiment": "slow-downstream", "duration": "5m"}],
            },
        }
    )
    resets = [None if c is None or c < fired else c for c in cleared]
    facts = [slow_db_run.fact(1, Kind.FAULT_INJECTED, 10, undo="u1")]
    facts += [mitigated(s, n, ok=ok, number=20 + i) for i, (s, n, ok) in enumerate(mitigations)]
    if page is not None:
        facts.append(branch(Kind.PAGE_RECEIVED, page, 2))
    for number, (long, reset) in enumerate(zip(("1h", "6h"), resets, strict=True)):
        facts.append(branch(Kind.ALERT_FIRED, fired, 40 + number, long))
        if reset is not None:
            facts.append(branch(Kind.ALERT_RESOLVED, reset, 50 + number, long))
    if gone is not None:
        facts.append(slow_db_run.fact(60, Kind.FAULT_RECOVERED, gone, undo="u1", by="expired"))
    facts.sort(key=lambda f: f.happened_at)
    result: RunResult = run_result(RunVerdict.MISSED)

    tasks = runbook_tasks(Timeline.of(facts), scenario, RUNBOOK, PATH, result)

    whole = max((r for r in resets if r is not None), default=None) if None not in resets else None
    worked = [(s, n) for s, n, ok in mitigations if ok]
    for task in tasks:
        if task.kind != "exercised":
            continue
        fix = task.title.split()[2]
        note = next(m for line in _added(task).split("\n") if (m := NOTE.search(line)))
        # The very step was applied, and this is about the last time it was.
        second = max(s for s, n in worked if n == fix)
        for clause in (note[1] or "").split(", "):
            match clause.split()[:3]:
                case ["applied", took, "s"]:
                    assert page is not None and int(took) == second - page
                case ["alert", "cleared", took]:
                    assert whole is not None and int(took) == whole - second
                    assert not any(second < s <= whole for s, _ in worked)
                    assert gone is None or not second <= gone < whole
                case ["the", "alert", "had"]:
                    assert gone is not None and gone >= second >= fired
                    assert whole is None or whole > gone
                case _:
                    assert "" == clause
    told_of = {t.title.split()[2] for t in tasks if t.kind == "exercised"}
    assert told_of == {n for _, n in worked if n != "drain-region"}
