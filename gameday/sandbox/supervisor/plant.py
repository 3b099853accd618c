"""The whole sandbox: every component, in the order they need each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.proof import Bearer
from gameday.sandbox.shop import changes, history
from gameday.sandbox.shop.git import git
from gameday.sandbox.state import REGIONS
from gameday.sandbox.supervisor import database, layout, monitoring
from gameday.sandbox.supervisor.component import Component, Keeper
from gameday.sandbox.supervisor.deploys import DeployBook, DeployRecord
from gameday.sandbox.supervisor.gate import USER
from gameday.sandbox.supervisor.layout import SERVICES

PRIMARY, STANDBY = "primary", "standby"

_ONE_EVALUATION = 1.2
"""Seconds until an evaluation of the rules that has begun is over; the sandbox's are a second
apart."""


class Plant:
    """A running sandbox and everything that can be done to it."""

    def __init__(self, folder: Path, *, rate: float, progress: Callable[[str], None]) -> None:
        self.folder = folder
        self.layout = layout.make(folder)
        self.book = DeployBook()
        self.baseline = ""
        self.ready = False
        self._rate = rate
        self._progress = progress
        self._http = httpx.AsyncClient(
            timeout=5,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            auth=_Keyring(self.layout),
        )
        self._keepers: dict[str, Keeper] = {}
        self._roles = dict.fromkeys(REGIONS, PRIMARY)
        self._drained: set[str] = set()
        # One thing at a time: two deploys at once would fight over the same process.
        self._turn = asyncio.Lock()

    # --- up and down ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything and return when it is healthy and traffic flows.

        Raises:
            DriverError: something is not installed, or does not get healthy.
        """
        monitoring.program("prometheus")
        monitoring.program("prometheus-alertmanager", "alertmanager")
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        (self.folder / "proxies.json").write_text(json.dumps(self.layout.links()))
        self._progress("starting PostgreSQL, the proxy and the telemetry store")
        await _together(
            self._start_databases(),
            self._start(self.layout.proxy()),
            self._start(self.layout.store()),
            self._make_shop(),
        )
        self._progress("starting the shop in " + " and ".join(REGIONS))
        release = self._release(self.baseline)
        await _together(
            *(
                self._start(self._service(service, region, self.baseline))
                for service in reversed(SERVICES)
                for region in REGIONS
            ),
            self._start(
                self.layout.edge(release=release, revision=self.baseline, drained=self._drained)
            ),
            self._start_alertmanager(),
            self._start_prometheus(),
        )
        # Prometheus waits five seconds before it scrapes for the first time, so its history
        # begins with a shop that is warm.
        self._progress("letting the visitors in")
        await self._start(self.layout.visitors(self._rate))
        self._progress("waiting for Prometheus to see them in every region")
        await self._until_traffic_is_seen()
        await self._post_deploys()
        self.ready = True

    async def stop(self) -> None:
        """End everything; what does not end by itself is ended."""
        self.ready = False
        await asyncio.gather(*(keeper.stop(1.0) for keeper in self._keepers.values()))
        await self._http.aclose()

    async def status(self) -> dict[str, Any]:
        """Return what the control API shows: every component's state, every deploy."""
        components = await asyncio.gather(*(k.status() for k in self._keepers.values()))
        return {
            "ready": self.ready and all(c["state"] == "healthy" for c in components),
            "components": components,
            "database": dict(self._roles),
            "drained": sorted(self._drained),
            "baseline": self.baseline,
            "live": {f"{s}-{r}": self.book.live(s, r) for s in SERVICES for r in REGIONS},
            "deploys": [record.to_json() for record in self.book.records],
        }

    # --- the shop -------------------------------------------------------------------------------

    async def change(self, service: str, seed: int, kind: str) -> dict[str, Any]:
        """Commit a change to the shop's source and return it; nothing is deployed."""
        async with self._turn:
            made = await asyncio.to_thread(
                changes.commit, self.layout.repository, service=service, seed=seed, kind=kind
            )
        return {
            "revision": made.revision,
            "function": made.function,
            "file": made.file,
            "previous": made.previous,
            "author": made.author,
            "summary": made.summary,
        }

    async def deploy(self, service: str, revision: str, region: str | None) -> DeployRecord:
        """Put a revision of a service live and return the record of it."""
        self._known(service, region)
        async with self._turn:
            return await self._deploy(service, revision, region)

    async def roll_back(self, service: str, region: str | None) -> str:
        """Put the revision before the present one live again; return what was done."""
        self._known(service, region)
        async with self._turn:
            regions = [r for r in _regions(region) if self.book.previous(service, r)]
            if not regions:
                raise PermanentDriverError(f"{service} has no earlier revision to go back to")
            before = {r: str(self.book.previous(service, r)) for r in regions}
            for revision in sorted(set(before.values())):
                affected = [r for r in regions if before[r] == revision]
                await self._deploy(service, revision, None if len(affected) > 1 else affected[0])
                self.book.taken_back(service, affected)
        went = ", ".join(f"{r} to {revision[:12]}" for r, revision in before.items())
        return f"{service} rolled back: {went}"

    async def use_database(self, role: str, region: str | None) -> str:
        """Have inventory use the primary or the standby; return what was done."""
        self._known("inventory", region)
        async with self._turn:
            for name in _regions(region):
                await self._switch(f"inventory-{name}", "/database", {"role": role})
                self._roles[name] = role
        return f"inventory uses the {role} database in {' and '.join(_regions(region))}"

    async def drain(self, regions: set[str]) -> str:
        """Have the edge send these regions no visitors, and all others theirs."""
        async with self._turn:
            await self._switch("edge", "/drain", {"regions": sorted(regions)})
            self._drained = set(regions)
        return "the edge sends visitors to " + " and ".join(
            region for region in REGIONS if region not in regions
        )

    @property
    def drained(self) -> set[str]:
        """Regions that get no visitors."""
        return set(self._drained)

    async def stop_component(self, name: str) -> str:
        """End a component and leave it ended, until it is started again; return what was done."""
        async with self._turn:
            await self._keeper(name).stop()
        return f"{name} is stopped"

    async def start_component(self, name: str) -> str:
        """Start a component that was stopped; return what was done."""
        async with self._turn:
            keeper = self._keeper(name)
            if keeper.wanted:
                return f"{name} runs already"
            await keeper.start()
        return f"{name} runs again"

    async def settled(self) -> None:
        """Return once all that was asked for before now is done, or has failed.

        Whoever proves that something is gone asks this first: a deploy takes seconds, and goes on
        though whoever asked for it has been killed.
        """
        async with self._turn:
            pass

    async def restore(self) -> str:
        """Take back mitigations, deploys and stops, so that all is as it was at the start."""
        await self.settled()
        done = []
        for name in [name for name, keeper in self._keepers.items() if not keeper.wanted]:
            done.append(await self.start_component(name))
        if self._drained:
            done.append(await self.drain(set()))
        for region in [r for r, role in self._roles.items() if role != PRIMARY]:
            done.append(await self.use_database(PRIMARY, region))
        async with self._turn:
            for service in SERVICES:
                astray = [r for r in REGIONS if self.book.live(service, r) != self.baseline]
                if astray:
                    only = astray[0] if len(astray) == 1 else None
                    await self._deploy(service, self.baseline, only)
                    done.append(f"{service} is back at {self.baseline[:12]}")
        return "; ".join(done) or "nothing to take back"

    # --- monitoring -----------------------------------------------------------------------------

    async def route_pages(self, url: str | None, *, token: str | None = None) -> None:
        """Have Alertmanager send pages to this webhook.

        Args:
            token: that the webhook asks for; kept where no status page shows it.
        """
        folder = self.folder / "alertmanager"
        secret = None
        if token is not None:
            secret = folder / "pages.token"
            _write(secret, token)
        text = monitoring.alertmanager_settings(url, token=secret)
        await self._replace_and_reload("alertmanager", folder / "alertmanager.yml", text)

    async def put_rules(self, name: str, text: str) -> None:
        """Put a rule file in place; the old one stays where Prometheus refuses the new."""
        await self._replace_and_reload("prometheus", self._rules / f"{name}.yml", text)

    async def delete_rules(self, name: str) -> bool:
        """Remove a rule file; return whether there was one."""
        path = self._rules / f"{name}.yml"
        if not path.exists():
            return False
        await self._replace_and_reload("prometheus", path, None)
        return True

    def rules(self) -> list[str]:
        """Return the names of the rule files in place."""
        return sorted(path.stem for path in self._rules.glob("*.yml"))

    async def reset_history(self) -> None:
        """Empty Prometheus, Alertmanager and the store, as a cold start would; the shop stays."""
        async with self._turn:
            alertmanager = self._keepers["alertmanager"]
            await alertmanager.stop()
            await asyncio.to_thread(shutil.rmtree, self.folder / "alertmanager" / "data", True)
            # Prometheus goes on. Twice, for an evaluation that began before may still write down
            # what it read; and Alertmanager is away until its alerts have ended.
            await self._delete_series()
            await asyncio.sleep(_ONE_EVALUATION)
            await self._delete_series()
            await self._post("store", "/admin/forget")
            await alertmanager.start()
            await self._until_traffic_is_seen()

    # --- the parts ------------------------------------------------------------------------------

    @property
    def _rules(self) -> Path:
        return self.folder / "prometheus" / "rules"

    def _release(self, revision: str) -> Path:
        return history.check_out(self.layout.repository, self.folder / "releases", revision)

    def _service(self, service: str, region: str, revision: str) -> Component:
        return self.layout.service(
            service,
            region,
            release=self._release(revision),
            revision=revision,
            role=self._roles[region],
        )

    def _known(self, service: str, region: str | None) -> None:
        if service not in SERVICES:
            raise PermanentDriverError(
                f"no service {service!r}: choose one of {', '.join(SERVICES)}"
            )
        if region is not None and region not in REGIONS:
            raise PermanentDriverError(f"no region {region!r}: choose one of {', '.join(REGIONS)}")

    def _keeper(self, name: str) -> Keeper:
        if name not in self._keepers:
            raise PermanentDriverError(
                f"no component {name!r}: choose one of {', '.join(sorted(self._keepers))}"
            )
        return self._keepers[name]

    async def _start(self, component: Component) -> None:
        keeper = Keeper(component, folder=self.folder, http=self._http)
        self._keepers[component.name] = keeper
        await keeper.start()

    async def _start_databases(self) -> None:
        folders = await asyncio.to_thread(
            database.make,
            self.folder / database.DATA,
            (PRIMARY, STANDBY),
            password=self.layout.database_password,
        )
        await _together(
            *(self._start(database.server(f.name, f, self.layout.ports[f.name])) for f in folders)
        )

    async def _make_shop(self) -> None:
        self.baseline = await asyncio.to_thread(history.make, self.layout.repository)
        await asyncio.to_thread(self._release, self.baseline)
        summary = history.subject(self.layout.repository, self.baseline)
        # What is live at the start went live when it was written, as far as the shop's past goes:
        # that this sandbox was started now is no deploy.
        written = git(self.layout.repository, "show", "--no-patch", "--format=%ct", self.baseline)
        at = datetime.fromtimestamp(int(written), UTC) + timedelta(hours=1)
        for service in SERVICES:
            self.book.add(DeployRecord(service, self.baseline, at, None, summary), REGIONS)

    async def _start_alertmanager(self) -> None:
        folder = self.folder / "alertmanager"
        folder.mkdir()
        (folder / "alertmanager.yml").write_text(monitoring.alertmanager_settings(None))
        (folder / monitoring.WEB).write_text(monitoring.web_settings(self.layout.tools_password))
        shown_as = self.layout.url("alertmanager-gate")
        port = self.layout.ports["alertmanager"]
        await self._start(monitoring.alertmanager(folder, port, shown_as=shown_as))

    async def _start_prometheus(self) -> None:
        folder = self.folder / "prometheus"
        self._rules.mkdir(parents=True)
        settings = monitoring.prometheus_settings(
            rules=self._rules,
            alertmanager_port=self.layout.ports["alertmanager"],
            targets=self.layout.metrics_targets(),
            tools_password=folder / "alertmanager.password",
            shop_token=folder / "shop.token",
        )
        (folder / "alertmanager.password").write_text(self.layout.tools_password)
        (folder / "shop.token").write_text(self.layout.shop_token)
        (folder / monitoring.WEB).write_text(monitoring.web_settings(self.layout.tools_password))
        (folder / "prometheus.yml").write_text(settings)
        shown_as, port = self.layout.url("prometheus-gate"), self.layout.ports["prometheus"]
        await self._start(monitoring.prometheus(folder, port, shown_as=shown_as))

    async def _until_traffic_is_seen(self) -> None:
        """Return when Prometheus scrapes everything and counts requests in every region."""
        targets = len(self.layout.metrics_targets())
        counted = 'increase(http_server_request_duration_seconds_count{service="storefront"}[5s])'
        query = (
            f"(sum(up) == {targets}) and on() "
            f"(count(sum by (region) ({counted}) > 0) == {len(REGIONS)})"
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                answer = await self._http.get(
                    self.layout.url("prometheus") + "/api/v1/query", params={"query": query}
                )
                if answer.json()["data"]["result"]:
                    return
            await asyncio.sleep(0.2)
        raise TemporaryDriverError(
            "Prometheus does not see requests in every region after 20 s;"
            f" look at {self.layout.url('prometheus')}/targets and {self.folder / 'logs'}"
        )

    async def _delete_series(self) -> None:
        path = "/api/v1/admin/tsdb/delete_series"
        await self._post("prometheus", path, **{"match[]": '{__name__=~".+"}'})

    async def _post(self, name: str, path: str, **params: str) -> None:
        """Post to a component's own API.

        Raises:
            TemporaryDriverError: it does not answer, or refuses.
        """
        try:
            answer = await self._http.post(self.layout.url(name) + path, params=params)
        except httpx.HTTPError as error:
            raise TemporaryDriverError(f"{name} does not answer: {error!r}") from error
        if not answer.is_success:
            raise TemporaryDriverError(f"{name} refused {path}: {answer.text.strip()}")

    async def _deploy(self, service: str, revision: str, region: str | None) -> DeployRecord:
        release = await asyncio.to_thread(self._release, revision)
        full = release.name
        regions = _regions(region)
        # The new version takes requests before the old one has gone: what it causes must not
        # seem to come before its deploy.
        begun = datetime.now(UTC)
        await _together(
            *(
                self._keepers[f"{service}-{name}"].replace(self._service(service, name, full))
                for name in regions
            )
        )
        summary = history.subject(self.layout.repository, full)
        record = DeployRecord(service, full, begun, region, summary)
        self.book.add(record, regions)
        await self._post_deploy(record)
        return record

    async def _post_deploys(self) -> None:
        for record in self.book.records:
            await self._post_deploy(record)

    async def _post_deploy(self, record: DeployRecord) -> None:
        # The store may be down, on purpose even; the deploy happened all the same.
        with contextlib.suppress(httpx.HTTPError):
            url = self.layout.url("store") + "/api/annotations"
            await self._http.post(url, json=record.to_annotation())

    async def _switch(self, name: str, path: str, body: dict[str, Any]) -> None:
        url = self.layout.url(f"{name}-admin") + path
        try:
            answer = await self._http.post(url, json=body, timeout=10)
        except httpx.HTTPError as error:
            raise TemporaryDriverError(f"{name} does not answer at {url}: {error!r}") from error
        if answer.status_code != 200:
            raise PermanentDriverError(f"{name} refused: {answer.text}")

    async def _replace_and_reload(self, name: str, path: Path, text: str | None) -> None:
        before = path.read_text() if path.exists() else None
        _write(path, text)
        try:
            answer = await self._http.post(self.layout.url(name) + "/-/reload")
        except httpx.HTTPError as error:
            # It reads the file when it is started again.
            raise TemporaryDriverError(f"{name} does not answer: {error!r}") from error
        if answer.status_code != 200:
            _write(path, before)
            await self._http.post(self.layout.url(name) + "/-/reload")
            reason = monitoring.fault_of_rules(text) or answer.text.strip()
            raise PermanentDriverError(f"{name} refused {path.name}: {reason}")


class _Keyring(httpx.Auth):
    """What the supervisor says of itself to each of its components."""

    def __init__(self, where: layout.Layout) -> None:
        tools = Bearer(where.tools_password, basic=USER)
        own = Bearer(where.token)
        self._by_port: dict[int | None, httpx.Auth] = {
            where.ports["prometheus"]: tools,
            where.ports["alertmanager"]: tools,
            where.ports["proxy"]: own,
            where.ports["store"]: own,
        }
        self._shop = f"Bearer {where.shop_token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        found = self._by_port.get(request.url.port)
        if found is not None:
            yield from found.auth_flow(request)
            return
        request.headers["authorization"] = self._shop
        yield request


def _regions(region: str | None) -> list[str]:
    return list(REGIONS) if region is None else [region]


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


async def _together(*tasks: Awaitable[None]) -> None:
    """Run all of these at once; the first error ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(_as_coroutine(task))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _as_coroutine(task: Awaitable[None]) -> None:
    await task
