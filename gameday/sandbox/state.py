"""Where a sandbox that is up says how to reach it.

One JSON file, ``<state>/sandbox/sandbox.json``: written atomically by the supervisor once
everything is ready, removed by ``down``. Whoever wants to talk to the sandbox reads it; nobody
guesses a port.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gameday import private
from gameday.process import ProcessId
from gameday.settings import Settings

FILE_NAME = "sandbox.json"
REGIONS: tuple[str, ...] = ("eu-west", "us-east")


class SandboxState(BaseModel):
    """A sandbox that was ready when this was written.

    Attributes:
        pid: the supervisor's process; ``born`` tells it from a later process that got the same
            number, see `gameday.process`.
        time_scale: how many times faster than a production system its alert windows run.
        folder: absolute path; everything the sandbox writes lies in it.
        proxy_url: control API of the TCP proxy (Toxiproxy's).
        control_url: control API of the supervisor.
        token: opens every API of it (`gameday.http.keys`); in this file and in no other place.
        repository: absolute path of the shop's own git repository.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    born: str
    started_at: AwareDatetime
    time_scale: float
    folder: str
    edge_url: str
    prometheus_url: str
    alertmanager_url: str
    store_url: str
    proxy_url: str
    control_url: str
    token: str = Field(repr=False)
    repository: str
    regions: tuple[str, ...] = REGIONS

    @property
    def process(self) -> ProcessId:
        """The supervisor."""
        return ProcessId(self.pid, self.born)

    def is_alive(self) -> bool:
        """Return whether the supervisor that wrote this still runs."""
        return self.process.runs


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the sandbox's folder, ``<state>/sandbox``; it may not exist yet."""
    return Settings.from_environment(environment).state / "sandbox"


def read(folder: Path | None = None) -> SandboxState | None:
    """Return the state of the sandbox in this folder (default: `default_folder`).

    None where no sandbox was ever ready, or it was taken down. The supervisor may have died since:
    ask `SandboxState.is_alive`.
    """
    path = (folder or default_folder()) / FILE_NAME
    try:
        found = SandboxState.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:
        # Written by another version of gameday: `up` starts afresh, `down` goes by the pid list.
        return None
    from gameday.http import keys  # late: what is imported here delays every fault

    keys.learn(keys.told(found.model_dump()))
    return found


def write(state: SandboxState) -> Path:
    """Write the state file atomically and return its path: readers see all of it or nothing."""
    path = Path(state.folder) / FILE_NAME
    draft = path.with_suffix(".draft")
    private.write_text(draft, state.model_dump_json(indent=2) + "\n")
    draft.replace(path)
    return path


def remove(folder: Path) -> None:
    """Remove the state file; nothing happens where there is none."""
    (folder / FILE_NAME).unlink(missing_ok=True)
