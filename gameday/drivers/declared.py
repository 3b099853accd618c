"""A system that its document declares, as a target: what a responder may do to it, and its undo.

A mitigation is a command of the operator's list, run without a shell, an HTTP call, an action of
Chaos Toolkit, or a change of an object of a cluster. Its undo is written down, with every parameter
filled in and every secret only named, before it acts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx

from gameday.errors import DriverError, NothingDone, PermanentDriverError, TemporaryDriverError
from gameday.http.credentials import Credentials, secret_of, told_headers
from gameday.http.masking import masked
from gameday.http.tool import HttpTool
from gameday.model.cluster_act import ClusterAct
from gameday.model.mitigation import Call, ChaosAction, Command, DeclaredMitigation
from gameday.model.placeholders import filled, filled_in
from gameday.names import did_you_mean
from gameday.ports import MITIGATIONS, Undo

__all__ = ["DeclaredMitigations", "DeclaredTarget"]

Ask = Callable[[], Awaitable[object]]

_GUARD = Path(__file__).with_name("_command_guard.py")
"""What runs a command, and ends it where we are gone."""

LAST_WORDS = 300
"""Characters of what a command says that are kept."""

LAST_BYTES = 64 * LAST_WORDS
"""Bytes that are read for them: more than they are, so that no secret is cut in two among them."""


class Acts(Protocol):
    """What changes objects of a cluster; both block."""

    def do(self, run: str, act: ClusterAct) -> str:
        """Do it in the name of a run and return what was done."""

    def undo(self, run: str, name: str, act: ClusterAct) -> Undo:
        """Return what takes it back; asks nobody."""


class Actions(Protocol):
    """Plays actions of Chaos Toolkit."""

    async def do(self, action: ChaosAction) -> str:
        """Play one, every parameter filled in, and return what it did."""


class DeclaredTarget:
    """A system of a document; fulfils `gameday.ports.Target`.

    Args:
        name: what stores, locks and programmes call it.
        answers: each returns when one of its tools answers, and raises where it does not.
        carry: begins to hand pages to a webhook.
        acts: changes objects of its cluster; None: it has none.
        actions: plays the actions among its mitigations; None: it has none.
    """

    def __init__(
        self,
        name: str,
        *,
        time_scale: float,
        mitigations: Sequence[DeclaredMitigation],
        answers: Sequence[Ask],
        carry: Callable[[str], Awaitable[None]],
        acts: Acts | None = None,
        actions: Actions | None = None,
    ) -> None:
        self.name = name
        self.time_scale = time_scale
        self._mitigations = {m.name: m for m in mitigations}
        self._answers = answers
        self._carry = carry
        self._acts = acts
        self._actions = actions
        self._run = ""

    async def check(self) -> None:
        """Return when everything answers.

        Raises:
            DriverError: names the first that does not.
        """
        await asyncio.gather(*(ask() for ask in self._answers))

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what a responder asked for; return what was done.

        Raises:
            PermanentDriverError: there is no such mitigation, a parameter is missing, or it failed.
            TemporaryDriverError: it did not end in time, or nobody answered.
        """
        doing = self._meant(name, parameters)
        if doing.kubernetes is not None and self._acts is not None:
            change = _act(doing.name, doing.kubernetes, parameters)
            return await asyncio.to_thread(self._acts.do, self._run, change)
        if doing.chaostoolkit is not None and self._actions is not None:
            return await self._actions.do(doing.chaostoolkit.with_parameters(parameters))
        act = doing.command or doing.http
        assert act is not None  # what else a document may say is refused when it is read
        return await _done(_with(act, parameters), Path.cwd())

    async def route_pages(self, url: str) -> None:
        """Hand the pages to this webhook, from now on."""
        await self._carry(url)

    def undo_of_mitigation(self, run: str, name: str, parameters: Mapping[str, str]) -> Undo:
        """Return what takes this mitigation back; with other parameters it is another one.

        Raises:
            PermanentDriverError: there is no such mitigation, or a parameter is missing.
        """
        meant = self._meant(name, parameters)
        self._run = run
        if meant.kubernetes is not None and self._acts is not None:
            return self._acts.undo(run, name, _act(name, meant.kubernetes, parameters))
        given = {p: parameters[p] for p in meant.parameters}
        act: Command | Call | ChaosAction | None = None
        if isinstance(meant.undo, ChaosAction):
            act = meant.undo.with_parameters(given)
        elif isinstance(meant.undo, Command | Call):
            act = _with(meant.undo, given)
        # Each is taken back by who can do it.
        how = "action" if isinstance(act, ChaosAction) else "declared"
        with_what = "".join(f" {key}={value}" for key, value in given.items())
        told = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:8]
        return Undo(
            id=f"gd-{run}-{name}" + (f"-{told}" if given else ""),
            kind=MITIGATIONS,
            run=run,
            description=f"{name}{with_what} on {self.name}",
            command=shlex.join(act.run) if isinstance(act, Command) else f"gameday recover {run}",
            data={
                how: None if act is None else act.model_dump(mode="json", by_alias=True),
                "folder": str(Path.cwd()),
            },
        )

    def _meant(self, name: str, parameters: Mapping[str, str]) -> DeclaredMitigation:
        meant = self._mitigations.get(name)
        if meant is None:
            hint = did_you_mean(name, self._mitigations, what="it has")
            raise PermanentDriverError(f"{self.name} has no mitigation {name[:60]!r} ({hint})")
        missing = [p for p in meant.parameters if not parameters.get(p)]
        if missing:
            raise PermanentDriverError(f"{name} needs {', '.join(missing)}, which is not given")
        return meant


