"""What bears a run's mark, in a cluster or on the sandbox, found and taken out by our own actions.

The actions are a floor above; here they are named, as in any experiment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.drivers.chaostoolkit import process
from gameday.errors import DriverError

MODULE = "gameday.chaos.strays"

Place = Mapping[str, str | None]
"""Parameters that say where: context and kubeconfig, or the URL of a control API."""


@dataclass(frozen=True, slots=True)
class Search:
    """A kind of place that marks are borne in, with the actions that look through one.

    Attributes:
        what: it is, for people.
        find: returns every mark that begins so, each with what bears it.
        recover: takes out all that bears a mark.
        is_there: tells whether anything still bears it.
    """

    what: str
    find: str
    recover: str
    is_there: str


CLUSTER = Search("the cluster", "find_strays", "recover_stray", "is_astray")
SANDBOX = Search("the sandbox", "find_records", "recover_record", "is_recorded")


def taking_out(search: Search, mark: str, place: Place) -> dict[str, Any]:
    """Return the experiment whose rollback takes out all that bears a mark."""
    arguments = {"mark": mark, **place}
    return {
        "title": f"What bears the mark {mark}",
        "description": "Found without a store.",
        "method": [],
        "rollbacks": [_activity("action", search.recover, arguments)],
        "extensions": [
            {"name": "gameday", "present": _activity("probe", search.is_there, arguments)},
        ],
    }


async def marked(
    search: Search,
    beginning: str,
    place: Place,
    *,
    within: timedelta,
    environment: Mapping[str, str],
) -> Mapping[str, Sequence[str]]:
    """Return the marks in a place that begin so, each with what bears it; may be empty.

    Raises:
        DriverError: it cannot be looked through.
    """
    look = {
        "title": "What bears a mark",
        "description": "Looked for without a store.",
        "method": [],
        "rollbacks": [_activity("action", search.find, {"prefix": beginning, **place})],
    }
    events = await process.play("recover", look, {}, within=within, environment=environment)
    seen = next((e for e in events if e["event"] == "activity"), None)
    if seen is None or seen["status"] != "succeeded":
        reason = seen["error"] if seen else events[-1].get("error", "nothing was played")
        raise DriverError(f"what bears a run's mark in {search.what} is unknown: {reason}")
    found: dict[str, list[str]] = json.loads(seen["output"])
    return found


def _activity(kind: str, func: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "name": func.replace("_", " "),
        "provider": {
            "type": "python",
            "module": MODULE,
            "func": func,
            "arguments": {k: v for k, v in arguments.items() if v is not None},
        },
    }
