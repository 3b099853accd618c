"""``gameday runs``, ``show``, ``score``, ``report``, ``recover``: what the store remembers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gameday.cli.output import print_json, print_table, say
from gameday.cli.verdicts import code_of

if TYPE_CHECKING:
    from gameday.model.result import RunResult
    from gameday.ports import FaultDriver


def runs(
    limit: int = typer.Option(20, min=1, help="How many, newest first."),
    json: bool = typer.Option(False, "--json", help="Print them as JSON."),
) -> None:
    """List the runs that were played here."""
    from gameday.house.run.opening import open_store

    with open_store() as store:
        found = store.runs(limit=limit)
    if json:
        print_json(
            [
                {
                    "run": r.id,
                    "scenario": r.scenario,
                    "target": r.target,
                    "started_at": r.started_at.isoformat(),
                    "ended_at": r.ended_at.isoformat() if r.ended_at else None,
                    "verdict": r.verdict,
                    "percent": r.percent,
                    "system_percent": r.system_percent,
                    "response_percent": r.response_percent,
                    "pruned_at": r.pruned_at.isoformat() if r.pruned_at else None,
                }
                for r in found
            ]
        )
        return
    from gameday.report.numbers import percentages

    rows = [
        (
            r.id,
            r.scenario,
            r.target,
            r.started_at.strftime("%Y-%m-%d %H:%M"),
            f"{r.verdict or 'not ended'}{', pruned' if r.pruned_at else ''}",
            percentages(r.percent, r.system_percent, r.response_percent) or "—",
        )
        for r in found
    ]
    print_table(
        ("run", "scenario", "target", "started (UTC)", "verdict", "score"),
        rows,
        empty="no runs yet; `gameday run scenarios/slow-db.yaml` plays one",
    )


def show(
    run: str = typer.Argument("last", help="Run id, its beginning, or `last`."),
    timeline: bool = typer.Option(False, "--timeline", help="Print every fact as well."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Show the scorecard of a run."""
    from gameday.house.run.earlier import earlier_runs
    from gameday.house.run.judgement import result_of
    from gameday.house.run.opening import open_store

    with open_store() as store:
        found = store.find(run)
        result = result_of(store, found)
        facts = store.facts(found)
        earlier = earlier_runs(store, result) if result is not None else None
    if json:
        judged = result.to_json() if result else {"run": found}
        print_json({**judged, "facts": [f.to_json() for f in facts]})
        return
    if result is None:
        say(f"run {found} never ended; here is what it recorded")
    else:
        print_result(result)
        if earlier is not None and result.score.system is not None:
            print_change("Since the last run", earlier.last, result)
            print_change("Beside the bot, as a yardstick only", earlier.bot, result)
    if timeline or result is None:
        print_table(
            ("at (UTC)", "source", "fact", "subject"),
            [
                (f.happened_at.strftime("%H:%M:%S.%f")[:-3], f.source, f.kind, f.subject)
                for f in sorted(facts, key=lambda f: f.happened_at)
                if f.data.get("what") != "burn_rate"
            ],
            empty="no facts",
        )


