"""The process in which an experiment runs: ``python -m gameday.drivers.chaostoolkit.child MODE``.

MODE is ``inject`` (hypothesis and method), ``act`` (one action that mitigates), ``recover``
(rollbacks) or ``check`` (hypothesis).
It reads one line of JSON, ``{"experiment": {…}, "configuration": {…}, "keys": {…}}``, and writes
one line of JSON per event:

    {"event": "activity", "section": …, "type": …, "name": …, "status": …, "end": …, "error": …,
     "code": …}
    {"event": "hypothesis", "met": …, "probe": …, "error": …}
    {"event": "refused", "error": …}             the experiment is not valid
    {"event": "finished", "status": …}           the journal's status

A process that injects or acts ends itself when its parent is gone (its standard input ends): what
is done after the parent's end would come too late for every recovery.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import IO, Any

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.http import credentials, keys
from gameday.http.masking import masked, remember

NICENESS = 5
LONGEST = 2000
"""Characters of an error, or of what a probe says, that are passed on."""

LONGEST_OUTPUT = 1 << 20
"""Likewise of an activity's output, which may be data."""


def _read_request() -> dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            raise SystemExit("no request came in")
        line += piece
    request: dict[str, Any] = json.loads(line)
    return request


def _end_with_parent() -> None:
    # Not through sys.stdin: its lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _error(run: dict[str, Any]) -> str:
    """Return the message of a failed activity: the last line of its traceback, without the type."""
    lines = "".join(run.get("exception") or ()).strip()
    if not lines:
        return ""
    message = lines.split("chaoslib.exceptions.ActivityFailed: ")[-1]
    return masked(message).strip()[:LONGEST]


def _code(activity: dict[str, Any], run: dict[str, Any]) -> Any:
    """Return what a program ended with, or a call was answered; None of anything else.

    Chaos Toolkit counts every one as a success, and what they said may be too long to be read.
    """
    provider: dict[str, Any] = activity.get("provider") or {}
    output = run.get("output")
    if provider.get("type") in ("process", "http") and isinstance(output, dict):
        return output.get("status")
    return None


def play(mode: str, request: dict[str, Any], out: IO[str]) -> None:
    """Play what a request asks for, and write its events."""
    shape = {
        "inject": experiments.to_inject,
        "act": experiments.to_inject,
        "recover": experiments.to_recover,
        "check": experiments.to_check,
    }[mode]
    played = experiments.with_values(experiments.uncarried(request), request["configuration"])
    _play(mode, shape(played), out)


def _play(mode: str, experiment: dict[str, Any], out: IO[str]) -> None:
    from chaoslib.exceptions import ChaosException
    from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
    from chaoslib.run import RunEventHandler
    from chaoslib.settings import load_settings
    from chaoslib.types import Strategy

    def tell(**event: Any) -> None:
        out.write(json.dumps(event, default=str) + "\n")
        out.flush()

    class Narrator(RunEventHandler):  # type: ignore[misc]  # chaoslib is not typed
        section = "hypothesis"

        def start_method(self, experiment: Any) -> None:
            self.section = "method"

        def start_rollbacks(self, experiment: Any) -> None:
            self.section = "rollbacks"

        def hypothesis_before_completed(self, experiment: Any, state: Any, journal: Any) -> None:
            probe = (state or {}).get("probes", [{}])[-1]
            tell(
                event="hypothesis",
                met=bool(state and state["steady_state_met"]),
                probe=probe.get("activity", {}).get("name", ""),
                output=masked(repr(probe.get("output")))[:LONGEST],
                error=_error(probe),
            )

        def activity_completed(self, activity: Any, run: Any) -> None:
            tell(
                event="activity",
                section=self.section,
                type=activity.get("type", ""),
                name=activity.get("name", ""),
                status=run.get("status", "failed"),
                start=run.get("start"),
                end=run.get("end"),
                output=json.dumps(run.get("output"), default=str)[:LONGEST_OUTPUT],
                error=_error(run),
                code=_code(activity, run),
            )

    strategy = Strategy.SKIP if mode == "recover" else Strategy.BEFORE_METHOD
    settings = dict(load_settings() or {})
    # The library takes this from the settings alone; the file's own `runtime:` is for the CLI.
    settings["runtime"] = {"rollbacks": {"strategy": "always" if mode == "recover" else "never"}}
    try:
        ensure_experiment_is_valid(experiment)
        journal = run_experiment(
            experiment, settings=settings, strategy=strategy, event_handlers=[Narrator()]
        )
    except ChaosException as problem:
        tell(event="refused", error=masked(str(problem))[:LONGEST])
        return
    tell(event="finished", status=journal["status"])


def main() -> None:
    """Read the request and play it."""
    mode = sys.argv[1]
    request = _read_request()
    keys.learn(request.get("keys", {}))  # of what it reaches in its parent's place
    remember(*request.get("covers", ()))
    shown = request.get("credentials", {})
    credentials.learn({url: credentials.Credentials(**told) for url, told in shown.items()})
    if mode in ("inject", "act"):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if mode in ("inject", "check"):
        # The system under test and the judges come first; not before a way back or out.
        os.nice(NICENESS)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        # Whatever an activity prints must not be read as an event.
        os.dup2(2, 1)
        play(mode, request, out)


if __name__ == "__main__":
    main()
