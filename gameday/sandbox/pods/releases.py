"""What an image holds of the shop's history: ``python -m gameday.sandbox.pods releases --into D``.

Three things lie in that folder. ``releases/<revision>/``: the source of every release, so that a
pod needs no git. ``shop.bundle``: the whole repository in one file, for whoever wants to blame.
``releases.json``: the revisions that ``main`` and the changes waiting to be deployed stand for.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.errors import PermanentDriverError
from gameday.sandbox.shop import changes, history
from gameday.sandbox.shop.git import git

WRITTEN = datetime(2026, 11, 2, 12, tzinfo=UTC)
"""When an image's history ends. A fixed day: the same source gives the same revisions, whenever the
image is made, and a scenario can name the commit that it deploys.
"""

INDEX = "releases.json"
BUNDLE = "shop.bundle"
RELEASES = "releases"

WAITING = tuple(
    (service, kind, seed)
    for service in ("storefront", "checkout", "inventory")
    for kind in (changes.ChangeKind.COMPUTE, changes.ChangeKind.WAIT, changes.ChangeKind.HARMLESS)
    for seed in (1,)
)
"""Changes that are written and not deployed; on a cluster nobody can commit to the image."""


def prepare(folder: Path) -> dict[str, Any]:
    """Make the history, every release of it and the bundle; return what the index says.

    Raises:
        PermanentDriverError: git is missing, or says no.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        repository = Path(scratch) / "repository"
        versions = {"main": history.make(repository, today=WRITTEN)}
        for service, kind, seed in WAITING:
            change = changes.commit(repository, service=service, seed=seed, kind=kind, now=WRITTEN)
            versions[f"{service}-{kind}-{seed}"] = change.revision
        for revision in versions.values():
            checkout = history.check_out(repository, Path(scratch) / RELEASES, revision)
            shutil.copytree(
                checkout, folder / RELEASES / revision, ignore=shutil.ignore_patterns(".git")
            )
        # Worktrees are this machine's business: a bundle holds branches and nothing else.
        git(repository, "bundle", "create", "--quiet", str(folder / BUNDLE), "--branches")
    index = {"versions": versions}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return index


def find(folder: Path, name: str) -> tuple[str, Path]:
    """Return (full revision, folder) of a release by its name or a revision's beginning.

    Args:
        name: ``main``, the name of a change (``checkout-compute-1``), or a revision.

    Raises:
        PermanentDriverError: there is none, or the name fits several.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PermanentDriverError(
            f"{folder} holds no releases of the shop ({error}): was the image made without them?"
        ) from error
    wanted = index["versions"].get(name, name)
    found = [path for path in (folder / RELEASES).iterdir() if path.name.startswith(wanted)]
    if not wanted or len(found) != 1:
        raise PermanentDriverError(
            f"the image has {'no' if not found else 'more than one'} release {name!r}: "
            "give `main` or a revision that it was built with"
        )
    return found[0].name, found[0]


def main(options: Sequence[str]) -> None:
    """Read the command line and prepare."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.pods releases")
    parser.add_argument("--into", type=Path, required=True)
    print(json.dumps(prepare(parser.parse_args(options).into)))
