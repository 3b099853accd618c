"""The sandbox's PostgreSQL: who gets in, and what they can do there."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from gameday.sandbox.supervisor import database
from gameday.sandbox.supervisor.ports import free_ports

pytestmark = pytest.mark.served


@dataclass(frozen=True)
class Server:
    pid: int
    port: int
    folder: Path
    password: str

    def url(self, password: str | None = None) -> str:
        return database.url(self.port, password=self.password if password is None else password)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("closed") / "postgres"
    password = secrets.token_hex(8)
    (data,) = database.make(folder, ("primary",), password=password)
    (port,) = free_ports(1)
    component = database.server("primary", data, port)
    process = subprocess.Popen(component.argv, cwd=data, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)
        yield Server(process.pid, port, folder, password)
    finally:
        process.send_signal(component.stop_signal)
        process.wait(10)
        database.gone(folder)
    assert not data.exists()


@pytest.fixture
def shop(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("password", ["", "guessed"])
def test_without_the_password_nobody_gets_in(server: Server, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url(password))


def test_the_superuser_is_let_in_by_no_rule(server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(server.url().replace("//shop:", "//postgres:"))


@pytest.mark.parametrize(
    "statement",
    [
        "COPY stock TO PROGRAM 'cat > /tmp/stolen'",
        "COPY stock FROM PROGRAM 'id'",
        "COPY stock TO '/tmp/stolen'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER ROLE shop SUPERUSER",
        "GRANT pg_execute_server_program TO shop",
        "SET ROLE postgres",
        "CREATE EXTENSION file_fdw",
        "ALTER SYSTEM SET archive_command = 'id'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
    ],
)
def test_no_program_runs_through_it_and_no_file_is_read(
    shop: psycopg.Connection, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shop.execute(statement)


def test_the_shop_takes_from_its_own_stock(shop: psycopg.Connection) -> None:
    taken = shop.execute("UPDATE stock SET on_hand = 5 WHERE sku = 'A-0001' RETURNING on_hand")

    assert [(5,)] == taken.fetchall()


def test_its_process_has_no_capability_and_can_get_none(server: Server) -> None:
    said = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        if ":\t" in line
    )

    kept = {name: int(said[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    assert dict.fromkeys(kept, 0) == kept
    assert "0" != said["Uid"].split()[1]


def test_a_link_that_leads_elsewhere_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "postgres").symlink_to(tmp_path / "theirs")

    database.gone(tmp_path / "postgres")

    assert (tmp_path / "theirs").exists()
    assert not (tmp_path / "postgres").is_symlink()
