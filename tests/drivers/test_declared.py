"""What a system's document lets a responder do: done as it says, and taken back as it says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from gameday.drivers.declared import DeclaredMitigations, DeclaredTarget
from gameday.errors import DriverError, NothingDone, PermanentDriverError, TemporaryDriverError
from gameday.model.access import SecretRef
from gameday.model.mitigation import Call, Command, DeclaredMitigation
from gameday.testing.receiver import Reply, receiving

pytestmark = pytest.mark.served


async def nothing(*_: object) -> None:
    """Do nothing."""


def target(*mitigations: DeclaredMitigation) -> DeclaredTarget:
    return DeclaredTarget(
        "system/pages", time_scale=1, mitigations=mitigations, answers=(), carry=nothing
    )


def noting(word: str) -> Command:
    return Command(run=("sh", "-c", f"echo {word} $0 >>log", "{server}"))


TAKE_OUT = DeclaredMitigation(name="take-out", command=noting("out"), undo=noting("in"))


async def test_a_command_is_run_and_taken_back_with_its_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = target(TAKE_OUT)
    undoer = DeclaredMitigations()

    undo = one.undo_of_mitigation("r1", "take-out", {"server": "one"})
    done = await one.mitigate("take-out", {"server": "one"})
    was_present = await undoer.is_present(undo)
    monkeypatch.chdir("/")
    await undoer.recover(undo)

    assert "out one\nin one\n" == (tmp_path / "log").read_text()
    assert "sh -c 'echo out $0 >>log' one" == done
    assert "sh -c 'echo in $0 >>log' one" == undo.command
    assert (True, False) == (was_present, await undoer.is_present(undo))


def test_other_parameters_are_another_mitigation_and_the_same_ones_the_same() -> None:
    one = target(TAKE_OUT)

    ids = [one.undo_of_mitigation("r1", "take-out", {"server": s}).id for s in ("a", "b", "a")]

    assert ids[0] == ids[2] != ids[1]


def test_a_parameter_is_one_argument_whatever_it_holds() -> None:
    undo = target(TAKE_OUT).undo_of_mitigation("r1", "take-out", {"server": "; rm -rf {server}"})

    assert "; rm -rf {server}" == undo.data["declared"]["run"][-1]


async def test_what_needs_no_undo_is_never_in_place() -> None:
    restart = DeclaredMitigation(name="restart", command=Command(run=("true",)), undo="none")
    undo = target(restart).undo_of_mitigation("r1", "restart", {})

    assert not await DeclaredMitigations().is_present(undo)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("take-oat", {"server": "one"}, "has no mitigation 'take-oat' (did you mean 'take-out'?)"),
        ("take-out", {}, "take-out needs server, which is not given"),
    ],
)
async def test_what_is_not_declared_is_not_done(
    name: str, parameters: dict[str, str], said: str
) -> None:
    one = target(TAKE_OUT)

    with pytest.raises(PermanentDriverError) as caught:
        await one.mitigate(name, parameters)
    with pytest.raises(PermanentDriverError):
        one.undo_of_mitigation("r1", name, parameters)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("run", "error", "said"),
    [
        (("sh", "-c", "echo no; exit 3"), PermanentDriverError, "ended with 3: no"),
        (("/no/such/program",), NothingDone, "cannot be run"),
        (("sleep", "60"), TemporaryDriverError, "did not end within 0.1 s and was killed"),
    ],
)
async def test_a_command_that_fails_says_how(
    run: tuple[str, ...], error: type[DriverError], said: str
) -> None:
    command = Command(run=run, within=timedelta(milliseconds=100 if run[0] == "sleep" else 30_000))
    one = target(DeclaredMitigation(name="a", command=command, undo="none"))

    with pytest.raises(error, match=said):
        await one.mitigate("a", {})


@pytest.mark.parametrize(
    ("url", "token"),
    [("http://127.0.0.1:9/", None), ("http://127.0.0.1:9/", SecretRef(env="NOT_SET"))],
    ids=["nobody there", "no secret"],
)
async def test_a_call_that_was_never_made_is_told_from_one_that_may_have_been(
    url: str, token: SecretRef | None
) -> None:
    call = Call(post=url, token=token)
    one = target(DeclaredMitigation(name="shed", http=call, undo="none"))

    with pytest.raises(NothingDone):
        await one.mitigate("shed", {})


def test_the_undo_of_a_call_names_its_secret_and_does_not_hold_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", "HUNTER2")
    call = Call(
        post="http://127.0.0.1:9/{flag}",
        json={"on": ["{flag}"]},
        token=SecretRef(env="FLAGS_TOKEN"),
    )
    one = target(DeclaredMitigation(name="shed", http=call, undo=call))

    undo = one.undo_of_mitigation("r1", "shed", {"flag": "cart"})

    assert "HUNTER2" not in json.dumps(dict(undo.data))
    assert ("http://127.0.0.1:9/cart", {"on": ["cart"]}, "FLAGS_TOKEN") == (
        undo.data["declared"]["post"],
        undo.data["declared"]["json"],
        undo.data["declared"]["token"]["env"],
    )


async def test_a_secret_in_a_file_is_found_from_where_the_run_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("HUNTER2\n")
    monkeypatch.chdir(tmp_path)
    async with receiving(Reply(200)) as flags:
        call = Call(
            post=flags.url,
            token=SecretRef(file="key"),
            headers={"X-Api-Key": SecretRef(file="key")},
        )
        one = target(DeclaredMitigation(name="shed", http=call, undo=call))
        undo = one.undo_of_mitigation("r1", "shed", {})
        monkeypatch.chdir("/")
        await DeclaredMitigations().recover(undo)

    (asked,) = flags.requests
    assert ("Bearer HUNTER2", "HUNTER2") == (
        asked.headers["authorization"],
        asked.headers["x-api-key"],
    )


def test_a_parameter_inside_json_is_one_of_the_undo_as_well() -> None:
    said = '{"server": "{server}", "on": %s}'
    shed = DeclaredMitigation(
        name="shed",
        command=Command(run=("curl", "-d", said % "true")),
        undo=Command(run=("curl", "-d", said % "false")),
    )
    one = target(shed)

    undos = [one.undo_of_mitigation("r1", "shed", {"server": s}) for s in ("one", "two")]

    assert ("server",) == shed.parameters
    assert undos[0].id != undos[1].id
    assert '{"server": "one", "on": false}' == undos[0].data["declared"]["run"][-1]


def test_a_value_is_not_filled_into_another_and_names_no_other_place() -> None:
    call = Call(post="https://{region}.flags.example/off/{flag}", headers={"X-Region": "{region}"})
    one = target(DeclaredMitigation(name="shed", http=call, undo=call))

    undo = one.undo_of_mitigation("r1", "shed", {"region": "evil.example/", "flag": "../{region}"})

    assert (
        "https://evil.example%2F.flags.example/off/..%2F%7Bregion%7D"
        == (undo.data["declared"]["post"])
    )
    assert {"X-Region": "evil.example/"} == undo.data["declared"]["headers"]


async def test_a_command_is_over_when_it_ends_whatever_it_has_started() -> None:
    starts = Command(run=("sh", "-c", "sleep 60 & echo $!"), within=timedelta(seconds=30))
    one = target(DeclaredMitigation(name="a", command=starts, undo="none"))

    done = await one.mitigate("a", {})

    os.kill(int(done.rpartition(" ")[2]), signal.SIGKILL)  # it is there


MITIGATES = """
import asyncio
from gameday.drivers.declared import DeclaredTarget
from gameday.model.mitigation import Command, DeclaredMitigation

