"""git, as the sandbox uses it: on the shop's repository, blind to the user's own settings."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path

from gameday.errors import PermanentDriverError

_SETTINGS = (
    ("user.useConfigOnly", "true"),
    ("commit.gpgSign", "false"),
    ("core.hooksPath", os.devnull),
    ("core.autocrlf", "false"),
    ("gc.auto", "0"),
    ("advice.detachedHead", "false"),
)


def git(
    repository: Path,
    *arguments: str,
    author: tuple[str, str] | None = None,
    at: datetime | None = None,
) -> str:
    """Run git in a repository and return what it printed, without the last newline.

    Args:
        author: name and address, for commands that make a commit; committer as well.
        at: author and committer date.

    Raises:
        PermanentDriverError: git is missing, or says no.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    if author is not None:
        env |= {"GIT_AUTHOR_NAME": author[0], "GIT_AUTHOR_EMAIL": author[1]}
        env |= {"GIT_COMMITTER_NAME": author[0], "GIT_COMMITTER_EMAIL": author[1]}
    if at is not None:
        stamp = f"{int(at.timestamp())} +0000"
        env |= {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    settings = [part for name, value in _SETTINGS for part in ("-c", f"{name}={value}")]
    try:
        done = subprocess.run(
            # In bytes: names of authors are more than some locales can say.
            [_bytes(part) for part in ("git", *settings, *arguments)],
            cwd=repository,
            env={_bytes(name): _bytes(value) for name, value in env.items()},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=60,
        )
    except FileNotFoundError as error:
        raise PermanentDriverError(
            "git is not installed, and the sandbox keeps its shop's source in it:"
            " install git and try again"
        ) from error
    except subprocess.CalledProcessError as error:
        raise PermanentDriverError(
            f"git {arguments[0]} failed in {repository}: {error.stderr.strip()}"
        ) from error
    return done.stdout.rstrip("\n")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
