"""The embedded sandbox as a target: everything through its supervisor's control API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.model.signals import Deploy
from gameday.ports import MITIGATIONS, Undo
from gameday.process import ProcessId

_TOKENS = "gd_"
"""What every token of gameday begins with."""

__all__ = ["SandboxAddress", "SandboxChange", "SandboxMitigations", "SandboxTarget"]


class SandboxAddress(Protocol):
    """What the driver has to know of a sandbox; `gameday.sandbox.state.SandboxState` has it."""

    @property
    def control_url(self) -> str:
        """Base of the control API."""

    @property
    def time_scale(self) -> float:
        """How many times faster than production its alert windows run."""

    @property
    def process(self) -> ProcessId | None:
        """The process that everything of it ends with; None: not known."""


@dataclass(frozen=True, slots=True)
class SandboxChange:
    """A commit the sandbox made in its shop's repository; not deployed by itself.

    Attributes:
        revision: full hash; ``previous`` is its parent.
        function: the definition that does the work the change adds.
        file: path in the repository.
    """

    revision: str
    function: str
    file: str
    previous: str
    author: str
    summary: str


class SandboxTarget:
    """The sandbox, as `gameday.ports.Target` and with what only a sandbox can do."""

    name = "sandbox"

    def __init__(self, state: SandboxAddress, *, timeout_seconds: float = 40.0) -> None:
        self.time_scale = state.time_scale
        self._url = state.control_url
        self._process = state.process
        self._timeout = timeout_seconds

    # --- ports.Target -----------------------------------------------------------------------

    async def check(self) -> None:
        """Return when every component answers.

        Raises:
            TemporaryDriverError: names those that do not.
        """
        said = await self._call("GET", "/status")
        ill = [
            f"{component['name']} ({component['state']})"
            for component in said["components"]
            if component["state"] != "healthy"
        ]
        if ill:
            raise TemporaryDriverError(
                f"not healthy in the sandbox: {', '.join(ill)}; `gameday sandbox status` shows more"
            )
        if not said["ready"]:
            raise TemporaryDriverError("the sandbox is still starting; try again in a few seconds")

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what a responder asked for; return what was done.

        Args:
            name: ``failover-db``, ``drain-region`` or ``rollback-deploy``.
            parameters: ``region`` for all three, ``service`` for the last.

        Raises:
            PermanentDriverError: there is no such mitigation, or it is refused.
        """
        said = await self._call("POST", f"/mitigations/{name}", dict(parameters))
        return str(said["detail"])

    async def route_pages(self, url: str) -> None:
        """Have Alertmanager send the pages to this webhook, from now on.

        A token at the end of its path is handed over apart: whoever sees Alertmanager's settings
        or its status page would read it there.
        """
        hook, _, last = url.rpartition("/")
        body = {"url": hook, "token": last} if last.startswith(_TOKENS) else {"url": url}
        await self._call("PUT", "/pages", body)

    def undo_of_mitigation(self, run: str, name: str, parameters: Mapping[str, str]) -> Undo:
        """Return what takes back every mitigation of a run; needs nothing but the control API."""
        return Undo(
            id=f"gd-{run}-mitigations",
            kind=MITIGATIONS,
            run=run,
            description="mitigations on the sandbox",
            command="gameday sandbox reset",
            data={
                "control_url": self._url,
                "time_scale": self.time_scale,
                "process": self._process.to_json() if self._process else None,
            },
        )

    # --- only a sandbox can do this -----------------------------------------------------------

    async def restore(self) -> None:
        """Take back mitigations, deploys and stops; faults are for whoever injected them."""
        await self._call("POST", "/restore")

    async def status(self, *, is_settled: bool = False) -> dict[str, Any]:
        """Return ready, components, database, drained, baseline and deploys.

        Args:
            is_settled: once what is under way is done, such as what a dead run has asked for.
        """
        return await self._call("GET", "/status?settled=yes" if is_settled else "/status")

    async def stop_component(self, name: str) -> None:
        """End a component (``prometheus``, ``checkout-eu-west`` …) and leave it ended.

        One that merely dies is started again; this one stays away until `start_component` or
        `restore`.
        """
        await self._call("POST", f"/components/{name}/stop")

    async def start_component(self, name: str) -> None:
        """Start a component that was stopped; nothing happens where it runs."""
        await self._call("POST", f"/components/{name}/start")

    async def change(self, service: str, seed: int, kind: str) -> SandboxChange:
        """Have one of the shop's authors commit a change drawn by the seed.

        Args:
            kind: ``compute``, ``wait`` or ``harmless``.
        """
        said = await self._call(
            "POST", "/changes", {"service": service, "seed": seed, "kind": kind}
        )
        return SandboxChange(**said)

    async def deploy(self, service: str, revision: str, region: str | None = None) -> Deploy:
        """Put a revision of a service live, in one region or all; return when it serves."""
        said = await self._call(
            "POST", "/deploys", {"service": service, "revision": revision, "region": region}
        )
        return _deploy(said)

    async def deploys(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[Deploy]:
        """Return what went live in this span (default: ever), oldest first."""
        said = await self._call("GET", "/deploys")
        found = [_deploy(entry) for entry in said["deploys"]]
        return [
            deploy
            for deploy in sorted(found, key=lambda deploy: deploy.deployed_at)
            if (since is None or deploy.deployed_at >= since)
            and (until is None or deploy.deployed_at <= until)
        ]

    async def put_rules(self, name: str, text: str) -> None:
        """Put a Prometheus rule file in force.

        Raises:
            PermanentDriverError: Prometheus refuses it; what was in force before stays.
        """
        await self._call("PUT", f"/rules/{name}", content=text)

    async def delete_rules(self, name: str) -> None:
        """Take a rule file out of force; nothing happens where there is none."""
        await self._call("DELETE", f"/rules/{name}", absent_is_fine=True)

    async def rules(self) -> Sequence[str]:
        """Return the names of the rule files in force."""
        said = await self._call("GET", "/rules")
        return [str(name) for name in said["rules"]]

    async def reset_history(self) -> None:
        """Empty Prometheus, Alertmanager and the store, as after a cold start; the shop stays."""
        await self._call("POST", "/history/reset")

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content: str | None = None,
        absent_is_fine: bool = False,
    ) -> dict[str, Any]:
        import httpx

        from gameday.http.keys import auth_for
        from gameday.http.proof import NotProven

        try:
            async with httpx.AsyncClient(
                timeout=self._timeout, trust_env=False, auth=auth_for(self._url)
            ) as http:
                answer = await http.request(method, self._url + path, json=body, content=content)
            said = answer.json()
        except NotProven as error:
            raise TemporaryDriverError(f"the sandbox: {error}") from error
        except httpx.HTTPError as error:
            raise TemporaryDriverError(
                f"the sandbox's control API at {self._url} does not answer ({error!r});"
                " `gameday sandbox up` starts it"
            ) from error
        except ValueError as error:
            raise PermanentDriverError(
                f"{self._url}{path} answered {answer.status_code} without JSON:"
                " is that a sandbox's control API?"
            ) from error
        if answer.is_success and isinstance(said, dict):
            return said
        if answer.status_code == 404 and absent_is_fine:
            return {}
        reason = said.get("error") if isinstance(said, dict) else said
        if answer.status_code == 503:
            raise TemporaryDriverError(f"the sandbox cannot do that now: {reason}")
        raise PermanentDriverError(f"the sandbox refused: {reason}")


