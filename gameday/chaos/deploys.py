"""A change of a service goes live, and comes back.

Speaks to the sandbox's control API: the argument ``control_url``, else the environment's
``GAMEDAY_CONTROL_URL``, else the sandbox that runs on this machine. Before anything is deployed,
what was live is written to ``<sandbox>/changes/<change_name>.json``; `recover_change` restores
that, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.sandbox import state

__all__ = ["change_is_live", "deploy_change", "deploys_are_known", "recover_change"]


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

    Args:
        regions: a list or ``eu-west,us-east``; none means every region.
        revision: what to deploy; without one, a change of ``kind`` is committed first, drawn by
            ``seed``: ``compute`` keeps a core busy, ``wait`` waits, ``harmless`` does neither.
        change_name: what `recover_change` takes it back by.

    Returns:
        The revision, and where the sandbox says so the function and file it changed.
    """
    api = _Control(control_url)
    record = _record(change_name)
    if record.exists():
        raise ActivityFailed(
            f"a change named {change_name!r} is live already; recover it first: {record}"
        )
    wanted = _regions(regions)
    before = [d for d in _live(api) if d["service"] == service and _in(d, wanted)]
    if not before:
        known = sorted({str(d["service"]) for d in _live(api)})
        raise ActivityFailed(
            f"no deploy of {service!r} is known in {', '.join(wanted) or 'any region'};"
            f" there are deploys of {', '.join(known) or 'nothing'}"
        )
    change: dict[str, Any] = {"revision": revision}
    if not revision:
        change = api.post("/changes", {"service": service, "seed": int(seed), "kind": kind})
    saved = {
        "service": service,
        "revision": change["revision"],
        "before": [{"region": d["region"], "revision": d["revision"]} for d in before],
    }
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")
    is_complete = False
    try:
        targets: list[str | None] = [*wanted] or [None]
        for region in targets:
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
    api = _Control(control_url)
    recovered = []
    live = {d["region"]: d["revision"] for d in _live(api) if d["service"] == saved["service"]}
    for entry in saved["before"]:
        if live.get(entry["region"]) == saved["revision"]:
            api.post("/deploys", {"service": saved["service"], **entry})
            recovered.append(str(entry["region"]))
    record.unlink(missing_ok=True)
    return recovered


def change_is_live(change_name: str = "gameday", control_url: str | None = None) -> bool:
    """Return whether the change is live anywhere."""
    saved = _read(_record(change_name))
    if saved is None:
        return False
    return any(
        d["service"] == saved["service"] and d["revision"] == saved["revision"]
        for d in _live(_Control(control_url))
    )


def deploys_are_known(service: str, control_url: str | None = None) -> bool:
    """Return whether the control API answers and knows what is live of this service."""
    return any(d["service"] == service for d in _live(_Control(control_url)))


# --- how -----------------------------------------------------------------------------------------


class _Control:
    """The control API, in as many words as are needed here."""

    def __init__(self, url: str | None) -> None:
        url = url or os.environ.get("GAMEDAY_CONTROL_URL")
        if not url:
            sandbox = state.read()
            if sandbox is None:
                raise ActivityFailed(
                    "no sandbox is known: start it with `gameday sandbox up`, or give control_url"
                )
            url = sandbox.control_url
        self._url = url.rstrip("/")

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._ask("POST", path, body)
        return answer if isinstance(answer, dict) else {}

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        import httpx

        try:
            # A deploy restarts processes and answers when they are ready.
            answer = httpx.request(
                method, self._url + path, json=body, timeout=60, trust_env=False, verify=False
            )
            said = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise ActivityFailed(
                f"the control API at {self._url} does not answer ({type(problem).__name__}):"
                " check that the sandbox is up"
            ) from problem
        except ValueError as problem:
            raise ActivityFailed(f"{self._url}{path} answers with no JSON") from problem
        if not answer.is_success or (isinstance(said, dict) and said.get("ok") is False):
            reason = said.get("error", said) if isinstance(said, dict) else said
            raise ActivityFailed(f"{self._url} answers {answer.status_code} to {path}: {reason}")
        return said


def _live(api: _Control) -> list[dict[str, Any]]:
    """Return the newest deploy of each service in each region."""
    said = api.get("/deploys")
    deploys = said.get("deploys", []) if isinstance(said, dict) else said
    live: dict[tuple[str, str | None], dict[str, Any]] = {}
    for deploy in sorted(deploys, key=lambda d: str(d["deployed_at"])):
        region = deploy.get("region")
        if region is None:
            # A deploy to every region replaces what is known of each.
            for key in [k for k in live if k[0] == deploy["service"]]:
                live[key] = {**deploy, "region": key[1]}
            if not any(k[0] == deploy["service"] and k[1] is not None for k in live):
                live[deploy["service"], None] = deploy
        else:
            live.pop((deploy["service"], None), None)
            live[deploy["service"], region] = deploy
    return list(live.values())


def _in(deploy: Mapping[str, Any], regions: Sequence[str]) -> bool:
    return not regions or deploy["region"] is None or deploy["region"] in regions


def _record(change_name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}", change_name):
        raise ActivityFailed(f"{change_name!r} is no name for a change; use letters and digits")
    return state.default_folder() / "changes" / f"{change_name}.json"


def _read(record: Path) -> dict[str, Any] | None:
    try:
        saved = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise ActivityFailed(f"{record} cannot be read: {problem}") from problem
    return dict(saved)


def _regions(regions: str | Sequence[str] | None) -> list[str]:
    given = regions.split(",") if isinstance(regions, str) else list(regions or ())
    return list(dict.fromkeys(str(r).strip() for r in given if str(r).strip()))
