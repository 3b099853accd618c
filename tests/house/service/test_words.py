"""Words put on record from the command line: a postmortem, days after its run has ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from closed_incident import RUN, ended_drill
from slow_db_run import START

from gameday.cli.app import run
from gameday.house.run.judgement import result_of
from gameday.house.run.opening import open_store
from scoring.timeline import Kind

URL = "https://wiki.example/1"


@pytest.mark.parametrize("about", [RUN, "last", "the incident"])
async def test_a_postmortem_that_is_told_after_its_run_is_judged_with_it(
    about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    with open_store() as store:
        incident = await ended_drill(store)
        before = result_of(store, RUN)
        words = ["incident", "postmortem", incident if about == "the incident" else about, URL]
        code = await asyncio.to_thread(run, [*words, "--json"])
        last = store.facts(RUN)[-1]
        after, stored = result_of(store, RUN), store.result(RUN)

    assert code == 0
    assert (Kind.POSTMORTEM_DRAFTED, URL, "command line") == (
        last.kind,
        last.data["url"],
        last.data["by"],
    )
    assert json.loads(capsys.readouterr().out)["data"]["url"] == URL
    assert before is not None and after is not None
    assert before == stored
    assert ("pending", last.happened_at) == (
        str(before.phases["postmortem"].verdict),
        after.phases["postmortem"].at,
    )
    # Everything else is as it was: what comes after a run tells nothing of what it could see.
    assert replace(before, phases={}, score=before.score, postmortem="") == replace(
        after, phases={}, score=before.score, postmortem="", tasks=before.tasks
    )


async def test_a_run_that_paged_nobody_has_no_postmortem(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import asyncio

    with open_store() as store:
        store.open_run(RUN, scenario="s", target="t", started_at=START, documents={})

    assert 2 == await asyncio.to_thread(run, ["incident", "postmortem", RUN, URL])
    assert "paged nobody" in capsys.readouterr().err
