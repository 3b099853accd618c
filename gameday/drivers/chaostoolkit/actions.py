"""Single actions that a system's document declares: what mitigates, and what takes that back.

They are played by the same child as experiments, with the same guard, settings and fences. What
Chaos Toolkit only warns of is a failure here: a responder has to know, and so has whoever takes
something back.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gameday.drivers.chaostoolkit import process
from gameday.drivers.chaostoolkit.process import Event
from gameday.errors import DriverError, NothingDone, PermanentDriverError
from gameday.http.credentials import secret_of
from gameday.http.masking import masked
from gameday.model.mitigation import ChaosAction
from gameday.ports import Undo
from gameday.settings import Settings, handed_down

__all__ = ["ChaosActions"]

Play = Callable[..., Awaitable[Sequence[Event]]]
"""What `process.play` is."""

LAST_WORDS = 300
"""Characters of what an action says that are kept."""


class ChaosActions:
    """Plays single actions; takes them back from the undo alone: a `gameday.ports.Undoer`.

    As with commands, nothing tells from outside whether an action's work is still in place: until
    its undo has ended well in this process it counts as that.

    Args:
        settings: handed to the process that plays an action; by default those in force.
        play: plays an experiment; another way than a process, for tests.
    """

    def __init__(self, *, settings: Settings | None = None, play: Play = process.play) -> None:
        self._play = play
        self._environment = handed_down(settings or Settings.from_environment())
        self._recovered: set[str] = set()

    async def do(self, action: ChaosAction) -> str:
        """Play an action, every parameter filled in, and return what it did.

        However this is left, nothing of it goes on, unless the action ended well and left it.

        Raises:
            NothingDone: a secret is not where the document says, or Chaos Toolkit refuses it.
            DriverError: it failed, or did not end in time.
        """
        return await self._played("act", action, Path.cwd())

    async def is_present(self, undo: Undo) -> bool:
        """Return whether it was not taken back yet."""
        return undo.id not in self._recovered

    async def recover(self, undo: Undo) -> None:
        """Play the action that takes it back.

        Raises:
            DriverError: it failed, or did not end in time.
        """
        action = ChaosAction.model_validate(undo.data["action"])
        await self._played("recover", action, Path(undo.data["folder"]))
        self._recovered.add(undo.id)

    async def _played(self, mode: process.Mode, action: ChaosAction, folder: Path) -> str:
        try:
            secrets = {
                group: {name: secret_of(ref, folder) for name, ref in named.items()}
                for group, named in action.secrets.items()
            }
        except PermanentDriverError as error:
            raise NothingDone(f"action {action.name!r}: {error}") from error
        try:
            events = await self._play(
                mode,
                _experiment(mode, action, secrets),
                {},
                within=action.within,
                environment=self._environment,
                folder=folder,
            )
        except DriverError as error:
            # Its secrets went to the child by its standard input; its last words may hold them.
            raise type(error)(masked(f"action {action.name!r}: {error}")) from error
        except OSError as error:
            raise NothingDone(
                f"action {action.name!r} cannot be played in {folder}: {error}; see that this"
                " folder is there"
            ) from error
        return _told(action, events)


def _experiment(
    mode: process.Mode, action: ChaosAction, secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return the experiment that consists of one action."""
    played = [action.activity()]
    experiment: dict[str, Any] = {
        "title": action.name,
        "description": action.name,
        "method": [] if mode == "recover" else played,
        "rollbacks": played if mode == "recover" else [],
    }
    if secrets:
        experiment["secrets"] = {group: dict(named) for group, named in secrets.items()}
    return experiment


def _told(action: ChaosAction, events: Sequence[Event]) -> str:
    """Return what an action did.

    Raises:
        NothingDone: it was refused before it began.
        PermanentDriverError: it failed.
    """
    name = f"action {action.name!r}"
    done = next((e for e in events if e["event"] == "activity"), None)
    if done is None and events[-1]["event"] == "refused":
        raise NothingDone(f"Chaos Toolkit refuses the {name}: {events[-1]['error']}")
    if done is None:
        raise PermanentDriverError(f"the {name} was not played: {events[-1].get('status')}")
    if done["status"] != "succeeded":
        raise PermanentDriverError(f"the {name} failed: {done['error']}")
    words = _words(done)
    provider, code = action.provider, done["code"]
    match provider["type"]:
        case "process":
            arguments = provider.get("arguments") or []
            given = arguments if isinstance(arguments, str) else shlex.join(map(str, arguments))
            shown = f"{provider['path']} {given}".strip()
            if code != 0:
                raise PermanentDriverError(f"the {name}: {shown} ended with {code}: {words}")
        case "http":
            shown = f"{str(provider.get('method', 'GET')).upper()} {provider['url']}"
            if not isinstance(code, int) or code >= 400:
                raise PermanentDriverError(f"the {name}: {shown} answered {code}: {words}")
            return f"{action.name}: {shown} answered {code}"
        case _:
            shown = f"{provider['module']}.{provider['func']}"
    left = [one for e in events if e["event"] == "left" for one in e["processes"]]
    goes_on = f"; it left running: {', '.join(left)}" if left else ""
    return f"{action.name}: {shown}{f': {words}' if words else ''}{goes_on}"


def _words(done: Event) -> str:
    """Return what an action had to say, the end of it, with secrets covered before it is cut."""
    try:
        output = json.loads(done["output"])
    except ValueError:  # longer than what is passed on
        output = done["output"]
    if done["code"] is not None and isinstance(output, dict):
        parts = (output.get(key) for key in ("stdout", "stderr", "body"))
        said = " ".join(str(part).strip() for part in parts if part)
    elif output is None:
        said = ""
    else:
        said = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return masked(said).strip()[-LAST_WORDS:].strip()