async def nothing(*_): ...

act = Command(run=("sh", "-c", "sleep 300 & echo $$ $! >pids; wait"))
mitigation = DeclaredMitigation(name="slow", command=act, undo="none")
target = DeclaredTarget(
    "system/pages", time_scale=1, mitigations=[mitigation], answers=(), carry=nothing
)
asyncio.run(target.mitigate("slow", {}))
"""


def test_a_command_under_way_goes_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    asking = subprocess.Popen([sys.executable, "-c", MITIGATES], cwd=tmp_path)
    pids = until(lambda: (tmp_path / "pids").read_text().split())

    asking.kill()
    asking.wait()

    until(lambda: not any(is_running(int(pid)) for pid in pids))


def until(tells: Callable[[], Any]) -> Any:
    """Return what is told once it is something, or fail."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if told := tells():
                return told
        time.sleep(0.02)
    pytest.fail("it did not come about")


def is_running(pid: int) -> bool:
    """Return whether a process goes on; one that ended and is not yet collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("signal_name", ["TERM", "KILL"])
async def test_a_command_that_a_signal_ended_says_which(signal_name: str) -> None:
    killed = Command(run=("sh", "-c", f"kill -{signal_name} $$"))

    number = signal.Signals[f"SIG{signal_name}"].value
    with pytest.raises(PermanentDriverError, match=f"ended with -{number}"):
        await target(DeclaredMitigation(name="a", command=killed, undo="none")).mitigate("a", {})
