"""Whether what a responder may do can be done from here; nothing of it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from gameday.errors import DriverError
from gameday.house.targets.examination.cluster import act_can_be_done
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.http.credentials import secret_of, told_headers
from gameday.http.knock import knock
from gameday.model.mitigation import Call, ChaosAction, Command, DeclaredMitigation
from gameday.model.placeholders import placeholders
from gameday.spec.experiment import action_absences

__all__ = ["mitigations"]


def mitigations(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``mitigations`` of a document."""
    for one in look.system.spec.mitigations:
        is_needed = not look.mitigations or one.name in look.mitigations
        ask = partial(_can_be_done, one, bars=is_needed)
        if one.kubernetes is not None:
            ask = partial(act_can_be_done, look, one.kubernetes, bars=is_needed)
        yield Inquiry(f"mitigation {one.name}", ask)


async def _can_be_done(mitigation: DeclaredMitigation, *, bars: bool) -> str:
    acts = [
        act
        for act in (
            mitigation.command,
            mitigation.http,
            mitigation.chaostoolkit,
            mitigation.undo,
        )
        if isinstance(act, Command | Call | ChaosAction)
    ]
    lacking = [said for act in acts if (said := await _lacks(act))]
    if lacking:
        how = "; ".join(dict.fromkeys(lacking))
        raise Unmet("cannot be done from here", how, bars=bars)
    programs = dict.fromkeys(act.run[0] for act in acts if isinstance(act, Command))
    calls = ["a call, not tried"] if any(isinstance(act, Call) for act in acts) else []
    actions = [f"action {act.name}, not tried" for act in acts if isinstance(act, ChaosAction)]
    return ", ".join([*programs, *calls, *actions])


async def _lacks(act: Command | Call | ChaosAction) -> str:
    """Return what is not here that this needs, and what to do; empty where nothing is."""
    if isinstance(act, Command):
        return _program(act.run[0])
    if isinstance(act, ChaosAction):
        return "; ".join([*action_absences(act.activity()), *await _unmet(act)])
    try:
        told_headers(act.headers)
        if act.token is not None:
            secret_of(act.token)
        await _knock(act.url)
    except DriverError as error:
        return str(error)
    return ""


async def _unmet(action: ChaosAction) -> Sequence[str]:
    """Return which secrets of an action are not there, or that nobody takes its call."""
    try:
        for group in action.secrets.values():
            for secret in group.values():
                secret_of(secret)
        if action.provider["type"] == "http":
            await _knock(action.provider["url"])
    except DriverError as error:
        return [str(error)]
    return []


async def _knock(url: str) -> None:
    host = url.partition("://")[2].partition("/")[0]
    if not placeholders(host) and "${" not in host:
        await knock(url)


def _program(program: str) -> str:
    if placeholders(program) or shutil.which(program) is not None:
        return ""
    if "/" in program and Path(program).exists():
        if Path(program).is_dir():
            return f"{program} is a folder: write the program"
        if not os.access(program, os.X_OK):
            return f"{program} is not executable: chmod +x {program}"
    return f"there is no program {program} here: write its whole path"
