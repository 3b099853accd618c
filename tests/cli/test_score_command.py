"""`gameday score`: the verdict of a stored run, and what the shell hears of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli.app import run
from gameday.cli.verdicts import VERDICT_CODES, code_of
from gameday.errors import ExitCode
from gameday.house.run.opening import open_store
from gameday.house.run.stories import read_story
from gameday.model.result import Recovery
from gameday.settings import Settings
from gameday.testing.results import run_result
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

RUN = "20261123-1000-aaaa"
SLOW_DB = Path(__file__).resolve().parents[2] / "scenarios" / "slow-db.yaml"


def test_every_verdict_has_a_code() -> None:
    assert set(RunVerdict) == set(VERDICT_CODES)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [("passed", 0), ("missed", 1), ("unknown", 1), ("refused", 3), ("aborted", 4), ("failed", 6)],
)
def test_a_run_ends_with_the_code_of_its_verdict(verdict: str, code: int) -> None:
    assert code == code_of(run_result(RunVerdict(verdict)))


def test_what_is_still_in_place_goes_before_the_verdict() -> None:
    left = run_result(RunVerdict.PASSED, recovery=Recovery(open=1))

    assert ExitCode.RECOVERY_INCOMPLETE is code_of(left)


def test_judging_a_stored_run_again_ends_as_the_run_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    documents = read_story(str(SLOW_DB)).documents.to_mapping()
    with open_store(Settings.from_environment()) as store:
        store.open_run(RUN, scenario="s", target="t", started_at=now, documents=documents)
        facts = [(Kind.RUN_ABORTED, {"reason": "enough"}), (Kind.RUN_ENDED, {"verdict": "aborted"})]
        for number, (kind, data) in enumerate(facts):
            store.append(RUN, Fact.noted(f"f{number}", kind, now, source="operator", data=data))

    assert 4 == run(["score", RUN])
