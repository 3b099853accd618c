"""Secrets that a system's document names are shown to its tools, and to nobody else.

Every kind of secret is planted, real commands are played on a system that asks for them and gives
them back in its own words, and every byte that was written or printed is searched.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import broken_fronts
import httpx
import pytest
import sound_system
import yaml
from broken_fronts import Asked, Said
from sound_system import Tools

pytestmark = [pytest.mark.row, pytest.mark.xdist_group("foreign")]

QUERIES = 'prometheus_http_requests_total{handler="/api/v1/query"}'
FAILED = 'prometheus_http_requests_total{handler="/api/v1/query",code="400"}'
SHARE = " and ".join(
    f"sum(rate({FAILED}[{span}])) / sum(rate({QUERIES}[{span}])) > 0.2" for span in ("10s", "5s")
)
RULE = {"alert": "QueriesFailing", "expr": SHARE}
OVER_WITHIN = 120.0

TOKEN = "pl4nted-bearer-token"
WRONG = "pl4nted-wrong-token"
PASSWORD = "pl4nted-password"
HEADER = "pl4nted-header-value"
FLAGS = "pl4nted-token-of-a-call"
OF_COMMAND = "pl4nted-in-the-environment"

VERBOSE = (
    "import logging, sys; logging.basicConfig(level=logging.DEBUG);"
    " from gameday.cli import main; sys.exit(main())"
)
"""The command line as it is, with everything that any library logs."""


@dataclass
class Site:
    """A system that asks for secrets, and gives them back wherever it can.

    Attributes:
        shed: whether its load is shed, so that nothing fails any more.
        failing: how often the call that takes that back is still refused.
    """

    folder: Path
    tools: Tools
    prometheus: str = ""
    alertmanager: str = ""
    flags: str = ""
    shed: threading.Event = field(default_factory=threading.Event)
    failing: int = 1

    @property
    def flag(self) -> Path:
        """The file that makes visits fail while it is there."""
        return self.folder / "flag"


def echoed(asked: Asked, status: int = 401) -> Said:
    """Say no as careless servers do, with what was shown to them."""
    shown = asked.headers.get("authorization", "nothing")
    return Said.json({"status": "error", "error": f"{shown} is not valid here"}, status)


@pytest.fixture
def site(monitoring: None, tmp_path: Path) -> Iterator[Site]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make certificates")
    tools_at, folder = tmp_path / "tools", tmp_path / "mine"
    tools_at.mkdir()
    folder.mkdir()

    def of_prometheus(asked: Asked) -> Said | None:
        is_right = asked.headers.get("authorization") == f"Bearer {TOKEN}"
        return None if is_right and asked.headers.get("x-api-key") == HEADER else echoed(asked)

    def of_alertmanager(asked: Asked) -> Said | None:
        return None if asked.headers.get("authorization") == f"Basic {pair()}" else echoed(asked)

    with contextlib.ExitStack() as started:
        tools = started.enter_context(sound_system.running(tools_at, RULE))
        site = Site(folder, tools)

        def of_flags(asked: Asked) -> Said:
            if asked.headers.get("authorization") != f"Bearer {FLAGS}":
                return echoed(asked)
            if asked.path == "/shed":
                site.shed.set()
            elif site.failing:
                site.failing -= 1
                return echoed(asked, 500)
            else:
                site.shed.clear()
            return echoed(asked, 200)

        made = tools.certificates
        assert made is not None
        tls = made.server("good", asks=True)
        site.prometheus = started.enter_context(
            broken_fronts.front(tools.prometheus, of_prometheus, tls=tls)
        )
        site.alertmanager = started.enter_context(
            broken_fronts.front(tools.alertmanager, of_alertmanager)
        )
        site.flags = started.enter_context(broken_fronts.front(tools.other, of_flags))
        described(site, made)
        started.enter_context(visited(site))
        await_counted(tools.prometheus)
        yield site


def await_counted(prometheus: str) -> None:
    """Wait until the failures that there are can be told by every window."""
    asked = {"query": f"count_over_time({FAILED}[10s]) > 3"}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = httpx.get(f"{prometheus}/api/v1/query", params=asked, trust_env=False).json()
        if said["data"]["result"]:
            return
        time.sleep(0.2)
    pytest.fail("no failure was counted")


def pair() -> str:
    return base64.b64encode(f"books:{PASSWORD}".encode()).decode()


@contextlib.contextmanager
def visited(site: Site) -> Iterator[None]:
    """Ask Prometheus steadily; badly while the fault is in place and no load is shed."""
    over = threading.Event()

    def visit() -> None:
        first = True  # a counter that was never counted is not there
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not over.wait(0.05):
                fails = first or (site.flag.exists() and not site.shed.is_set())
                first = False
                with contextlib.suppress(httpx.HTTPError):
                    url = f"{site.tools.prometheus}/api/v1/query"
                    client.get(url, params={"query": "sum(" if fails else "vector(2)"})

    thread = threading.Thread(target=visit, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def described(site: Site, made: broken_fronts.Certificates) -> None:
    """Write the documents, and the files that hold secrets."""
    for name, secret in (("password", PASSWORD), ("header", HEADER)):
        path = site.folder.parent / "secrets" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{secret}\n")
        path.chmod(0o600)
    secrets = site.folder.parent / "secrets"
    flags = {"token": {"env": "FLAGS_TOKEN"}}
    own = {"cert": str(made.folder / "good.pem"), "key": str(made.folder / "good.key")}
    talkative = ["sh", "-c", "env; echo $DATABASE_PASSWORD >&2"]
    documents: dict[str, Any] = {
        "systems/queries.yaml": {
            "apiVersion": "gameday/v1",
            "kind": "System",
            "metadata": {"name": "queries"},
            "spec": {
                "metrics": {
                    "prometheus": {
                        "url": site.prometheus,
                        "bearerToken": {"env": "PAGES_TOKEN"},
                        "headers": {"X-Api-Key": {"file": str(secrets / "header")}},
                        "ca": str(made.ca),
                        **own,
                    }
                },
                "alerts": {"page": {"alertname": "QueriesFailing"}},
                "pages": {
                    "alertmanager": {
                        "url": site.alertmanager,
                        "basic": {
                            "username": "books",
                            "password": {"file": str(secrets / "password")},
                        },
                    }
                },
                "red": {"rate": f"sum(rate({QUERIES}[{{window}}])) # {{service}}"},
                "mitigations": [
                    {
                        "name": "shed",
                        "http": {"post": f"{site.flags}/shed", **flags},
                        "undo": {"post": f"{site.flags}/unshed", **flags},
                    },
                    {
                        "name": "talk",
                        "command": {"run": talkative},
                        "undo": {"run": talkative},
                    },
                    {
                        "name": "talk-and-fail",
                        "command": {"run": [*talkative[:2], f"{talkative[2]}; exit 1"]},
                        "undo": "none",
                    },
                    {
                        "name": "talk-by-action",
                        "chaostoolkit": action("talk", talkative),
                        "undo": action("talk again", talkative),
                    },
                    {
                        "name": "talk-and-fail-by-action",
                        "chaostoolkit": action("talk", [*talkative[:2], f"{talkative[2]}; exit 1"]),
                        "undo": "none",
                    },
                    {
                        "name": "shed-by-action",
                        "chaostoolkit": call("shed", f"{site.flags}/shed"),
                        "undo": call("unshed", f"{site.flags}/unshed"),
                    },
                ],
            },
        },
        "slos/answered.yaml": {
            "apiVersion": "openslo/v1",
            "kind": "SLO",
            "metadata": {"name": "answered"},
            "spec": {
                "service": "queries",
                "indicator": {
                    "metadata": {"name": "answered"},
                    "spec": {
                        "ratioMetric": {
                            "counter": True,
                            "bad": metric(FAILED),
                            "total": metric(QUERIES),
                        }
                    },
                },
                "timeWindow": [{"duration": "30d", "isRolling": True}],
                "budgetingMethod": "Occurrences",
                "objectives": [{"target": 0.99}],
            },
        },
        "experiments/fail.yaml": experiment(f"touch {site.flag}", f"rm -f {site.flag}"),
        "experiments/fall-over.yaml": experiment("true", "true", TELLTALE),
        "scenarios/drill.yaml": scenario("drill", "fail"),
        "scenarios/failed.yaml": scenario("failed", "fall-over"),
    }
    for name, content in documents.items():
        path = site.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content))


def metric(query: str) -> Any:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


SECRETS = {"flags": {"TOKEN": {"env": "FLAGS_TOKEN"}}}


def action(name: str, run: list[str]) -> Any:
    """Return an action of Chaos Toolkit that says a secret that it was given, and all it knows."""
    arguments = [*run[1:-1], f"echo $0; {run[-1]}", "${TOKEN}"]
    provider = {"type": "process", "path": run[0], "arguments": arguments}
    return {"type": "action", "name": name, "provider": provider, "secrets": SECRETS}


def call(name: str, url: str) -> Any:
    """Return an action that is a call with a secret, which gives it back."""
    headers = {"Authorization": "Bearer ${TOKEN}"}
    provider = {"type": "http", "method": "POST", "url": url, "headers": headers}
    return {"type": "action", "name": name, "provider": provider, "secrets": SECRETS}


def experiment(done: str, undone: str, *more: Any) -> Any:
    """Return an experiment whose programs say all they know."""

    def activity(name: str, text: str) -> Any:
        said = ["-c", f"env; echo $DATABASE_PASSWORD >&2; {text}"]
        provider = {"type": "process", "path": "sh", "arguments": said}
        return {"type": "action", "name": name, "provider": provider}

    return {
        "title": "t",
        "description": "d",
        "configuration": {"token": {"type": "env", "key": "FLAGS_TOKEN"}},
        "secrets": {"flags": {"token": {"type": "env", "key": "FLAGS_TOKEN"}}},
        "method": [activity("break", done), *more],
        "rollbacks": [activity("mend", undone)],
    }


def scenario(name: str, fault: str) -> Any:
    return {
        "apiVersion": "gameday/v1",
        "kind": "Scenario",
        "metadata": {"name": name, "severity": "SEV-2"},
        "spec": {
            "system": "queries",
            "slo": "answered",
            "steadyState": {"for": "1s", "burnRateBelow": 1, "within": "60s"},
            "faults": [{"experiment": fault, "duration": "3m"}],
            "expect": {"errorRatio": "80%", "mitigation": ["shed"]},
            "responder": "human",
        },
    }


TELLTALE = {
    "type": "action",
    "name": "fall-over",
    "provider": {
        "type": "python",
        "module": "ipaddress",
        "func": "ip_address",
        "arguments": {"address": "${token}"},
    },
}
"""An action that falls over, and says with what it was called."""


class Terminal:
    """Somebody's shell; all that any command says in it is kept."""

    def __init__(self, site: Site, kept: Path) -> None:
        self.site = site
        self.kept = kept
        kept.mkdir()
        self.environment = os.environ | {
            "GAMEDAY_STATE": str(kept.parent / "state"),
            "PAGES_TOKEN": TOKEN,
            "FLAGS_TOKEN": FLAGS,
            "DATABASE_PASSWORD": OF_COMMAND,
            "PYTHONASYNCIODEBUG": "1",
        }

    def beside(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin a command."""
        number = len(list(self.kept.iterdir()))
        with (self.kept / f"{number:02}-{arguments[0]}").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-c", VERBOSE, *arguments],
                cwd=self.site.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def typed(self, *arguments: str) -> int:
        """Run a command to its end; return its exit code."""
        return self.beside(*arguments).wait(OVER_WITHIN)

    def said(self) -> str:
        """Return all that was said."""
        return "\n".join(p.read_text(errors="replace") for p in sorted(self.kept.iterdir()))


def found_in(folder: Path, secrets: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return (secret, file) of every file below a folder that holds one."""
    return [
        (name, str(path.relative_to(folder)))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, secret in secrets.items()
        if secret in path.read_bytes()
    ]


def test_no_secret_of_a_system_is_in_anything_that_is_written_or_printed(
    site: Site, tmp_path: Path
) -> None:
    terminal = Terminal(site, tmp_path / "said")

    examined = [
        terminal.typed("doctor", "--system", "queries", *more) for more in ((), ("--json",))
    ]
    planned = [terminal.typed("run", "drill", "--dry-run", *more) for more in ((), ("--json",))]
    drill = terminal.beside("run", "drill", "--yes", "--report", str(tmp_path / "reports"))
    deadline = time.monotonic() + OVER_WITHIN
    while terminal.typed("incident", "ack") and time.monotonic() < deadline:
        assert drill.poll() is None, terminal.said()[-3000:]
        time.sleep(0.5)
    talks = [name + how for how in ("", "-by-action") for name in ("talk", "talk-and-fail")]
    done = [min(terminal.typed("mitigate", name), 1) for name in talks]
    done += [terminal.typed("mitigate", name) for name in ("shed", "shed-by-action")]
    ended = drill.wait(OVER_WITHIN)
    failed = terminal.typed("run", "failed", "--yes")
    terminal.environment["PAGES_TOKEN"] = WRONG
    refused = [
        terminal.typed("doctor", "--system", "queries"),
        terminal.typed("run", "drill", "--yes"),
    ]
    for told in (
        ("runs",),
        ("show", "last"),
        ("show", "last", "--json"),
        ("score", "last", "--json"),
        ("report", "last"),
        ("incident", "list"),
        ("incident", "show"),
        ("settings",),
        ("recover",),
    ):
        terminal.typed(*told)

    said = terminal.said()
    assert ([0, 0], [0, 0], [6, 6]) == (examined, planned, refused), said[-3000:]
    assert [0, 1, 0, 1, 0, 0] == done, said[-3000:]
    assert ended in (0, 1), said[-3000:]
    assert 6 == failed, said[-3000:]
    assert "does not appear to be an IPv4 or IPv6 address" in said
    made = site.tools.certificates
    assert made is not None
    planted = {
        "bearer token": TOKEN.encode(),
        "wrong token": WRONG.encode(),
        "password": PASSWORD.encode(),
        "password in a header": pair().encode(),
        "header": HEADER.encode(),
        "token of a call": FLAGS.encode(),
        "environment of a command": OF_COMMAND.encode(),
        "client key": (made.folder / "good.key").read_bytes().splitlines()[1],
    }
    places = [terminal.kept, tmp_path / "state", tmp_path / "reports", site.folder]
    assert [] == [found for place in places for found in found_in(place, planted)]
