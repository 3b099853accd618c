"""``gameday runbooks tasks``: what drills teach, against the runbook as it stands."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import slow_db_run
from closed_incident import closed_incident
from slow_db_run import START, slow_db

from gameday.cli.app import run
from gameday.house.run.judgement import Documents, judge
from gameday.house.run.opening import open_store
from gameday.house.run.stories import read_story
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Fact, Kind, Timeline

REPOSITORY = Path(__file__).resolve().parents[2]
PATH = "runbooks/checkout-latency.md"
UNREAD = slow_db_run.RUNBOOK.replace(
    "3. **read-profile**: Open the profile. Which function is the widest leaf?\n", ""
)

Said = Callable[[], tuple[str, str]]


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a repository with a runbook that sends nobody to the profile."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    git("config", "user.name", "On-call")
    git("config", "user.email", "on-call@example.org")
    written(UNREAD)
    git("add", "-A")
    git("commit", "--quiet", "-m", "first")
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return read


def written(text: str) -> None:
    Path(PATH).parent.mkdir(exist_ok=True)
    Path(PATH).write_text(text, encoding="utf-8")


def played(name: str = "r1", *, days: int = 0) -> None:
    """Have a drill in the store that was played beside the runbook as it stands."""
    story = read_story(str(REPOSITORY / "scenarios/slow-db.yaml"))
    path = Path(PATH)
    documents = replace(
        story.documents, runbook=path.read_text(encoding="utf-8"), runbook_path=str(path)
    )
    later = timedelta(days=days)
    ended = Fact(
        "f0099",
        Kind.RUN_ENDED,
        START + timedelta(seconds=70),
        START + timedelta(seconds=70),
        "conductor",
    )
    facts = [
        replace(f, happened_at=f.happened_at + later, recorded_at=f.recorded_at + later)
        for f in [*slow_db(), ended]
    ]
    with open_store() as store:
        texts = Documents.to_mapping(documents)
        store.open_run(
            name, scenario="slow-db", target="sandbox", started_at=START + later, documents=texts
        )
        for fact in facts:
            store.append(name, fact)
        result = judge(name, Timeline.of(facts), documents)
        store.close_run(name, ended_at=facts[-1].happened_at, result=result)


def test_without_a_drill_there_is_nothing_to_learn(said: Said) -> None:
    assert 0 == run(["runbooks", "tasks"])

    assert ("", "1 runbook, 0 tasks\n") == said()


def test_each_task_is_told_with_its_evidence_and_its_patch(said: Said) -> None:
    played()

    assert 1 == run(["runbooks", "tasks"])

    out, err = said()
    assert f"{PATH}: check-missing: Add a first check: the profile gave a finding" in out
    assert "    by run r1, facts f0009\n" in out
    assert f"+++ b/{PATH}" in out and "+5. **read-profile**" in out
    assert "2 tasks, 2 with a patch: --apply makes a branch of them" in err

    assert 1 == run(["runbooks", "tasks", "--json"])
    assert {"check-missing", "exercised"} == {t["kind"] for t in json.loads(said()[0])}


def test_what_is_mended_since_is_not_asked_for_again(said: Said) -> None:
    played()
    written(UNREAD.replace("slow traces.", "slow traces and the profile: what waits there?"))

    run(["runbooks", "tasks", "--json"])

    assert {"exercised"} == {t["kind"] for t in json.loads(said()[0])}


def test_applied_all_stand_on_a_branch_that_asks_for_nothing_more(said: Said) -> None:
    played()
    before = git("status", "--porcelain")

    assert 0 == run(["runbooks", "tasks", "--apply", "--branch", "drill"])

    assert "drill: 3 commits; `git log -p HEAD..drill` shows them\n" == said()[1]
    assert before == git("status", "--porcelain")
    assert {"runbook: check-missing", "runbook: check-unclear", "runbook: exercised"} == set(
        git("log", "--format=%s", "HEAD..drill").splitlines()
    )
    written(git("show", f"drill:{PATH}"))
    assert 0 == run(["runbooks", "tasks"])
    said()
    assert 0 == run(["runbooks", "lint"])


def test_after_the_patched_runbook_was_drilled_the_item_is_proven(said: Said) -> None:
    played()
    run(["actions", "list", "--json"])
    asked = {item["task"] for item in json.loads(said()[0])}
    run(["runbooks", "tasks", "--apply", "--branch", "drill"])
    written(git("show", f"drill:{PATH}"))
    played("r2", days=1)
    said()

    assert 0 == run(["actions", "list"])

    assert "check-missing" in asked
    assert "nothing is open; --all lists closed ones\n" == said()[1]
    run(["actions", "list", "--all", "--json"])
    assert {("closed, proven", "run r2")} == {
        (item["state"], item["evidence"][0]) for item in json.loads(said()[0])
    }


def test_a_link_that_leads_nowhere_is_a_task_without_a_run(said: Said) -> None:
    written(UNREAD + "\nSee [the other](other.md).\n")

    assert 1 == run(["runbooks", "tasks", "--json"])

    (task,) = json.loads(said()[0])
    assert ("link-broken", None, "") == (task["kind"], task["by"], task["patch"])
    assert "other.md leads nowhere" in task["title"]


def test_a_real_incident_teaches_its_runbook_what_was_found(said: Said) -> None:
    written(UNREAD.replace("downstream: db", "downstream: cache"))
    with open_store() as store:
        clock = VirtualClock(datetime.now(UTC) - timedelta(hours=1))
        incident = asyncio.run(closed_incident(store, clock))

    assert 1 == run(["runbooks", "tasks", "--json"])

    found = {task["kind"]: task for task in json.loads(said()[0])}
    assert f"incident {incident}" == found["cause-missing"]["by"]
    assert "inventory waits for db" in found["cause-missing"]["title"]
    assert "applied 2 min 10 s after the page." in found["exercised"]["patch"]
    assert 2 == len(found["exercised"]["evidence"])

    written(Path(PATH).read_text(encoding="utf-8").replace("CheckoutLatencyBudgetBurn", "Other"))
    run(["runbooks", "tasks", "--json"])
    assert [] == json.loads(said()[0])


def test_without_a_patch_no_branch_is_made(said: Said) -> None:
    assert 0 == run(["runbooks", "tasks", "--apply", "--branch", "drill"])

    assert "so no branch is made\n" in said()[1]
    assert "" == git("branch", "--list", "drill")


def test_a_branch_that_is_there_is_left_alone(said: Said) -> None:
    played()
    git("branch", "drill")

    assert 6 == run(["runbooks", "tasks", "--apply", "--branch", "drill"])

    assert "git branch in" in said()[1]
    assert 2 == run(["runbooks", "tasks", "--branch", "x"])