class DeclaredMitigations:
    """Takes declared mitigations back, from the undo alone; fulfils `gameday.ports.Undoer`.

    Nothing tells from outside whether a command's work is still in place: until its undo has ended
    well in this process it counts as that. So an undo may run again, and has to bear it.
    """

    def __init__(self) -> None:
        self._recovered: set[str] = set()

    async def is_present(self, undo: Undo) -> bool:
        """Return whether there is something to take back that was not taken back yet."""
        return undo.data["declared"] is not None and undo.id not in self._recovered

    async def recover(self, undo: Undo) -> None:
        """Do what takes it back.

        Raises:
            DriverError: it failed, did not end in time, or nobody answered.
        """
        said = undo.data["declared"]
        if said is not None:
            act = (Command if "run" in said else Call).model_validate(said)
            await _done(act, Path(undo.data["folder"]))
        self._recovered.add(undo.id)


def _act(name: str, act: ClusterAct, parameters: Mapping[str, str]) -> ClusterAct:
    """Return what is done to an object, with every parameter filled in."""
    try:
        return act.with_parameters(parameters)
    except ValueError as error:
        given = ", ".join(f"{key}={value[:40]!r}" for key, value in parameters.items())
        raise PermanentDriverError(f"{name} cannot be done with {given}: {act}") from error


def _with(act: Command | Call, parameters: Mapping[str, str]) -> Command | Call:
    """Return what is done with every parameter filled in; secrets stay named."""
    if isinstance(act, Command):
        return act.model_copy(update={"run": tuple(filled(a, parameters) for a in act.run)})
    # Whatever a value holds, it stays where it stands: it names no other host and no other path.
    quoted = {name: quote(value, safe="") for name, value in parameters.items()}
    return act.model_copy(
        update={
            act.method: filled(act.url, quoted),
            "headers": filled_in(act.headers, parameters),
            "json_": filled_in(act.json_, parameters),
        }
    )


async def _done(act: Command | Call, folder: Path) -> str:
    if isinstance(act, Command):
        return await _ran(act, folder)
    return await _called(act, folder)


async def _ran(command: Command, folder: Path) -> str:
    shown = shlex.join(command.run)
    ours, its = os.pipe()
    with (
        tempfile.TemporaryFile() as said,  # a pipe would last as long as what it has started
        os.fdopen(ours, "rb") as report,
    ):
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_GUARD), str(its), *command.run),
                cwd=folder,
                stdin=asyncio.subprocess.PIPE,  # its end tells that we are gone
                stdout=said,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(its,),
                start_new_session=True,  # Ctrl-C in the terminal is for gameday, which then decides
            )
        except (OSError, ValueError) as error:
            raise _unrunnable(shown, str(error)) from error
        finally:
            os.close(its)
        try:
            await asyncio.wait_for(process.wait(), command.within.total_seconds())
        except TimeoutError as error:
            raise TemporaryDriverError(
                f"{shown} did not end within {command.within.total_seconds():g} s and was killed:"
                " give it longer (`within`), or see what it waits for"
            ) from error
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
        reason = report.read().decode(errors="replace")
        if reason:
            raise _unrunnable(shown, reason)
        said.seek(max(0, said.seek(0, os.SEEK_END) - LAST_BYTES))
        words = masked(said.read().decode(errors="replace")).strip()[-LAST_WORDS:]
    if process.returncode:
        raise PermanentDriverError(f"{shown} ended with {process.returncode}: {words or 'no word'}")
    return f"{shown}{f': {words}' if words else ''}"


def _unrunnable(shown: str, reason: str) -> NothingDone:
    return NothingDone(
        f"{shown} cannot be run: {reason}; see that it is there, with its whole path"
    )


async def _called(call: Call, folder: Path) -> str:
    try:
        headers = told_headers(call.headers, folder)
        if call.token is not None:
            headers["Authorization"] = f"Bearer {secret_of(call.token, folder)}"
    except PermanentDriverError as error:
        raise NothingDone(f"{call.method.upper()} {call.url}: {error}") from error
    tool = HttpTool(
        "what mitigates", call.url, timeout=call.within, credentials=Credentials(headers)
    )
    shown = f"{call.method.upper()} {call.url}"
    try:
        answer = await tool.ask(call.method.upper(), "", body=call.json_, tries=1)
    except DriverError as error:
        # Nobody took the connection: not even the request was sent.
        is_undone = isinstance(error.__cause__, httpx.ConnectError)
        raise (NothingDone if is_undone else type(error))(f"{shown}: {error}") from error
    return f"{shown} answered {answer.status}"
