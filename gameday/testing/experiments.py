"""Experiments drawn from a seed, and what Chaos Toolkit makes of them.

They are whole or broken, in every field. It takes one or not, and may fall over one it took.
"""

from __future__ import annotations

import copy
import json
import random
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import yaml

from gameday.testing.served import PatientServer

__all__ = ["Drawn", "Outcome", "drawn", "has_empty_pauses", "outcome_of", "somewhere"]

_MODULE = "gameday.testing.activities"
_JUNK: tuple[Any, ...] = (
    *(None, "", "  ", "abc", "x", 0, 1, -1, 0.001, True, False),
    *([], {}, ["x"], [""], [1, "a"], [None], [0, 1], [["x"]], {"a": 1}, {"a": "b"}, {"name": "x"}),
    *("${hold}", "${nosuch}", "$.x", "(", "python", "process", "http", "probe", "action", "ref"),
    {"type": "env"},
    {"type": "env", "key": "NOBODY_SET_THIS"},
    {"type": "env", "key": 5},
    {"type": "env", "key": "NOBODY_SET_THIS", "default": "abc", "env_var_type": "int"},
    {"type": "env", "key": "NOBODY_SET_THIS", "default": None, "env_var_type": "json"},
    {"type": "env", "key": "NOBODY_SET_THIS", "default": 1, "env_var_type": "bytes"},
    {"type": "vault", "path": "x"},
    {"type": "probe"},
    {"type": "probe", "provider": {"type": "python"}},
    {"type": "regex", "pattern": "("},
    {"type": "regex", "pattern": 5},
    {"type": "regex", "pattern": "1", "target": "stdout"},
    {"type": "range", "range": [0, "a"]},
    {"type": "range", "range": [0, 1, 2]},
    {"type": "range", "range": [0, 5], "target": "status"},
    {"type": "jsonpath"},
    {"type": "jsonpath", "path": "$["},
    {"type": "jsonpath", "path": " "},
    {"type": "jsonpath", "path": "$.status"},
    {"before": "abc"},
    {"after": [1]},
    {"after": "${hold}", "before": 0},
    {"after": -1},
)
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "root": (
        *("tags", "extensions", "configuration", "secrets", "controls", "rollbacks", "method"),
        *("steady-state-hypothesis", "dry", "runtime", "contributions", "title", "description"),
    ),
    "hypothesis": ("title", "probes", "controls"),
    "activity": (
        *("name", "type", "ref", "timeout", "pauses", "background", "controls", "tolerance"),
        *("dry", "provider"),
    ),
    "provider": (
        *("type", "module", "func", "arguments", "secrets", "url", "method", "headers", "timeout"),
        *("path", "max_retries", "verify_tls"),
    ),
    "control": ("name", "ref", "provider", "scope", "automatic"),
    "tolerance": ("type", "pattern", "path", "range", "target", "count", "expect"),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """An experiment as a file: its name, with an ending, and its text."""

    name: str
    text: str

    def written(self, folder: Path) -> Path:
        """Return where it stands, once it is written into a folder."""
        path = folder / self.name
        path.write_text(self.text, encoding="utf-8")
        return path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Chaos Toolkit makes of an experiment.

    Attributes:
        refused: why it does not take it; empty where it does.
        fell: what it falls over while it plays what it took; empty where nothing.
    """

    refused: str = ""
    fell: str = ""

    @property
    def is_played(self) -> bool:
        """Return whether it takes the experiment and plays it to its end."""
        return not self.refused and not self.fell


def drawn(seed: int, base: str) -> Drawn:
    """Return the experiment of a seed: one in four as it should be, the others with up to three
    things put in the place of what should be there.

    Args:
        base: URL that answers, see `somewhere`.
    """
    rng = random.Random(seed)
    experiment = _whole(rng, base)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        _spoil(rng, experiment)
    if rng.random() < 0.5:
        indent = rng.choice((None, 2, "\t"))
        return Drawn(f"{seed}.json", json.dumps(experiment, indent=indent))
    return Drawn(f"{seed}.yaml", yaml.safe_dump(experiment, sort_keys=rng.random() < 0.5))


def has_empty_pauses(value: Any) -> bool:
    """Return whether an activity has a ``pauses:`` with nothing in it.

    Chaos Toolkit takes it and then falls over it; gameday plays it as no pause.
    """
    if isinstance(value, dict):
        return ("pauses" in value and value["pauses"] is None) or any(
            has_empty_pauses(entry) for entry in value.values()
        )
    return isinstance(value, list) and any(has_empty_pauses(entry) for entry in value)


# --- drawing -------------------------------------------------------------------------------------


def _whole(rng: random.Random, base: str) -> dict[str, Any]:
    names = iter(f"activity {number}" for number in range(99))
    method = [_activity(rng, next(names), base) for _ in range(rng.randint(0, 3))]
    experiment: dict[str, Any] = {
        "title": "Somebody's experiment \N{COLLISION SYMBOL}",
        "description": "Drawn.",
        "method": method,
        "configuration": {"hold": 0.001, "base": base},
    }
    if rng.random() < 0.7:
        probes = [_probe(rng, next(names), base) for _ in range(rng.randint(0, 2))]
        experiment["steady-state-hypothesis"] = {"title": "All is well", "probes": probes}
        if probes and rng.random() < 0.3:
            method.append({"ref": probes[0]["name"]})
        if method and method[0].get("name") and rng.random() < 0.2:
            probes.append({"ref": method[0]["name"], "tolerance": True})
    if rng.random() < 0.6:
        experiment["rollbacks"] = [_activity(rng, next(names), base)]
        if method and method[0].get("name") and rng.random() < 0.3:
            experiment["rollbacks"].append({"ref": method[0]["name"]})
    if rng.random() < 0.3:
        experiment["tags"] = ["one", "other"]
    if rng.random() < 0.3:
        experiment["secrets"] = {"group": {"token": "t", "user": {"type": "env", "key": "PATH"}}}
    if rng.random() < 0.3:
        experiment["extensions"] = [{"name": "somebody", "data": 1}]
    if rng.random() < 0.3:
        experiment["controls"] = [_control(rng, "guard")]
        if method and rng.random() < 0.5:
            method[0]["controls"] = [{**_control(rng, "other"), "ref": "guard"}]
    if rng.random() < 0.3:
        experiment["configuration"]["port"] = {
            "type": "env",
            "key": "NOBODY_SET_THIS",
            "default": "80",
            "env_var_type": "int",
        }
    return copy.deepcopy(experiment)


def _control(rng: random.Random, name: str) -> dict[str, Any]:
    control: dict[str, Any] = {"name": name, "provider": {"type": "python", "module": _MODULE}}
    if rng.random() < 0.5:
        control["scope"] = rng.choice(("before", "after"))
    return control


def _activity(rng: random.Random, name: str, base: str) -> dict[str, Any]:
    activity: dict[str, Any] = {
        "type": rng.choice(("action", "probe")),
        "name": name,
        "provider": _provider(rng, base),
    }
    if rng.random() < 0.3:
        activity["pauses"] = rng.choice(({"before": 0.001}, {"after": "${hold}"}, {"after": 0}))
    if rng.random() < 0.2:
        activity["background"] = rng.random() < 0.5
    if rng.random() < 0.2:
        activity["timeout"] = 5
    return activity


def _probe(rng: random.Random, name: str, base: str) -> dict[str, Any]:
    provider = _provider(rng, base)
    if provider["type"] == "python":
        provider["func"] = rng.choice(("ask", "ask_with_secrets"))
        provider["arguments"] = {}
    tolerance = rng.choice(
        (
            *(True, 200, [0, 1], "text", {"type": "range", "range": [0, 5]}),
            {"type": "regex", "pattern": "^1"},
            {
                "type": "probe",
                "name": "judge",
                "provider": {
                    "type": "python",
                    "module": _MODULE,
                    "func": "ask",
                    "arguments": {"value": None},
                },
            },
        )
    )
    tolerance = copy.deepcopy(tolerance)
    if isinstance(tolerance, dict) and tolerance["type"] in ("regex", "range"):
        part = {"process": "stdout", "http": "body"}.get(provider["type"])
        if part:
            tolerance["target"] = part
    return {"type": "probe", "name": name, "provider": provider, "tolerance": tolerance}


def _provider(rng: random.Random, base: str) -> dict[str, Any]:
    kind = rng.choice(("python", "python", "process", "http"))
    provider: dict[str, Any]
    if kind == "process":
        arguments: Any = rng.choice(([], ["a", 1, None], "--x y", {"--a": "b"}))
        provider = {"type": "process", "path": "true", "arguments": copy.deepcopy(arguments)}
        if rng.random() < 0.3:
            provider["timeout"] = 5
        return provider
    if kind == "http":
        provider = {"type": "http", "url": rng.choice((base, "${base}/health"))}
        if rng.random() < 0.3:
            provider |= {
                "method": rng.choice(("GET", "POST")),
                "headers": {"Content-Type": "application/json"},
                "arguments": {"a": 1},
            }
        if rng.random() < 0.3:
            provider["timeout"] = rng.choice((3, [1, 3], 0.5))
        return provider
    func = rng.choice(("act", "ask", "needs", "ask_with_secrets"))
    provider = {"type": "python", "module": _MODULE, "func": func}
    if func == "needs":
        provider["arguments"] = {"name": "${hold}"}
    elif func == "act" and rng.random() < 0.5:
        provider["arguments"] = {"one": 1, "other": ["${hold}"]}
    if func == "ask_with_secrets" and rng.random() < 0.5:
        provider["secrets"] = ["group"]
    return provider


def _spoil(rng: random.Random, experiment: dict[str, Any]) -> None:
    """Put something somewhere it does not belong, or take away what does."""
    places = list(_places(experiment))
    holder, key, role = rng.choice(places)
    how = rng.random()
    junk = copy.deepcopy(rng.choice(_JUNK))
    if role in _OPTIONS and how < 0.5 and isinstance(holder[key], dict):
        holder[key][rng.choice(_OPTIONS[role])] = junk
    elif how < 0.65:
        del holder[key]
    elif how < 0.72 and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif how < 0.8 and isinstance(holder[key], list):
        holder[key].append(junk)
    else:
        holder[key] = junk


def _places(experiment: dict[str, Any]) -> Iterator[tuple[Any, Any, str]]:
    """Yield every value with what holds it, under which key, and the part it plays."""
    yield {"": experiment}, "", "root"
    roles = {
        "steady-state-hypothesis": "hypothesis",
        "probes": "activity",
        "method": "activity",
        "rollbacks": "activity",
        "provider": "provider",
        "controls": "control",
        "tolerance": "tolerance",
    }
    found: list[tuple[Any, Any, str]] = [
        (experiment, key, roles.get(key, "")) for key in experiment
    ]
    while found:
        holder, key, role = found.pop()
        yield holder, key, role
        value = holder[key]
        if isinstance(value, dict):
            found += [(value, inner, roles.get(inner, "")) for inner in value]
        elif isinstance(value, list):
            found += [(value, number, role) for number in range(len(value))]


# --- Chaos Toolkit -------------------------------------------------------------------------------


@contextmanager
def somewhere() -> Iterator[str]:
    """Serve a URL that answers every request with ``1``."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"1")

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with PatientServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def outcome_of(path: Path) -> Outcome:
    """Return what Chaos Toolkit makes of an experiment's file: it takes it, and plays it."""
    from chaoslib.loader import load_experiment

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            experiment = load_experiment(str(path))
        except Exception as error:  # noqa: BLE001  # it ends by whatever it raises
            return Outcome(refused=_said(error))
        return played(experiment)


