"""Start a service of the shop in a pod: ``python -m gameday.sandbox.pods service``.

Which one, where, and from which release stands in the environment (``SHOP_SERVICE``,
``SHOP_REGION``, ``SHOP_REVISION`` …); the release becomes the code that this very process runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gameday.sandbox.pods import releases

FOLDER = "/srv/shop"


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment the service runs in: its release found, what is missing filled in.

    Raises:
        PermanentDriverError: the image has no such release.
    """
    folder = Path(given.get("SHOP_FOLDER", FOLDER))
    revision, release = releases.find(folder, given.get("SHOP_REVISION") or "main")
    path = given.get("PYTHONPATH", "")
    return {
        "SHOP_HOST": "0.0.0.0",
        "SHOP_PORT": "8080",
        "SHOP_ADMIN_PORT": "9100",
        "SHOP_REPOSITORY": str(folder / "repository"),
        # Every pod's process has the number 1; its name tells it from others.
        "SHOP_INSTANCE": given.get("HOSTNAME", ""),
        **given,
        "SHOP_REVISION": revision,
        "PYTHONPATH": f"{release}{os.pathsep}{path}" if path else str(release),
    }


def main(_options: Sequence[str]) -> None:
    """Become the service; everything it needs stands in the environment.

    Raises:
        PermanentDriverError: the image has no such release.
    """
    env = environment(os.environ)
    service = env["SHOP_SERVICE"]
    os.execve(sys.executable, [sys.executable, "-m", service], env)
