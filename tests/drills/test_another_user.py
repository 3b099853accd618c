"""What another user of this machine gets out of a drill that goes on.

A sandbox, a run on it and `gameday serve` are really up, in a folder that everybody could enter if
it let them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from drill_that_goes_on import CHANGES, Drill, drill_that_goes_on

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.row,
    pytest.mark.usefixtures("monitoring"),
]

PATHS = (
    "/",
    "/status",
    "/deploys",
    "/rules",
    "/proxies",
    "/version",
    "/metrics",
    "/search",
    "/api/annotations",
    "/api/v3/services",
    "/api/v1/query?query=up",
    "/api/v1/status/config",
    "/api/v2/status",
    "/api/v2/alerts",
    "/api/incidents",
    "/api/runs",
    "/config",
)
REFUSALS = {400, 401, 403, 404, 405, 415, 421}

STRANGER = """
import json, os, socket, struct, sys

said = json.load(sys.stdin)
found = []
databases = 0


def exchange(port, sent):
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.settimeout(5)
        line.sendall(sent)
        try:
            return line.recv(4096)
        except OSError:
            return b""


for path in said["paths"]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
    except OSError:
        continue
    found.append(f"read {path}")
asked = [("GET", path) for path in said["reads"]] + said["changes"]
for port in said["ports"]:
    for method, path in asked:
        head = (
            f"{method} {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n"
            "Content-Type: application/json\\r\\nContent-Length: 2\\r\\n"
            "Connection: close\\r\\n\\r\\n{}"
        )
        answer = exchange(port, head.encode()).split(b" ")
        if not answer[0].startswith(b"HTTP/"):
            break  # a database, or the way to one
        if int(answer[1]) not in said["refusals"]:
            found.append(f"{method} {path} at {port} answered {answer[1].decode()}")
    else:
        continue
    databases += 1
    for user in ("postgres", "shop"):
        words = b"user\\0" + user.encode() + b"\\0database\\0postgres\\0\\0"
        answer = exchange(port, struct.pack("!ii", len(words) + 8, 196608) + words)
        wants_password = answer[:1] == b"R" and struct.unpack("!i", answer[5:9])[0] == 10
        if not wants_password and answer[:1] != b"E":
            found.append(f"the database at {port} answered {user} with {answer[:20]}")
found += [] if databases == 6 else [f"{databases} databases, or ways to one"]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    # Not below pytest's own folder, which no other user enters anyway.
    folder = Path(tempfile.mkdtemp(prefix="gameday-strangers-"))
    folder.chmod(0o755)
    try:
        with drill_that_goes_on(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stranger() -> Iterator[str]:
    """Return another user of this machine, made for the test and removed after it."""
    if os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("setpriv"):
        pytest.skip("another local user can only be made by root, with useradd and setpriv")
    name = f"gd{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/false", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=True, capture_output=True)


def test_another_user_of_this_machine_reads_nothing_and_is_told_nothing(
    drill: Drill, stranger: str
) -> None:
    before = drill.condition()
    files = [str(drill.state), *(str(p) for p in drill.state.rglob("*") if not p.is_symlink())]
    for link in (p for p in drill.state.rglob("*") if p.is_symlink()):
        files += [str(p) for p in link.resolve().glob("*/*")]
    files += [str(Path(drill.sandbox.folder) / "postgres")]
    said = {
        "paths": files,
        "ports": drill.ports(),
        "reads": PATHS,
        "changes": CHANGES,
        "refusals": sorted(REFUSALS),
    }
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    if python is None:
        pytest.skip("another local user needs a Python that everybody may run")
    reader = [python, "-c", STRANGER]

    done = subprocess.run(
        ["setpriv", f"--reuid={stranger}", f"--regid={stranger}", "--clear-groups", *reader],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        cwd="/",
        timeout=300,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert len(files) > 100
    assert len(said["ports"]) > 25
    # The pages to sign in are what a stranger may see, and there is nothing on them.
    open_to_all = [f"GET / at {u.rpartition(':')[2]}" for u in (drill.run_url, drill.serve_url)]
    assert [] == [f for f in json.loads(done.stdout) if not f.startswith(tuple(open_to_all))]
    assert before == drill.condition()