def played(experiment: Any) -> Outcome:
    """Return what Chaos Toolkit makes of an experiment that is read already."""
    from chaoslib.experiment import ensure_experiment_is_valid

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ensure_experiment_is_valid(experiment)
        except Exception as error:  # noqa: BLE001  # it ends by whatever it raises
            return Outcome(refused=_said(error))
        return Outcome(fell=_falls_over(experiment))


def _falls_over(experiment: dict[str, Any]) -> str:
    """Return what Chaos Toolkit falls over when it plays all of an experiment; empty where nothing.

    Every probe of the hypothesis is played, also those after one that does not hold, and what is
    raised in the background is heard.
    """
    from chaoslib import activity, caching, hypothesis, rollback
    from chaoslib.configuration import load_configuration, load_dynamic_configuration
    from chaoslib.experiment import run_experiment
    from chaoslib.run import EventHandlerRegistry
    from chaoslib.secret import load_secrets
    from chaoslib.types import Strategy

    raised: list[BaseException] = []
    execute = activity.execute_activity

    def heard(*args: Any, **named: Any) -> Any:
        try:
            return execute(*args, **named)
        except Exception as error:
            raised.append(error)
            raise

    quick = SimpleNamespace(sleep=_sleep)
    settings = {"runtime": {"rollbacks": {"strategy": "always"}}}
    with (
        mock.patch.object(activity, "time", quick),
        mock.patch.object(activity, "execute_activity", heard),
        mock.patch.object(rollback, "execute_activity", heard),
    ):
        try:
            journal = run_experiment(
                copy.deepcopy(experiment), settings=settings, strategy=Strategy.SKIP
            )
            if raised:
                return _said(raised[0])
            if journal["status"] == "aborted":
                return "aborted"
            whole = copy.deepcopy(experiment)
            caching.cache_activities(whole)
            configuration = load_configuration(whole.get("configuration", {}))
            secrets = load_secrets(whole.get("secrets", {}), configuration)
            configuration = load_dynamic_configuration(configuration, secrets)
            for probe in whole.get("steady-state-hypothesis", {}).get("probes", []):
                alone = {
                    **whole,
                    "steady-state-hypothesis": {"title": "one", "probes": [probe]},
                }
                hypothesis.run_steady_state_hypothesis(
                    alone, configuration, secrets, dry=None, event_registry=EventHandlerRegistry()
                )
        except Exception as error:  # noqa: BLE001  # it ends by whatever it raises
            return _said(error)
        finally:
            caching.clear_cache()
    return ""


def _sleep(seconds: Any) -> None:
    """Refuse what `time.sleep` refuses, and wait for nothing."""
    if not isinstance(seconds, int | float):
        raise TypeError(f"{seconds!r} is no number of seconds")
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{seconds!r} is no time to sleep")


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
