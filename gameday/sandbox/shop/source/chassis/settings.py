"""Settings of one service process, read from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass


TOKEN = os.environ.get("SHOP_TOKEN", "")
"""What the processes of the shop know each other by; empty: they serve whoever asks."""


@dataclass(frozen=True)
class Settings:
    """Who this process is, where it listens, and whom it talks to."""

    service: str
    region: str
    revision: str
    repository: str
    instance: str
    host: str
    port: int
    admin_port: int
    telemetry_url: str
    telemetry_token: str
    log_file: str
    profiled: bool

    @classmethod
    def from_environment(cls) -> Settings:
        env = os.environ
        return cls(
            service=env["SHOP_SERVICE"],
            region=env["SHOP_REGION"],
            revision=env["SHOP_REVISION"],
            repository=env["SHOP_REPOSITORY"],
            instance=env.get("SHOP_INSTANCE") or str(os.getpid()),
            host=env.get("SHOP_HOST", "127.0.0.1"),
            port=int(env["SHOP_PORT"]),
            admin_port=int(env["SHOP_ADMIN_PORT"]),
            telemetry_url=env["SHOP_TELEMETRY_URL"],
            telemetry_token=env.get("SHOP_TELEMETRY_TOKEN", ""),
            log_file=env.get("SHOP_LOG_FILE", ""),
            profiled=env.get("SHOP_PROFILED", "yes") == "yes",
        )


def address(name: str) -> tuple[str, int]:
    """Return host and port of a downstream, given as ``host:port`` in the environment."""
    host, port = os.environ[name].rsplit(":", 1)
    return host, int(port)
