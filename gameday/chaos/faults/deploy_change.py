"""A change of a service goes live, and comes back.

Speaks to the sandbox's control API: the argument ``control_url``, else the environment's
``GAMEDAY_CONTROL_URL``, else the sandbox that runs on this machine. Before anything is deployed,
what was live is written to ``<sandbox>/changes/<change_name>.json``; `recover_change` restores
that, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday import private
from gameday.chaos.control import Control
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Nothing, Records
from gameday.chaos.parameters import CONTROL_URL, NAMES, OF_SYSTEM, TEXT, Parameter, names, one_of
from gameday.process import ProcessId
from gameday.sandbox import state

__all__ = [
    "FAULT",
    "change_is_live",
    "deploy_change",
    "deploys_are_known",
    "find_changes",
    "recover_change",
]


def deploy_change(
    service: str,
    regions: str | Sequence[str] | None = None,
    revision: str | None = None,
    kind: str = "compute",
    seed: int | str = 0,
    change_name: str = "gameday",
    control_url: str | None = None,
) -> dict[str, Any]:
    """Put a revision of a service live.

    Returns:
        The revision, and where the sandbox says so the function and file it changed.
    """
    api = Control(control_url)
    record = _record(change_name)
    if record.exists():
        raise ActivityFailed(
            f"a change named {change_name!r} is live already; recover it first: {record}"
        )
    targets = names(regions)
    deploys = _deploys(api)
    before = {r: _live(deploys, service, r) for r in targets or _all_regions(deploys)}
    if not before or None in before.values():
        known = sorted({str(d["service"]) for d in deploys})
        raise ActivityFailed(
            f"no deploy of {service!r} is known in {', '.join(targets) or 'any region'};"
            f" there are deploys of {', '.join(known) or 'nothing'}"
        )
    change: dict[str, Any] = {"revision": revision}
    if not revision:
        change = api.post("/changes", {"service": service, "seed": int(seed), "kind": kind})
    saved = {"service": service, "revision": change["revision"], "before": before}
    if process := _process_at(api.url):
        saved["process"] = process.to_json()
    private.folder(record.parent)
    private.write_text(record, json.dumps(saved, indent=2) + "\n")
    is_complete = False
    try:
        destinations: Sequence[str | None] = targets or [None]
        for region in destinations:
            api.post(
                "/deploys",
                {"service": service, "revision": change["revision"], "region": region},
            )
        is_complete = True
    finally:
        if not is_complete:
            recover_change(change_name, control_url=control_url)
    return change


def recover_change(change_name: str = "gameday", control_url: str | None = None) -> list[str]:
    """Put back what was live before; return the regions that needed it. May be repeated.

    A region where somebody else has deployed something since is left alone.
    """
    record = _record(change_name)
    saved = _read(record)
    if saved is None:
        return []
    try:
        api = Control(control_url)
        deploys = _deploys(api)
    except ActivityFailed:
        if not _has_ended(saved):
            raise
        record.unlink(missing_ok=True)
        return []
    service, before = saved["service"], dict(saved["before"])
    astray = [r for r in before if _live(deploys, service, r) == saved["revision"]]
    # One deploy to everywhere where that says the same: every deploy restarts processes.
    everywhere = set(astray) == set(_all_regions(deploys)) and len(set(before.values())) == 1
    destinations: Sequence[str | None] = [None] if astray and everywhere else astray
    for region in destinations:
        revision = before[region or astray[0]]
        api.post("/deploys", {"service": service, "revision": revision, "region": region})
    record.unlink(missing_ok=True)
    return astray


def change_is_live(change_name: str = "gameday", control_url: str | None = None) -> bool:
    """Return whether the change is live anywhere."""
    saved = _read(_record(change_name))
    if saved is None:
        return False
    try:
        deploys = _deploys(Control(control_url))
    except ActivityFailed:
        if not _has_ended(saved):
            raise
        return False
    return _is_live(deploys, saved)


def deploys_are_known(service: str, control_url: str | None = None) -> bool:
    """Return whether the control API answers and knows what is live of this service."""
    return any(d["service"] == service for d in _deploys(Control(control_url)))


def find_changes(prefix: str = "", control_url: str | None = None) -> dict[str, list[str]]:
    """Return the changes whose names begin so and that nobody has taken back, with what is live."""
    records = sorted(_folder().glob("*.json"))
    read = {r.stem: _read(r) for r in records if r.stem.startswith(prefix)}
    found = {name: saved for name, saved in read.items() if saved and not _has_ended(saved)}
    if not found:
        return {}
    deploys = _deploys(Control(control_url))
    return {
        name: [f"version {saved['revision'][:12]} of {saved['service']}"]
        for name, saved in found.items()
        if _is_live(deploys, saved)
    }


# --- how -----------------------------------------------------------------------------------------


def _deploys(api: Control) -> list[dict[str, Any]]:
    """Return every deploy, oldest first, once what is under way is done.

    A run that was killed may have asked for it.
    """
    said = api.get("/deploys?settled=yes")
    return [dict(deploy) for deploy in said["deploys"]]


def _live(deploys: Sequence[Mapping[str, Any]], service: str, region: str) -> str | None:
    """Return the revision that serves a region; a deploy without a region went to all of them."""
    here = [d for d in deploys if d["service"] == service and d.get("region") in (None, region)]
    return str(here[-1]["revision"]) if here else None


def _is_live(deploys: Sequence[Mapping[str, Any]], saved: Mapping[str, Any]) -> bool:
    return any(_live(deploys, saved["service"], r) == saved["revision"] for r in saved["before"])


def _process_at(url: str) -> ProcessId | None:
    """Return the sandbox's process, where it is what serves at this URL."""
    sandbox = state.read()
    serves = sandbox is not None and sandbox.control_url.rstrip("/") == url
    return sandbox.process if sandbox is not None and serves else None


