"""Which process is meant: its number and its birth, told from a later one with the same number.

The birth is counted by the kernel from its start where it tells (Linux), so that a clock that is
set does not make another process of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Life", "ProcessId"]

_PROC = Path("/proc")


class Life(Enum):
    """What is known of a process."""

    RUNS = "runs"
    GONE = "gone"
    UNKNOWN = "unknown"  # it cannot be asked


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process of this machine.

    Attributes:
        pid: its number, which a later process may have as well.
        born: when it was started, in words that only compare.
    """

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the process that has this number now; None where there is none."""
        try:
            return cls(pid, _born(pid))
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return None

    @classmethod
    def own(cls) -> ProcessId:
        """Return this very process."""
        found = cls.of(psutil.Process().pid)
        assert found is not None, "whoever asks runs"
        return found

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> ProcessId:
        """Return the process that `to_json` wrote; `KeyError` or `ValueError` where it is none."""
        return cls(int(said["pid"]), str(said["born"]))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-shaped data."""
        return {"pid": self.pid, "born": self.born}

    def life(self) -> Life:
        """Return whether it still runs; a zombie does not."""
        try:
            if _born(self.pid) != self.born:
                return Life.GONE
            status = psutil.Process(self.pid).status()
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return Life.GONE
        except (psutil.Error, OSError):
            return Life.UNKNOWN
        dead = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return Life.GONE if status in dead else Life.RUNS

    @property
    def runs(self) -> bool:
        """Whether it certainly runs."""
        return self.life() is Life.RUNS

    @property
    def is_gone(self) -> bool:
        """Whether it certainly runs no more."""
        return self.life() is Life.GONE


def _born(pid: int) -> str:
    if not (_PROC / "stat").exists():
        return f"{psutil.Process(pid).create_time():.2f}"
    # Field 22 of proc(5); the name in field 2 may hold blanks and parentheses.
    fields = (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return f"{_boot()}+{fields[19]}"


@cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
