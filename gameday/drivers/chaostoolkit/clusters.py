"""What bears a run's mark in a Kubernetes cluster, found and taken out through our own actions.

The actions are a floor above; here they are named, as in any experiment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from gameday.drivers.chaostoolkit import process
from gameday.errors import DriverError

MODULE = "gameday.chaos.strays"

Place = Mapping[str, str | None]
"""Context and kubeconfig."""


def taking_out(mark: str, place: Place) -> dict[str, Any]:
    """Return the experiment whose rollback takes out all that bears a mark."""
    arguments = {"mark": mark, **place}
    return {
        "title": f"What bears the mark {mark}",
        "description": "Found without a store.",
        "method": [],
        "rollbacks": [_activity("action", "recover_stray", arguments)],
        "extensions": [
            {"name": "gameday", "present": _activity("probe", "is_astray", arguments)},
        ],
    }


async def marked(
    beginning: str, place: Place, *, within: timedelta, environment: Mapping[str, str]
) -> Mapping[str, Sequence[str]]:
    """Return the marks in a cluster that begin so, each with what bears it; may be empty.

    Raises:
        DriverError: the cluster cannot be looked through.
    """
    look = {
        "title": "What bears a mark",
        "description": "Looked for without a store.",
        "method": [],
        "rollbacks": [_activity("action", "find_strays", {"prefix": beginning, **place})],
    }
    events = await process.play("recover", look, {}, within=within, environment=environment)
    seen = next((e for e in events if e["event"] == "activity"), None)
    if seen is None or seen["status"] != "succeeded":
        reason = seen["error"] if seen else events[-1].get("error", "nothing was played")
        raise DriverError(f"what bears a run's mark in the cluster is unknown: {reason}")
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
