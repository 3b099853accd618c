"""A TCP proxy of the sandbox's kind, for tests that need real toxics on real sockets."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def running_proxy(names: Sequence[str], *, upstream: str = "127.0.0.1:9") -> Iterator[str]:
    """Run a proxy process with proxies of these names; yield the URL of its control API."""
    import httpx

    with subprocess.Popen(
        [sys.executable, "-m", "gameday.sandbox.proxy", "--control-port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None  # a pipe
            url = str(json.loads(process.stdout.readline())["control_url"])
            httpx.post(
                f"{url}/populate",
                json=[{"name": name, "upstream": upstream} for name in names],
                trust_env=False,
                verify=url.startswith("https:"),  # certificates take a while to load
            ).raise_for_status()
            yield url
        finally:
            process.terminate()
