"""Words put on record from the command line: a postmortem, days after its run has ended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from slow_db_run import START, slow_db

from gameday.cli.app import run
from gameday.drivers.clock import SystemClock
from gameday.drivers.database import Database
from gameday.house.run.judgement import Documents, judge, result_of
from gameday.house.run.opening import open_store
from gameday.house.run.stories import read_story
from gameday.incidents.alerts import Alert
from gameday.incidents.engine import Engine
from gameday.incidents.terms import Terms
from gameday.ports import GroupFact
from scoring.timeline import Fact, Kind, Timeline

REPOSITORY = Path(__file__).resolve().parents[3]
URL = "https://wiki.example/1"
RUN = "20261123-0800-5f3a"


async def played(store: Database) -> str:
    """A run that has ended, with its incident; return the incident's id."""
    story = read_story(str(REPOSITORY / "scenarios/slow-db.yaml"))
    texts = story.documents.to_mapping()
    store.open_run(RUN, scenario="slow-db", target="sandbox", started_at=START, documents=texts)
    facts = [f for f in slow_db() if f.kind != Kind.PAGE_RECEIVED]
    ended_at = START + timedelta(seconds=70)
    facts.append(Fact("f0099", Kind.RUN_ENDED, ended_at, ended_at, "conductor"))
    alert = Alert(
        "a",
        START + timedelta(seconds=28.5),
        None,
        START + timedelta(seconds=29),
        {
            "alertname": "CheckoutLatencyBudgetBurn",
            "service": "storefront",
            "slo": "checkout-latency",
            "severity": "page",
            "long_window": "1h",
        },
        {},
        drill=RUN,
    )
    store.commit([GroupFact(alert.group, alert.to_fact(), RUN)])
    for fact in facts:
        store.append(RUN, fact)
    result = judge(RUN, Timeline.of(store.facts(RUN)), Documents.of(texts))
    store.close_run(RUN, ended_at=ended_at, result=result)
    async with Engine(
        store, clock=SystemClock(), terms=Terms(has_duties=False)
    ).running() as engine:
        (row,) = await engine.listed(limit=10, only_open=False)
    return row.id


@pytest.mark.parametrize("about", [RUN, "last", "the incident"])
async def test_a_postmortem_that_is_told_after_its_run_is_judged_with_it(
    about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    with open_store() as store:
        incident = await played(store)
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
