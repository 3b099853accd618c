"""What a run teaches its runbook: the right tasks, patches that git takes, nothing twice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gameday.learning.tasks import runbook_tasks
from gameday.model.result import RunResult, Task
from gameday.model.scenario import Scenario
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import Verdict

PATH = "runbooks/checkout-latency.md"

Tasks = Callable[..., list[Task]]


@pytest.fixture
def tasks(timeline: Timeline, scenario: Scenario, result: RunResult) -> Tasks:
    def made(text: str, path: str = PATH, **changes: Any) -> list[Task]:
        values = {"timeline": timeline, "scenario": scenario, "result": result, **changes}
        return runbook_tasks(values["timeline"], values["scenario"], text, path, values["result"])

    return made


def kinds(tasks: Sequence[Task]) -> list[str]:
    return [t.kind for t in tasks]


def only(tasks: Sequence[Task], kind: str) -> Task:
    (task,) = [t for t in tasks if t.kind == kind]
    return task


def git(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert 0 == done.returncode, done.stderr


def applied(folder: Path, text: str, task: Task, path: str = PATH) -> str:
    """Return the text after `git apply` of the task's patch in a fresh repository."""
    assert task.patch
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    (folder / path).write_bytes(text.encode())
    (folder / "task.patch").write_bytes(task.patch.encode())
    git(folder, "apply", "--check", "task.patch")
    git(folder, "apply", "task.patch")
    return (folder / path).read_bytes().decode()


def settled(folder: Path, tasks: Tasks, text: str, path: str = PATH) -> str:
    """Return the text once no task has a patch any more."""
    for _ in range(10):
        patched = [t for t in tasks(text, path) if t.patch]
        if not patched:
            return text
        text = applied(folder, text, patched[0], path)
    raise AssertionError("tasks pile up")


def test_a_drill_is_recorded_at_the_fix_it_used(
    tasks: Tasks, runbook_text: str, tmp_path: Path
) -> None:
    task = only(tasks(runbook_text), "exercised")

    after = applied(tmp_path, runbook_text, task)

    assert (
        "f0005",
        "f0012",
        "f0014",
    ) == task.evidence
    assert (
        "  `gameday mitigate failover-db region={region?}`. Nothing is lost.\n"
        "  Last exercised 2026-11-23: applied 16 s after the page, alert cleared 9 s"
        " (nominal 9 min) later.\n"
        "- **rollback-deploy**"
    ) in after


def test_a_later_drill_replaces_the_note_of_an_earlier_one(
    tasks: Tasks, runbook_text: str, tmp_path: Path
) -> None:
    older = runbook_text.replace(
        "Nothing is lost.\n", "Nothing is lost.\n  Last exercised 2026-08-01: by hand.\n"
    )

    after = applied(tmp_path, older, only(tasks(older), "exercised"))

    assert 1 == after.count("Last exercised")
    assert "2026-08-01" not in after


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda t: t, id="as it is"),
        pytest.param(lambda t: t.rstrip("\n"), id="no newline at the end"),
        pytest.param(lambda t: t.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda t: t.replace("\n", "\r\n").rstrip("\r\n"), id="CRLF, no newline"),
        pytest.param(lambda t: t.replace("Buyers", "Käufer – 買い手"), id="non-ASCII"),
        pytest.param(lambda t: t.replace("waiting", "wait\u2028ing\x0c"), id="odd separators"),
        pytest.param(
            lambda t: t[: t.index("- **rollback-deploy**: ")].rstrip("\n"), id="ends at the fix"
        ),
        pytest.param(lambda t: t[t.index("# Checkout") :], id="no front matter"),
        pytest.param(lambda t: t[: t.index("## Likely")], id="no causes, no fixes"),
        pytest.param(lambda t: t[: t.index("## Fixes")], id="no fixes"),
        pytest.param(lambda t: t[: t.index("## First")], id="hardly anything"),
        pytest.param(lambda t: "", id="empty"),
    ],
)
def test_every_patch_applies_by_git_and_applied_patches_leave_nothing_to_patch(
    tasks: Tasks, runbook_text: str, tmp_path: Path, shape: Callable[[str], str]
) -> None:
    text = shape(runbook_text)
    first = tasks(text)

    for task in first:
        if task.patch:
            applied(tmp_path, text, task)
    after = settled(tmp_path, tasks, text)

    assert [] == [t.kind for t in tasks(after) if t.patch]
    assert after.endswith("\n") == text.endswith("\n") or not text
    assert ("\r\n" in text) == ("\r\n" in after)
    assert "\r\n" not in text or after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize("path", ["run books/übersicht.md", 'odd/"quoted".md', "top.md"])
