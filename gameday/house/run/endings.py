"""The end of a run that could not give it itself, because its process is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gameday import private
from gameday.drivers.clock import SystemClock
from gameday.errors import GamedayError, StoreError
from gameday.house.run.announcement import left_behind
from gameday.house.run.opening import only_run
from gameday.ports import Store, WholeStore
from gameday.settings import Settings
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict

MOST_RUNS = 1000
"""How far back one that was left behind is looked for."""


def timeline_path(settings: Settings, run: str) -> Path:
    """Return where a run's facts can be read as JSON lines, once it has ended."""
    return settings.state / "runs" / f"{run}.jsonl"


def write_timeline(path: Path, timeline: Timeline) -> None:
    """Write the facts as JSON lines, for whoever works with files rather than with the store.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        private.folder(path.parent)
        lines = (json.dumps(f.to_json(), ensure_ascii=False) for f in timeline)
        private.write_text(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise StoreError(f"the timeline {str(path)!r} cannot be written: {error}") from error


def prepare() -> None:
    """Load what `end` needs, while nothing is urgent."""
    import gameday.house.run.closing
    import gameday.house.run.judgement  # noqa: F401


def conclude(store: Store, run: str, *, timeline: Path, ended_at: datetime) -> None:
    """Give the run its end in the store, judged by what it recorded, or judge it again.

    A run that has ended keeps the instant. What a store that cannot be written does not take is
    left out; nor does a run end whose texts this gameday can no longer read.

    Args:
        timeline: where the facts can be read as JSON lines.
        ended_at: when it ended, where its timeline does not tell.
    """
    from gameday.house.run.judgement import Documents, judge, unjudged

    with suppress(GamedayError):
        facts = Timeline.of(store.facts(run))
        said = facts.last(Kind.RUN_ENDED)
        documents = Documents.of(store.documents(run))
        try:
            result = judge(run, facts, documents, timeline_path=str(timeline))
        except GamedayError:
            raise
        except Exception:  # noqa: BLE001 - a mistake of the judges leaves no run without an end
            result = unjudged(run, facts, timeline_path=str(timeline))
        when = said.happened_at if said else ended_at
        store.close_run(run, ended_at=when, result=result, fenced=True)


def end(store: WholeStore, settings: Settings, run: str) -> None:
    """`conclude` a run now, close its incidents and write its timeline, as it would have."""
    from gameday.house.run.closing import close_incidents

    path = timeline_path(settings, run)
    record = next((r for r in store.runs(limit=MOST_RUNS) if r.id == run), None)
    with suppress(GamedayError):
        target = record.target if record else ""
        close_incidents(store, run, target=target, now=SystemClock().now())
    conclude(store, run, timeline=path, ended_at=SystemClock().now())
    with suppress(GamedayError):
        write_timeline(path, Timeline.of(store.facts(run)))


def write_down(store: WholeStore, settings: Settings, run: str, notes: Notes) -> None:
    """Append what was done for a run from outside it; one that has ended is judged again.

    Raises:
        UsageError: the store knows no such run.
        StoreError: the store cannot be written.
    """
    has_ended = store.result(run) is not None
    before = sum(f.id.startswith("o") for f in store.facts(run))
    for number, fact in enumerate(notes.facts, before + 1):
        store.append(run, replace(fact, id=f"o{number:04d}"), fenced=True)
    if has_ended and notes.facts:
        end(store, settings, run)


def end_left_behind(store: WholeStore, settings: Settings, run: str | None = None) -> list[str]:
    """Record as aborted what never ended and whose process on this machine is gone.

    That is a run whose sentinel died as well: with the machine, for instance.

    Args:
        run: this one only.

    Returns:
        the runs that got their end now.
    """
    targets = {r.id: r.target for r in store.runs(limit=MOST_RUNS) if r.pruned_at is None}
    ended = []
    for name in left_behind(settings):
        if run not in (None, name) or name not in targets or store.result(name) is not None:
            continue
        # Its process may live where it cannot be seen, in another container of this machine; then
        # it plays on, and holds the target.
        with suppress(GamedayError), only_run(settings, targets[name]):
            if Timeline.of(store.facts(name)).last(Kind.RUN_ENDED) is None:
                notes = Notes()
                why = {"reason": "its process and its sentinel are gone", "by": "operator"}
                notes.record(Kind.RUN_ABORTED, source="operator", data=why)
                notes.record(
                    Kind.RUN_ENDED, source="operator", data={"verdict": str(RunVerdict.ABORTED)}
                )
                write_down(store, settings, name, notes)
            end(store, settings, name)
            if store.result(name) is not None:
                ended.append(name)
    return ended


class Notes:
    """Facts about a run that an operator makes, until they are written down.

    They are kept back while the target is seen to: a store that is locked must not delay that.
    """

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def record(
        self,
        kind: str,
        *,
        source: str,
        subject: str = "",
        data: Mapping[str, str] | None = None,
    ) -> None:
        """Note a fact that happens now; a `gameday.conductor.recovery.Record`."""
        now = SystemClock().now()
        # It gets its id when it is written down.
        self.facts.append(Fact.noted("", kind, now, source=source, subject=subject, data=data))
