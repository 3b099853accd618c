"""The code of a cluster's shop: its versions, and a copy of its repository to blame in."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gameday import private
from gameday.drivers.kubernetes import Cluster
from gameday.errors import DriverError
from gameday.house.targets.cluster_faults import service_path


def versions_of(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    """Return which revision each version's name (``main``) stands for; empty where unknown."""
    with suppress(DriverError, ValueError, KeyError, TypeError, AttributeError):
        versions = json.loads(_fetched(cluster, namespace, "releases.json"))["versions"]
        return {str(name): str(revision) for name, revision in versions.items()}
    return {}


def code_of(cluster: Cluster, namespace: str, state: Path) -> Path:
    """Return where this machine keeps the shop's repository.

    Fetched from the image once and kept; nothing is there where it cannot be had, and whoever wants
    to blame is then told so.
    """
    folder = state / "repositories"
    with suppress(DriverError, OSError, subprocess.SubprocessError):
        bundle = _fetched(cluster, namespace, "shop.bundle")
        if bundle.startswith((b"# v2 git bundle", b"# v3 git bundle")):
            copy = folder / hashlib.sha256(bundle).hexdigest()[:16]
            if not copy.is_dir():
                _clone(bundle, copy)
            return copy
    return folder / "not-fetched"


def _fetched(cluster: Cluster, namespace: str, name: str) -> bytes:
    return cluster.exchange("GET", f"{service_path(namespace, 'mailbox')}/{name}").body


_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    # What whoever starts us has configured says nothing about how a bundle is read.
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
    "LC_ALL": "C.UTF-8",
}


def _clone(bundle: bytes, copy: Path) -> None:
    """Make a bare repository of a bundle: beside first, then moved into place, whole."""
    private.folder(copy.parent)
    with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
        file = Path(scratch) / "shop.bundle"
        file.write_bytes(bundle)
        made = Path(scratch) / "repository"
        subprocess.run(
            ("git", "clone", "--quiet", "--bare", "--template=", str(file), str(made)),
            check=True,
            capture_output=True,
            env=_ENVIRONMENT,
            timeout=30,
        )
        with suppress(FileExistsError):
            made.rename(copy)