def _has_ended(saved: Mapping[str, Any]) -> bool:
    """Return whether the sandbox that was changed certainly is no more.

    It begins with its first version everywhere, so that nothing of the change is live then. That
    nobody answers at its address says nothing of the kind.
    """
    process = saved.get("process")
    return process is not None and ProcessId.from_json(process).is_gone


def _all_regions(deploys: Sequence[Mapping[str, Any]]) -> list[str]:
    sandbox = state.read()
    named = {str(d["region"]) for d in deploys if d.get("region")}
    return sorted(named | set(sandbox.regions if sandbox else state.REGIONS))


def _record(change_name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}", change_name):
        raise ActivityFailed(f"{change_name!r} is no name for a change; use letters and digits")
    return _folder() / f"{change_name}.json"


def _folder() -> Path:
    return state.default_folder() / "changes"


def _read(record: Path) -> dict[str, Any] | None:
    try:
        saved = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise ActivityFailed(f"{record} cannot be read: {problem}") from problem
    return dict(saved)


FAULT = DeclaredFault(
    name="deploy-change",
    module="gameday.chaos.deploys",
    title="A change of a service goes live",
    description=(
        "A commit to a service is made, drawn by a seed, and deployed. Recovery deploys what was"
        " live before, unless somebody has done so already."
    ),
    tags=("deploy",),
    contributions={"performance": "high", "availability": "medium"},
    acts_on=ActsOn.SANDBOX,
    parameters=(
        Parameter("service", TEXT, OF_SYSTEM, "which one is changed"),
        Parameter("regions", NAMES, [], 'or "eu-west,us-east"; empty: every region'),
        Parameter(
            "kind",
            one_of("compute", "wait", "harmless"),
            "compute",
            "keeps a core busy, waits, or neither",
        ),
        Parameter("seed", TEXT, 0, "by which the change is drawn"),
        Parameter("revision", TEXT, "", "deploy this one instead of a new change"),
        Parameter("change_name", TEXT, "gameday", "what the recovery goes by"),
        CONTROL_URL,
    ),
    steady=Hypothesis("The control API answers", Activity("deploys are known", deploys_are_known)),
    inject=Activity("deploy the change", deploy_change),
    recover=Activity("recover what was live", recover_change),
    is_present=Activity("the change is live", change_is_live),
    touches=Nothing("it touches processes of a service, and the sandbox has no pods"),
    marks=Records(find_changes),
    where=("{service}", "in {regions}"),
    undo="deploys what was live before, unless somebody has",
    elsewhere={ActsOn.CLUSTER: "bad-deploy puts a version live there"},
)