def test_patches_apply_to_files_of_any_name(
    tasks: Tasks, runbook_text: str, tmp_path: Path, path: str
) -> None:
    settled(tmp_path, tasks, runbook_text, path)


def test_waiting_in_the_profile_is_explained_at_the_check_that_reads_it(
    tasks: Tasks, runbook_text: str, tmp_path: Path
) -> None:
    task = only(tasks(runbook_text), "check-unclear")

    after = applied(tmp_path, runbook_text, task)

    assert ("f0009",) == task.evidence
    assert "check-unclear" not in kinds(tasks(after))


def test_an_instrument_that_first_checks_never_name_is_added_with_the_next_number(
    tasks: Tasks, runbook_text: str, tmp_path: Path
) -> None:
    text = runbook_text.replace(
        "3. **read-profile**: Open the profile. Which function is the widest leaf?\n"
        "4. **check-changes**: Compare with the deploy timeline.\n",
        "3. **check-changes**: Compare with the deploy timeline.\n",
    )

    task = only(tasks(text), "check-missing")

    assert "the profile gave a finding" in task.title
    assert "4. **read-profile**" in applied(tmp_path, text, task)


def test_a_cause_the_runbook_does_not_list_is_added_with_the_fix_that_worked(
    tasks: Tasks, runbook_text: str, tmp_path: Path
) -> None:
    text = runbook_text.replace("downstream: db", "downstream: cache")

    after = applied(tmp_path, text, only(tasks(text), "cause-missing"))

    assert (
        "- **inventory-db**: inventory waits for db, or gets errors from it"
        " (service: inventory, downstream: db) → failover-db\n"
    ) in after


def test_a_runbook_without_the_fix_gets_the_one_the_scenario_names(
    tasks: Tasks, timeline: Timeline, runbook_text: str, tmp_path: Path
) -> None:
    text = runbook_text.replace(" → failover-db", "").replace(
        "- **failover-db**: Use the standby:\n"
        "  `gameday mitigate failover-db region={region?}`. Nothing is lost.\n",
        "",
    )
    unmitigated = Timeline.of(f for f in timeline if f.kind != Kind.MITIGATION_APPLIED)
    made = tasks(text, timeline=unmitigated)

    after = applied(tmp_path, text, only(made, "fix-missing"))

    assert "exercised" not in kinds(made)
    assert "(service: inventory, downstream: db) → failover-db" in after
    assert "- **failover-db**: `gameday mitigate failover-db region={region?}`." in after


def test_an_alert_that_cleared_with_the_fault_is_not_credited_to_the_fix(
    tasks: Tasks, timeline: Timeline, runbook_text: str
) -> None:
    def late(fact: Fact) -> Fact:
        if fact.kind != Kind.ALERT_RESOLVED:
            return fact
        at = timeline.facts[-1].happened_at
        return replace(fact, happened_at=at, recorded_at=at)

    task = only(tasks(runbook_text, timeline=Timeline.of(map(late, timeline))), "exercised")

    assert "the alert had not cleared when the fault was taken out" in task.patch


def test_an_overdue_review_is_a_task_whose_patch_sets_the_date(
    tasks: Tasks, runbook_text: str, tmp_path: Path
) -> None:
    text = runbook_text.replace("reviewed: 2026-11-03", "reviewed: 2026-03-01")
    task = only(tasks(text), "review-overdue")

    assert "due since 2026-05-30" in task.title
    assert "\nreviewed: 2026-11-23\n" in applied(tmp_path, text, task)
    assert "review-overdue" not in kinds(tasks(runbook_text))


def test_a_missing_owner_is_a_task_that_only_people_can_do(tasks: Tasks, runbook_text: str) -> None:
    lines = [line for line in runbook_text.split("\n") if not line.startswith("owner:")]

    task = only(tasks("\n".join(lines)), "owner-missing")

    assert "" == task.patch


def test_a_finding_that_was_not_expected_is_a_task_without_a_patch(
    tasks: Tasks, result: RunResult, runbook_text: str
) -> None:
    trace, *others = result.funnel
    wrong = replace(result, funnel=(replace(trace, verdict=Verdict.MISSED), *others))

    task = only(tasks(runbook_text, result=wrong), "finding-unexpected")

    assert ("f0008",) == task.evidence
    assert "" == task.patch


def test_a_run_in_which_nobody_answered_asks_for_nothing_it_cannot_prove(
    tasks: Tasks, runbook_text: str
) -> None:
    assert [] == tasks(runbook_text, timeline=Timeline())