def score(
    run: str = typer.Argument("last", help="Run id, its beginning, or `last`."),
    rubric: str | None = typer.Option(None, help="Another rubric: a name or a file."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> int:
    """Judge a stored run again; no cluster needed, the stored run is not changed.

    Exit codes: that of the verdict, as `gameday run` has it.
    """
    from gameday.house.run.judgement import rejudge
    from gameday.house.run.opening import open_store
    from gameday.house.run.stories import rubric_text

    with open_store() as store:
        found = store.find(run)
        result = rejudge(store, found, rubric=rubric_text(rubric) if rubric else None)
    if json:
        print_json(result.to_json())
    else:
        print_result(result)
    return int(code_of(result))


def report(
    run: str = typer.Argument("last", help="Run id, its beginning, or `last`."),
    to: Path = typer.Option(Path("report"), "--to", help="Folder to write into."),
) -> None:
    """Write the scorecard (Markdown, HTML, JUnit, JSON), the postmortem draft and the patches."""
    from gameday.house.run.opening import open_store
    from gameday.house.run.reports import write_reports

    with open_store() as store:
        found = store.find(run)
        written = write_reports(store, found, to)
    for path in written:
        print(path)


def recover(
    run: str | None = typer.Argument(None, help="Run id; every open fault where it is left out."),
    strays: bool = typer.Option(
        False, "--strays", help="Also take out what runs of other stores left on the sandbox."
    ),
    context: str | None = typer.Option(
        None, "--context", help="With --strays: in the cluster of this kubeconfig context instead."
    ),
    system: str | None = typer.Option(
        None, "--system", help="With --strays: on the system of this file under systems/ instead."
    ),
    gone: str | None = typer.Option(
        None,
        "--gone",
        metavar="WHY",
        help="Close what of RUN still cannot be proven: its cluster or server is gone for good.",
    ),
    json: bool = typer.Option(False, "--json", help="Print what was recovered as JSON."),
) -> int:
    """Take back faults that a crashed run left open, and prove it. Harmless when repeated.

    A run whose process is gone and that nobody has ended is recorded as aborted.
    """
    from gameday.errors import UsageError

    if gone is not None and (run is None or not gone.strip()):
        raise UsageError("--gone closes what one run left, on your word: name the run and say why")
    from gameday.house.run.endings import end_left_behind
    from gameday.house.run.opening import open_store
    from gameday.house.run.recover import recover_open
    from gameday.settings import Settings

    settings = Settings.from_environment()
    with open_store(settings) as store:
        wanted = store.find(run) if run else None
        outcomes = recover_open(store, settings, wanted)
        if gone is not None and wanted is not None:
            from gameday.house.run.recover import give_up

            outcomes = give_up(store, settings, wanted, gone, outcomes)
        if strays:
            from gameday.house.run.recover import recover_strays

            outcomes += recover_strays(store, settings, _faults(context, system))
        ended = end_left_behind(store, settings, wanted)
    say_ended(ended)
    if json:
        print_json(outcomes)
    else:
        print_table(
            ("fault", "outcome"),
            [(o["description"], o["error"] or "recovered, proven gone") for o in outcomes],
            empty="nothing is open: no fault is left in place",
        )
    return 5 if any(o["error"] and not o.get("given_up") for o in outcomes) else 0


def say_ended(left_behind: Sequence[str]) -> None:
    """Tell which runs got their end from somebody else."""
    for run in left_behind:
        say(f"run {run} never ended, for its process is gone: it is recorded as aborted")


def _faults(context: str | None, system: str | None) -> FaultDriver:
    """Return what finds and takes out strays: on the sandbox, in a cluster, or on a system."""
    if context is not None and system is not None:
        from gameday.errors import UsageError

        raise UsageError("give --context or --system, not both: a system's file names its cluster")
    if system is not None:
        from gameday.house.targets.choice import system_named
        from gameday.house.targets.declared_system import faults_of

        return faults_of(system_named(system))
    if context is None:
        from gameday.house.targets.sandbox import running_sandbox, sandbox_faults

        return sandbox_faults(running_sandbox())
    import os

    from gameday.house.targets.cluster import cluster_faults, place_of

    return cluster_faults(place_of(None, context=context, environment=os.environ))


def print_result(result: RunResult) -> None:
    """Print a scorecard for people on stdout."""
    from rich.console import Console

    from gameday.report.terminal import scorecard

    Console(soft_wrap=False).print(scorecard(result))
    if result.recovery.open:
        left = result.recovery.open
        say(f"{left} faults are still in place: `gameday recover {result.run}`")


def print_change(title: str, before: RunResult | None, now: RunResult) -> None:
    """Print how a run did beside an earlier one; nothing where there is none."""
    from gameday.report.numbers import change_in_words

    if before is not None:
        rows = change_in_words(before, now)
        print_table((f"{title} ({before.run})", "then → now"), rows, empty="")