class SandboxMitigations:
    """Takes a run's mitigations back, from the undo alone; fulfils `gameday.ports.Undoer`."""

    async def is_present(self, undo: Undo) -> bool:
        """Return whether a region is drained, a standby in use, or another version live."""
        try:
            said = await self._target(undo).status(is_settled=True)
        except TemporaryDriverError:
            if _has_ended(undo):
                return False
            raise
        astray = any(revision != said["baseline"] for revision in said["live"].values())
        standby = any(role != "primary" for role in said["database"].values())
        return bool(said["drained"]) or standby or astray

    async def recover(self, undo: Undo) -> None:
        """Have the sandbox as it was at the start; without effect where it is."""
        try:
            await self._target(undo).restore()
        except TemporaryDriverError:
            if not _has_ended(undo):
                raise

    @staticmethod
    def _target(undo: Undo) -> SandboxTarget:
        return SandboxTarget(_Address(undo.data["control_url"], undo.data["time_scale"]))


@dataclass(frozen=True, slots=True)
class _Address:
    control_url: str
    time_scale: float
    process: ProcessId | None = None


def _has_ended(undo: Undo) -> bool:
    """Return whether the sandbox certainly is no more: one that is down left nothing behind.

    Its process tells; that nobody answers at its address does not.
    """
    process = undo.data.get("process")
    return process is not None and ProcessId.from_json(process).is_gone


def _deploy(said: Mapping[str, Any]) -> Deploy:
    return Deploy(
        service=str(said["service"]),
        revision=str(said["revision"]),
        deployed_at=datetime.fromisoformat(str(said["deployed_at"])),
        region=said.get("region"),
        summary=str(said.get("summary", "")),
    )
