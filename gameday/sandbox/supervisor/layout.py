"""Who listens where: ports and addresses of a sandbox, and the components of its shop."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.http.keys import PUSHING, derived
from gameday.sandbox.guard import TOKEN
from gameday.sandbox.state import REGIONS
from gameday.sandbox.supervisor import database
from gameday.sandbox.supervisor.component import Component
from gameday.sandbox.supervisor.ports import free_ports

SERVICES: tuple[str, ...] = ("storefront", "checkout", "inventory")
EDGE_REGION = "global"

_LINKS = (
    ("storefront", "checkout"),
    ("checkout", "inventory"),
    ("inventory", "db"),
    ("inventory", "standby"),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Every port of one sandbox, by name."""

    folder: Path
    repository: Path
    ports: Mapping[str, int]
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """Opens every API of this sandbox."""

    shop_token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """What the shop's own processes know each other by, and Prometheus and the supervisor them."""

    tools_password: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """Of Prometheus and Alertmanager; what others see of them passes the gate."""

    database_password: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    """The shop's own, for PostgreSQL; known to nobody but inventory."""

    def address(self, name: str) -> str:
        """Return ``127.0.0.1:<port>`` of what has this name."""
        return f"127.0.0.1:{self.ports[name]}"

    def url(self, name: str) -> str:
        """Return ``http://127.0.0.1:<port>`` of what has this name."""
        return f"http://{self.address(name)}"

    def links(self) -> list[dict[str, Any]]:
        """Return the proxies of the hops between tiers, as ``POST /populate`` takes them."""
        return [
            {
                "name": f"{service}-{downstream}-{region}",
                "listen": self.address(f"{service}-{downstream}-{region}"),
                "upstream": self.address(
                    {"db": "primary", "standby": "standby"}.get(
                        downstream, f"{downstream}-{region}"
                    )
                ),
                "enabled": True,
            }
            for service, downstream in _LINKS
            for region in REGIONS
        ]

    def metrics_targets(self) -> list[tuple[str, str, int]]:
        """Return (service, region, port) of everything Prometheus scrapes."""
        shop = [
            (service, region, self.ports[f"{service}-{region}-admin"])
            for service in SERVICES
            for region in REGIONS
        ]
        return [("edge", EDGE_REGION, self.ports["edge-admin"]), *shop]

    def service(
        self, service: str, region: str, *, release: Path, revision: str, role: str
    ) -> Component:
        """Return the component of one service in one region, run from a release."""
        extra: dict[str, str] = {}
        match service:
            case "storefront":
                extra["SHOP_CHECKOUT"] = self.address(f"storefront-checkout-{region}")
            case "checkout":
                extra["SHOP_INVENTORY"] = self.address(f"checkout-inventory-{region}")
            case _:
                for name, hop in (("PRIMARY", "db"), ("STANDBY", "standby")):
                    port = self.ports[f"inventory-{hop}-{region}"]
                    extra[f"SHOP_{name}"] = database.url(port, password=self.database_password)
                extra["SHOP_DATABASE"] = role
        return self._process(f"{service}-{region}", service, region, release, revision, extra)

    def edge(self, *, release: Path, revision: str, drained: Collection[str]) -> Component:
        """Return the component of the edge."""
        extra = {"SHOP_REGIONS": ",".join(REGIONS), "SHOP_DRAINED": ",".join(sorted(drained))}
        # It passes requests on and has no code of its own to look into.
        extra["SHOP_PROFILED"] = "no"
        for number, region in enumerate(REGIONS):
            extra[f"SHOP_STOREFRONT_{number}"] = self.address(f"storefront-{region}")
        return self._process("edge", "edge", EDGE_REGION, release, revision, extra)

    def proxy(self) -> Component:
        """Return the component of the TCP proxy; its list of proxies is written by then."""
        return Component(
            name="proxy",
            kind="proxy",
            argv=(
                sys.executable,
                "-m",
                "gameday.sandbox.proxy",
                "--control-port",
                str(self.ports["proxy"]),
                "--populate",
                str(self.folder / "proxies.json"),
            ),
            port=self.ports["proxy"],
            health_url=self.url("proxy") + "/version",
            environment={TOKEN: self.token},
            nice=-5,
        )

    def store(self) -> Component:
        """Return the component of the telemetry store."""
        return Component(
            name="store",
            kind="store",
            argv=(
                sys.executable,
                "-m",
                "gameday.sandbox.telemetry",
                "--port",
                str(self.ports["store"]),
            ),
            port=self.ports["store"],
            health_url=self.url("store") + "/healthz",
            environment={TOKEN: self.token},
            nice=-2,
        )

    def visitors(self, rate: float) -> Component:
        """Return the component of the load generator."""
        return Component(
            name="visitors",
            kind="load",
            argv=(
                sys.executable,
                "-m",
                "gameday.sandbox.shop.visitors",
                "--edge",
                self.address("edge"),
                "--rate",
                str(rate),
            ),
            environment={"SHOP_TOKEN": self.shop_token},
            nice=-5,
        )

    def _process(
        self,
        name: str,
        service: str,
        region: str,
        release: Path,
        revision: str,
        extra: Mapping[str, str],
    ) -> Component:
        return Component(
            name=name,
            kind="edge" if service == "edge" else "service",
            argv=(sys.executable, "-m", service),
            port=self.ports[name],
            health_url=self.url(f"{name}-admin") + "/healthz",
            overlap_url=self.url(name) + "/healthz",
            environment={
                "PYTHONPATH": str(release),
                "SHOP_SERVICE": service,
                "SHOP_TOKEN": self.shop_token,
                "SHOP_REGION": region,
                "SHOP_REVISION": revision,
                "SHOP_REPOSITORY": str(self.repository),
                "SHOP_PORT": str(self.ports[name]),
                "SHOP_ADMIN_PORT": str(self.ports[f"{name}-admin"]),
                "SHOP_TELEMETRY_URL": self.url("store"),
                "SHOP_TELEMETRY_TOKEN": derived(self.token, PUSHING),
                "SHOP_LOG_FILE": str(self.folder / "logs" / f"{name}.log"),
                **extra,
            },
            nice=-5,
            folder=release,
        )


def make(folder: Path) -> Layout:
    """Return a layout with a free port for everything."""
    names = ["edge", "edge-admin", "primary", "standby", "proxy", "store", "prometheus"]
    names += ["alertmanager", "prometheus-gate", "alertmanager-gate", "control"]
    for region in REGIONS:
        names += [f"{s}-{region}{part}" for s in SERVICES for part in ("", "-admin")]
        names += [f"{service}-{downstream}-{region}" for service, downstream in _LINKS]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    return Layout(folder, folder / "repository", ports)
