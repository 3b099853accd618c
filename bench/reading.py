"""Is what the machine reads right at every second of a drill, whatever was done meanwhile?

Every drill is played once on the real sandbox and kept with all its instruments showed; then RED is
read as of every second from the page to the end, for the bot and for the hint, by the code of
today. Drills that are kept are not played again; the readings always are.

    python bench/reading.py [--minutes 28] [--fresh] [--write docs/measured/reading.md]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recordings import DRILLS, SECOND, SHORT, Recording, kept, play, recorded
from target import Target, commit

from gameday.diagnosis.conventions import DEFAULT
from gameday.diagnosis.dashboard import drawn
from gameday.diagnosis.links import Dashboard
from gameday.diagnosis.red import SLOW, BurnSpan, RedReading
from gameday.model.signals import Series

EARLY = timedelta(seconds=2)
LATE = SHORT + timedelta(seconds=4)
"""How far an onset may be off: one window of the rates, two scrapes and how long requests take."""


def readings(recording: Recording) -> Iterator[tuple[datetime, RedReading]]:
    """Yield what is read at every second from the page to the end."""
    page = recording.page
    span = BurnSpan.of(page)
    dashboard = Dashboard("", DEFAULT.of(page.service, window=SHORT))

    async def draw(
        expression: str, since: datetime, until: datetime, _step: timedelta
    ) -> Sequence[Series]:
        return [
            Series(one.labels, tuple(s for s in one.samples if since <= s.at <= until))
            for one in recording.series[expression]
        ]

    now = page.burn_until
    while now <= recording.ended:
        yield now, asyncio.run(drawn(draw, dashboard, span=span, now=now, limit=SLOW)).reading
        now += SECOND


def judged(recording: Recording, reading: RedReading) -> str:
    """Return ``right``, ``unknown``, or what is wrong with a reading."""
    if not reading.movements:
        return "unknown"
    wanted, named = set(recording.drill.regions), set(reading.affected())
    if named - wanted or wanted - named - set(reading.unclear):
        return f"wrong: names {', '.join(sorted(named))}"
    if not {"errors", "duration"} & set(reading.moved()):
        return "wrong: neither errors nor duration"
    onset = reading.onset()
    if onset is not None and not recording.began - EARLY <= onset <= recording.began + LATE:
        return f"wrong: onset {(onset - recording.began).total_seconds():+.0f} s"
    return "unknown" if reading.unclear or onset is None else "right"


def main() -> int:
    """Play what is missing, read all, print the table; 0: none wrong, 1: some, 3: some missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=28, help="stop before this; go on later")
    parser.add_argument("--fresh", action="store_true", help="forget the drills played before")
    parser.add_argument("--only", type=int, default=len(DRILLS), help="the first so many drills")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    deadline = time.monotonic() + options.minutes * 60
    target: Target | None = None
    rows, wrong, missing = [], 0, 0
    try:
        for drill in DRILLS[: options.only]:
            if options.fresh:
                kept(drill).unlink(missing_ok=True)
            recording = recorded(drill)
            if recording is None:
                if time.monotonic() > deadline - 240:
                    missing += 1
                    continue
                target = target or Target("reading")
                recording = play(target, drill)
            count = Counter(judged(recording, reading) for _, reading in readings(recording))
            seconds = sum(count.values())
            bad = {word: n for word, n in count.items() if word.startswith("wrong")}
            wrong += sum(bad.values())
            said = "; ".join(f"{word} ({n})" for word, n in bad.items()) or "0"
            rows.append(
                f"| {drill.name} | {'+'.join(drill.regions)} | {seconds} | {count['right']}"
                f" | {count['unknown']} ({count['unknown'] / seconds:.0%}) | {said}"
                f" | {recording.commit} |"
            )
            print(rows[-1], file=sys.stderr, flush=True)
    finally:
        if target is not None:
            target.down()
    text = "\n".join(
        [
            "| drill | regions | seconds read | right | unknown | wrong | played on |",
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    print(text)
    if options.write:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        options.write.write_text(
            f"# Is RED read right at every second of a drill?\n\nRead on commit {commit()},"
            f" {stamp}, `python bench/reading.py`, {len(rows)} of {len(DRILLS)} drills."
            f" An onset may be {EARLY.seconds} s early and {LATE.seconds} s late.\n\n{text}\n"
        )
    if wrong:
        return 1
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
