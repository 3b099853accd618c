"""Which process is meant: by its birth, whatever the clock says."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from gameday.process import Life, ProcessId


def test_a_process_that_runs_is_told_from_a_later_one_with_its_number() -> None:
    own = ProcessId.own()

    assert Life.RUNS is own.life()
    assert Life.GONE is replace(own, born="before").life()


def test_what_travelled_as_json_is_the_same_process() -> None:
    assert ProcessId.own() == ProcessId.from_json(ProcessId.own().to_json())


def test_a_process_that_has_ended_is_gone_before_and_after_it_was_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = ProcessId.of(child.pid)
    assert known is not None and known.runs
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.001)

    as_a_zombie = known.life()
    child.communicate()

    assert (Life.GONE, Life.GONE) == (as_a_zombie, known.life())
    assert ProcessId.of(child.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the birth is read off the clock")
def test_a_clock_that_is_set_makes_no_other_process_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ProcessId.own()
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert own.runs


def test_what_cannot_be_asked_is_not_called_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ProcessId.own()

    def refuse(*_: object) -> str:
        raise PermissionError

    monkeypatch.setattr("gameday.process._born", refuse)

    assert (False, False, Life.UNKNOWN) == (own.runs, own.is_gone, own.life())
