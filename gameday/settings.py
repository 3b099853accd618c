"""Settings: what an operator may choose, each with its reason for the default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

KUBE_CONTEXTS = ("kind-gameday",)
KUBE_NAMESPACES = ("shop",)


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return where gameday keeps runs and the sandbox.

    ``GAMEDAY_STATE`` if set, else the XDG state folder.
    """
    if own := environment.get("GAMEDAY_STATE"):
        return Path(own)
    xdg = environment.get("XDG_STATE_HOME")
    root = Path(xdg) if xdg else Path.home() / ".local" / "state"
    return root / "gameday"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one gameday process."""

    state: Path
    """Folder of the store of runs, the reports and the sandbox."""

    database_url: str
    """SQLAlchemy URL of the store: GAMEDAY_DATABASE_URL, else SQLite in the state folder."""

    poll: timedelta = timedelta(seconds=1)
    """How often a run looks at Prometheus; its evaluation interval in the sandbox is as long."""

    recovery_budget: timedelta = timedelta(seconds=30)
    """How long recovery is retried before a fault is called stuck; not part of the run's time."""

    lease: timedelta = timedelta(seconds=5)
    """How long a run's heartbeat may be silent before its sentinel takes over."""

    answer_patience: timedelta = timedelta(seconds=180)
    """How long a run waits for a mitigation, counted from the page: the loop's T+3 min."""

    detection_slack: timedelta = timedelta(seconds=15)
    """Waited for past the latest predicted page before a run calls detection missed."""

    kube_contexts: tuple[str, ...] = KUBE_CONTEXTS
    """Contexts of clusters that faults may be put into; GAMEDAY_KUBE_CONTEXTS, comma-separated.

    Names or shell patterns. By default the cluster of our own ``kind-config.yaml`` alone: whoever
    means another one says so.
    """

    kube_namespaces: tuple[str, ...] = KUBE_NAMESPACES
    """Namespaces that faults may touch; GAMEDAY_KUBE_NAMESPACES, likewise."""

    kube_disposable: tuple[str, ...] = KUBE_CONTEXTS
    """Contexts of clusters nobody depends on, where time may be compressed, unless a programme
    lists its targets and says otherwise; GAMEDAY_KUBE_DISPOSABLE, likewise."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Return the settings this environment asks for."""
        env = os.environ if environment is None else environment
        state = state_folder(env)
        url = env.get("GAMEDAY_DATABASE_URL") or f"sqlite:///{state / 'gameday.db'}"
        return cls(
            state=state,
            database_url=url,
            kube_contexts=_names(env.get("GAMEDAY_KUBE_CONTEXTS"), KUBE_CONTEXTS),
            kube_namespaces=_names(env.get("GAMEDAY_KUBE_NAMESPACES"), KUBE_NAMESPACES),
            kube_disposable=_names(env.get("GAMEDAY_KUBE_DISPOSABLE"), KUBE_CONTEXTS),
        )


def _names(given: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return default
    return tuple(name.strip() for name in given.split(",") if name.strip())
