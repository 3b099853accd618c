"""Actions of Chaos Toolkit that mitigate: played, told, taken back, and never silently in vain.

Most of them are played in this process; that a process of its own does it as well is in
`test_chaos_actions_played`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.chaostoolkit import child
from gameday.drivers.chaostoolkit.actions import ChaosActions
from gameday.drivers.chaostoolkit.process import Event
from gameday.drivers.declared import DeclaredTarget
from gameday.errors import DriverError, NothingDone, PermanentDriverError, TemporaryDriverError
from gameday.house.processes.undoers import Undoers
from gameday.model.access import SecretRef
from gameday.model.mitigation import Call, ChaosAction, DeclaredMitigation
from gameday.settings import KubeSettings, Settings, handed_down


async def nothing(*_: object) -> None:
    """Do nothing."""


async def here(
    mode: str, experiment: Mapping[str, Any], configuration: Mapping[str, Any], **_: object
) -> Sequence[Event]:
    """Play an experiment in this process, as the child does in its own."""
    out = io.StringIO()
    request = {"experiment": json.loads(json.dumps(experiment)), "configuration": configuration}
    child.play(mode, request, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def actions() -> ChaosActions:
    return ChaosActions(play=here)


def process(path: str, *arguments: str, name: str = "a", **fields: Any) -> ChaosAction:
    provider = {"type": "process", "path": path, "arguments": list(arguments)}
    return ChaosAction(name=name, provider=provider, **fields)


def python(module: str, func: str, **arguments: Any) -> ChaosAction:
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return ChaosAction(name="a", provider=provider)


def target(*mitigations: DeclaredMitigation, by: ChaosActions | None = None) -> DeclaredTarget:
    return DeclaredTarget(
        "system/pages",
        time_scale=1,
        mitigations=mitigations,
        answers=(),
        carry=nothing,
        actions=by or actions(),
    )


def noting(word: str) -> ChaosAction:
    return process("sh", "-c", f"echo {word} $0 >>log; echo noted", "{server}", name=word)


TAKE_OUT = DeclaredMitigation(name="take-out", chaostoolkit=noting("out"), undo=noting("in"))


async def test_an_action_is_played_and_taken_back_with_its_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, undoer = target(TAKE_OUT), actions()

    undo = one.undo_of_mitigation("r1", "take-out", {"server": "one"})
    done = await one.mitigate("take-out", {"server": "one"})
    was_present = await undoer.is_present(undo)
    await undoer.recover(undo)

    assert "out one\nin one\n" == (tmp_path / "log").read_text()
    assert "out: sh -c 'echo out $0 >>log; echo noted' one: noted" == done
    assert (True, False) == (was_present, await undoer.is_present(undo))
    assert ("gameday recover r1", str(tmp_path)) == (undo.command, undo.data["folder"])


async def test_an_action_that_needs_no_undo_leaves_none() -> None:
    restart = DeclaredMitigation(name="restart", chaostoolkit=process("true"), undo="none")

    undo = target(restart).undo_of_mitigation("r1", "restart", {})

    assert undo.data["declared"] is None


def test_other_parameters_are_another_undo() -> None:
    one = target(TAKE_OUT)

    ids = [one.undo_of_mitigation("r1", "take-out", {"server": s}).id for s in ("a", "b", "a")]

    assert ids[0] == ids[2] != ids[1]


def test_a_call_may_take_an_action_back() -> None:
    call = Call(post="http://127.0.0.1:9/{server}")
    mixed = DeclaredMitigation(name="take-out", chaostoolkit=noting("out"), undo=call)

    undo = target(mixed).undo_of_mitigation("r1", "take-out", {"server": "one"})

    assert "http://127.0.0.1:9/one" == undo.data["declared"]["post"]


async def test_what_a_function_returned_is_told() -> None:
    made = DeclaredMitigation(
        name="join",
        chaostoolkit=python("os.path", "basename", p="/shop/{name}"),
        undo="none",
    )

    done = await target(made).mitigate("join", {"name": "cart"})

    assert "a: os.path.basename: cart" == done


@pytest.mark.parametrize(
    ("action", "error", "said"),
    [
        (process("sh", "-c", "echo no; exit 3"), PermanentDriverError, "ended with 3: no"),
        (process("sh", "-c", "kill -9 $$"), PermanentDriverError, "ended with -9"),
        (process("/no/such/program"), NothingDone, "refuses the action 'a': .*cannot be found"),
        (python("no.such.module", "f"), NothingDone, "could not find Python module"),
        (python("os", "remove", path="/no/such"), DriverError, "failed: .*No such file"),
    ],
)
async def test_an_action_in_vain_says_how(
    action: ChaosAction, error: type[DriverError], said: str
) -> None:
    with pytest.raises(error, match=said):
        await actions().do(action)


async def test_a_call_that_is_answered_by_a_no_is_in_vain() -> None:
    async def answered(*_: object, **__: object) -> Sequence[Event]:
        output = json.dumps({"status": 503, "headers": {}, "body": "not now"})
        activity = {"event": "activity", "status": "succeeded", "code": 503, "output": output}
        return [activity, {"event": "finished", "status": "completed"}]

    shed = ChaosAction(name="shed", provider={"type": "http", "url": "http://a/", "method": "put"})

    with pytest.raises(PermanentDriverError, match="PUT http://a/ answered 503: not now"):
        await ChaosActions(play=answered).do(shed)


async def test_what_was_refused_once_it_had_been_played_is_not_called_undone() -> None:
    async def broken_off(*_: object, **__: object) -> Sequence[Event]:
        activity = {"event": "activity", "status": "failed", "code": None, "error": "cut short"}
        return [activity, {"event": "refused", "error": "a control gave up"}]

    with pytest.raises(PermanentDriverError, match="cut short") as raised:
        await ChaosActions(play=broken_off).do(process("true"))

    assert not isinstance(raised.value, NothingDone)


async def test_an_undo_in_vain_is_still_to_be_done(tmp_path: Path) -> None:
    undone = DeclaredMitigation(
        name="a", chaostoolkit=process("true"), undo=process("ls", str(tmp_path / "door"))
    )
    undo = target(undone).undo_of_mitigation("r1", "a", {})
    undoer = actions()

    with pytest.raises(PermanentDriverError, match="ended with 2"):
        await undoer.recover(undo)
    was_present = await undoer.is_present(undo)
    (tmp_path / "door").touch()
    await undoer.recover(undo)

    assert (True, False) == (was_present, await undoer.is_present(undo))


async def test_a_secret_reaches_the_action_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("HUNTER22\n")
    monkeypatch.setenv("ELSEWHERE", "HUNTER33")
    said = process(
        *("sh", "-c", "echo $0 $1 >>log; echo $0 $1", "${KEY}", "${WORD}"),
        secrets={"flags": {"KEY": SecretRef(file="key"), "WORD": SecretRef(env="ELSEWHERE")}},
    )
    one = target(DeclaredMitigation(name="shed", chaostoolkit=said, undo=said))

    undo = one.undo_of_mitigation("r1", "shed", {})
    done = await one.mitigate("shed", {})
    monkeypatch.chdir("/")
    with monkeypatch.context() as back:
        back.chdir(tmp_path)  # where the child would be
        await actions().recover(undo)

    assert "HUNTER22 HUNTER33\n" * 2 == (tmp_path / "log").read_text()
    assert "HUNTER" not in json.dumps(dict(undo.data)) + done
    assert done.endswith("••• •••")


async def test_a_process_that_ends_over_an_action_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ended(*_: object, **told: Any) -> Sequence[Event]:
        raise TemporaryDriverError(f"not within {told['within']}: HUNTER22")

    monkeypatch.setenv("ELSEWHERE", "HUNTER22")
    shed = process("true", secrets={"flags": {"KEY": SecretRef(env="ELSEWHERE")}}, within="5s")

    with pytest.raises(TemporaryDriverError, match="action 'a': not within 0:00:05: •••"):
        await ChaosActions(play=ended).do(shed)


async def test_an_action_is_played_within_the_settings_of_the_run_and_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard: dict[str, Any] = {}

    async def played(mode: str, *_: object, **told: Any) -> Sequence[Event]:
        heard.update(told, mode=mode)
        activity = {"event": "activity", "status": "succeeded", "code": 0, "output": "null"}
        return [activity, {"event": "finished", "status": "completed"}]

    settings = replace(Settings.from_environment(), kube=KubeSettings(context="prod-eu"))
    undo = target(TAKE_OUT).undo_of_mitigation("r1", "take-out", {"server": "one"})
    one = ChaosActions(settings=settings, play=played)

    await one.do(process("true"))
    doing = dict(heard)
    monkeypatch.chdir("/")
    await one.recover(undo)

    assert ("act", tmp_path) == (doing["mode"], doing["folder"])
    assert ("recover", tmp_path) == (heard["mode"], heard["folder"])
    assert [handed_down(settings)] * 2 == [doing["environment"], heard["environment"]]
    assert "prod-eu" in heard["environment"].values()


async def test_an_undo_whose_folder_is_gone_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    undo = target(TAKE_OUT).undo_of_mitigation("r1", "take-out", {"server": "one"})
    monkeypatch.chdir("/")
    folder.rmdir()

    with pytest.raises(PermanentDriverError, match=r"'in' cannot be played in .*gone"):
        await ChaosActions().recover(undo)


async def test_the_sentinel_knows_such_an_undo() -> None:
    undo = target(TAKE_OUT).undo_of_mitigation("r1", "take-out", {"server": "one"})

    assert await Undoers().is_present(undo)


async def test_an_action_without_its_secret_is_not_begun() -> None:
    shed = process("true", secrets={"flags": {"TOKEN": SecretRef(env="NOT_SET")}})

    with pytest.raises(NothingDone, match="the variable NOT_SET of the environment"):
        await actions().do(shed)


async def test_a_parameter_names_no_secret_and_no_other_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", "HUNTER22")
    secret = {"flags": {"TOKEN": SecretRef(env="FLAGS_TOKEN")}}
    said = process("echo", "{what}", "$${what}", "${TOKEN}", secrets=secret)
    shed = ChaosAction(
        name="shed",
        provider={
            "type": "http",
            "url": "https://{region}.flags.example/{what}",
            "headers": {"X-What": "{what}"},
        },
    )

    done = await target(DeclaredMitigation(name="a", chaostoolkit=said, undo="none")).mitigate(
        "a", {"what": "${TOKEN}"}
    )
    filled = shed.with_parameters({"region": "evil.example/", "what": "${TOKEN}"}).provider

    assert done.endswith(": ${TOKEN} ${what} •••")
    assert "https://evil.example%2F.flags.example/%24%7BTOKEN%7D" == filled["url"]
    assert {"X-What": "$${TOKEN}"} == filled["headers"]
