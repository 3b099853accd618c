"""What a sandbox that is left up writes is bounded, and the newest is kept."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from gameday.process import ProcessId
from gameday.sandbox.supervisor import ledger, logs

LINE = "{:07d} something went wrong\n"


def numbers(path: Path) -> list[int]:
    return [int(line.split()[0]) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_log_that_is_too_large_begins_anew_and_its_newest_whole_lines_are_kept(
    tmp_path: Path,
) -> None:
    log = tmp_path / "proxy.out"
    with log.open("a") as component:
        for number in range(1000):
            component.write(LINE.format(number))
        component.flush()
        logs.bound(tmp_path, largest=1000)
        component.write(LINE.format(1000))

    kept = tmp_path / "proxy.out.1"
    assert [1000] == numbers(log)
    assert list(range(1000 - 1000 // len(LINE.format(0)), 1000)) == numbers(kept)
    assert 0o600 == stat.S_IMODE(kept.stat().st_mode)
    assert ["proxy.out", "proxy.out.1"] == sorted(p.name for p in tmp_path.iterdir())


def test_a_component_that_writes_for_ever_takes_so_much_room_and_no_more(tmp_path: Path) -> None:
    log = tmp_path / "proxy.out"
    largest = 0
    with log.open("a") as component:
        for number in range(20_000):
            component.write(LINE.format(number))
            if number % 100 == 99:
                component.flush()
                logs.bound(tmp_path, largest=10_000)
                largest = max(largest, sum(p.stat().st_size for p in tmp_path.iterdir()))

    said = [*numbers(tmp_path / "proxy.out.1"), *numbers(log)]
    assert largest < 2 * 10_000 + 100 * len(LINE.format(0))
    assert list(range(said[0], 20_000)) == said


def test_a_log_that_is_small_and_one_that_bounds_itself_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "proxy.out").write_text("x" * 1000)
    (tmp_path / "checkout-eu-west.log").write_text("x" * 5000)

    logs.bound(tmp_path, largest=1000)

    assert {"proxy.out": 1000, "checkout-eu-west.log": 5000} == {
        p.name: p.stat().st_size for p in tmp_path.iterdir()
    }


def test_a_log_that_cannot_be_cut_keeps_no_other_from_it(tmp_path: Path) -> None:
    (tmp_path / "a.out").mkdir()
    (tmp_path / "a.out" / "x").write_text("x")
    (tmp_path / "b.out").write_text("b\n" * 1000)

    logs.bound(tmp_path, largest=100)

    assert (0, 100) == tuple((tmp_path / f"b.out{end}").stat().st_size for end in ("", ".1"))


def test_the_list_of_processes_is_bounded_and_knows_what_runs_and_what_was_last(
    tmp_path: Path,
) -> None:
    own = ledger.record(tmp_path, "supervisor", os.getpid())
    assert own is not None
    dead = [ProcessId(own.pid, f"long ago {number}") for number in range(5000)]
    lines = [json.dumps({"name": "proxy"} | process.to_json()) + "\n" for process in dead]
    with (tmp_path / ledger.FILE_NAME).open("a", encoding="utf-8") as listed:
        listed.writelines(lines)
    before = (tmp_path / ledger.FILE_NAME).stat().st_size

    ledger.record(tmp_path, "store", os.getpid())

    assert before > ledger.LARGEST
    assert (tmp_path / ledger.FILE_NAME).stat().st_size < 500
    assert [own, dead[-1], own] == [
        ledger.latest(tmp_path, name) for name in ("supervisor", "proxy", "store")
    ]
    assert own.pid in [process.pid for process in ledger.survivors(tmp_path)]
