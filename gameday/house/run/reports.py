"""Writing what a run leaves for people and for CI into a folder."""

from __future__ import annotations

from pathlib import Path

from gameday.errors import UsageError
from gameday.house.run.judgement import result_of
from gameday.house.run.play import as_json
from gameday.ports import Store
from gameday.report.scorecard import html, junit, markdown
from scoring.timeline import Timeline


def write_reports(store: Store, run: str, folder: Path) -> list[Path]:
    """Write scorecard, postmortem draft, facts and one patch per task; return the files.

    Raises:
        UsageError: the run never ended, or the folder cannot be written.
    """
    result = result_of(store, run)
    if result is None:
        raise UsageError(f"run {run} never ended; `gameday show {run}` prints what it recorded")
    timeline = Timeline.of(store.facts(run))
    files: dict[str, str] = {
        "scorecard.md": markdown(result),
        "scorecard.html": html(result, timeline),
        "junit.xml": junit(result),
        "result.json": as_json(result.to_json()) + "\n",
        "timeline.json": as_json({"facts": [f.to_json() for f in timeline]}) + "\n",
        **{
            f"task-{number}-{task.kind}.patch": task.patch
            for number, task in enumerate(result.tasks, start=1)
            if task.patch
        },
    }
    if result.postmortem:
        files["postmortem.md"] = result.postmortem
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"the report folder {str(folder)!r} cannot be written: {error}") from error
    return [folder / name for name in sorted(files)]
