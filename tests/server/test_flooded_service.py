"""One row of docs/measured/floods.md: a flood at a real `gameday serve`, while alerts come."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from test_service_process import alert, bearing, free_port, serving, token

pytestmark = pytest.mark.served

POURED = 64 * 1024 * 1024
"""A head without an end: a thousand times what is read of one."""

MOST_MIB_MORE = 40


def poured(port: int) -> str:
    """Send one header that does not end; return the status, empty where none came through."""
    piece = b"a" * 16_384
    with socket.create_connection(("127.0.0.1", port), timeout=30) as to:
        try:
            to.sendall(b"GET / HTTP/1.1\r\nx: ")
            for _ in range(POURED // len(piece)):
                to.sendall(piece)
        except OSError:  # it is not read any more
            pass
        else:
            return "all of it was read"
        try:
            said = to.recv(4096)
        except OSError:
            return ""
    return said.split(b" ")[1].decode() if said else ""


def peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux says what it needed")
def test_alerts_are_taken_while_heads_without_an_end_are_poured_in() -> None:
    port = free_port()
    with bearing(port, token("webhook")) as machine, serving(port) as process:
        machine.post("/hooks/alertmanager", json={"alerts": [alert(0)]})
        before = peak_mib(process.pid)
        answers: list[str] = []
        pouring = [
            threading.Thread(target=lambda: answers.extend(poured(port) for _ in range(5)))
            for _ in range(4)
        ]
        for thread in pouring:
            thread.start()
        taken = [
            machine.post("/hooks/alertmanager", json={"alerts": [alert(number)]}).status_code
            for number in range(1, 11)
        ]
        for thread in pouring:
            thread.join()

        assert [200] * 10 == taken
        # An answer may be lost where the connection is reset behind it.
        assert 20 == len(answers)
        assert "431" in answers
        assert {"431", ""} >= set(answers)
        assert peak_mib(process.pid) - before < MOST_MIB_MORE
