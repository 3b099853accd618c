"""Chaos Toolkit as a fault driver."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.drivers.chaostoolkit import marks, process
from gameday.drivers.chaostoolkit.process import Event
from gameday.drivers.chaostoolkit.toxics import ToxicServer
from gameday.errors import DriverError, PermanentDriverError, SteadyStateNotMet
from gameday.http.credentials import credentials_of, learn
from gameday.model.access import Reached
from gameday.ports import Injection, PlannedFault, Undo
from gameday.process import ProcessId
from gameday.settings import Settings, handed_down

UNDO_KIND = "experiment"

MARK = "gd-"
"""What the name of everything a run adds to a target begins with."""

PATIENCE = timedelta(seconds=30)
"""Beyond the time a fault may take: its process starts, and gives up in good order."""


class ChaosToolkit:
    """Puts faults in and takes them out by playing Chaos Toolkit experiments.

    Fulfils `gameday.ports.FaultDriver`. Undos hold the whole experiment, so that one prepared by
    another process, or whose file is gone since, can be recovered.
    """

    def __init__(
        self,
        *,
        toxiproxy_url: str | None = None,
        toxiproxy: Reached | None = None,
        control_url: str | None = None,
        context: str | None = None,
        kubeconfig: str | None = None,
        process_at: Callable[[str], ProcessId | None] = lambda _: None,
        inject_within: timedelta = timedelta(seconds=60),
        recover_within: timedelta = timedelta(seconds=30),
        settings: Settings | None = None,
        astray: str = "gameday recover --strays",
    ) -> None:
        """Remember the target.

        Args:
            toxiproxy_url: handed to experiments that declare a parameter of this name and are
                given none; by default the environment's ``TOXIPROXY_URL``.
            toxiproxy: in its place, one that a system's document says how to ask.
            control_url: likewise; the sandbox's control API, by default that of the settings.
            context: likewise, of a kubeconfig. With one, `strays` looks through its cluster too.
            kubeconfig: likewise; by default the environment's ``KUBECONFIG``.
            process_at: which process of ours serves at a Toxiproxy's URL; None: a stranger's.
            inject_within: how long an experiment may take to put its fault in place; longer where
                its parameter ``within_s`` says so.
            recover_within: how long its rollbacks or one of its probes may take.
            settings: handed to every process that plays an experiment; by default those in force.
            astray: command that takes out what `strays` finds.
        """
        self._astray = astray
        settings = settings or Settings.from_environment()
        if toxiproxy is not None:
            toxiproxy_url = toxiproxy.url
            learn({toxiproxy.url: credentials_of(toxiproxy)})
        self._reached = toxiproxy
        self._environment = handed_down(settings)
        self._addresses = {
            "toxiproxy_url": toxiproxy_url or os.environ.get("TOXIPROXY_URL"),
            "control_url": control_url or settings.tools.control_url or None,
            "context": context or settings.kube.context or None,
            "kubeconfig": _absolute(kubeconfig or os.environ.get("KUBECONFIG")),
        }
        self._process_at = process_at
        self._inject_within = inject_within
        self._recover_within = recover_within
        self._recovered: set[str] = set()

    def prepare(
        self,
        fault: str,
        *,
        path: str,
        configuration: Mapping[str, Any],
        at: timedelta,
        duration: timedelta,
        run: str,
        number: int,
    ) -> PlannedFault:
        """Return the fault with its names chosen and its undo as data; changes nothing.

        Raises:
            UsageError: the file holds no experiment that Chaos Toolkit plays.
        """
        document = experiments.read(path)
        undo = f"{MARK}{run}-{number}"
        values = experiments.parameters(
            document, configuration, undo=undo, duration=duration, addresses=self._addresses
        )
        url = values.get("toxiproxy_url")
        has_short_way = experiments.is_toxics_only(document) and isinstance(url, str)
        return PlannedFault(
            experiment=fault,
            path=path,
            configuration=values,
            at=at,
            duration=duration,
            takes=_takes(values),
            undo=Undo(
                id=undo,
                kind=UNDO_KIND,
                run=run,
                description=_describe(fault, values),
                command=f"gameday recover {run}",
                data={
                    "path": str(Path(path).absolute()),
                    **experiments.carried(document),
                    "configuration": values,
                    # Only where removing toxics takes back all that the experiment does.
                    "toxiproxy_url": url if has_short_way and url else None,
                    **self._told_how(url),
                },
            ),
        )

    def _told_how(self, url: object) -> Mapping[str, Any]:
        """Return how an undo tells another process to ask its Toxiproxy: no secret of it."""
        if self._reached is None or url != self._reached.url:
            return {}
        if self._reached.service is not None:
            return {}  # its address is a door of this process; whoever placed it says which Service
        asked = self._reached.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {"reached": asked, "folder": str(Path.cwd())}

    async def pinned(self, undo: Undo) -> Undo:
        """Return the undo with what tells the Toxiproxy it is for from any other.

        Raises:
            DriverError: that one does not answer, or not as one.
        """
        url = undo.data["configuration"].get("toxiproxy_url")
        if not isinstance(url, str) or not url:
            return undo
        pin = await ToxicServer(url, process=self._process_at(url)).pin()
        return replace(undo, data={**undo.data, "server": pin})

    async def inject(self, fault: PlannedFault) -> Injection:
        """Put the fault in place and return when it was.

        Cancelling ends the experiment; what it had done by then is for `recover`.

        Raises:
            SteadyStateNotMet: its own steady state does not hold; nothing of it was played.
            PermanentDriverError: the experiment is not valid.
            DriverError: an action failed, nothing was done, or it took too long.
        """
        events = await process.play(
            "inject",
            experiments.uncarried(fault.undo.data),
            fault.configuration,
            within=max(self._inject_within, fault.takes),
            environment=self._environment,
        )
        _check_played(events, fault.experiment)
        hypothesis = next((e for e in events if e["event"] == "hypothesis"), None)
        if hypothesis is not None and not hypothesis["met"]:
            reason = hypothesis["error"] or f"it says {hypothesis['output']}"
            raise SteadyStateNotMet(
                f"steady state not met before {fault.experiment!r}:"
                f" probe {hypothesis['probe']!r}: {reason}"
            )
        actions = [e for e in events if e["event"] == "activity" and e["type"] == "action"]
        _check_activities(actions, fault.experiment)
        if not actions:
            raise DriverError(f"the experiment {fault.experiment!r} did nothing: no action ran")
        if events[-1]["status"] != "completed":
            raise DriverError(f"the experiment {fault.experiment!r} was {events[-1]['status']}")
        url = fault.undo.data["toxiproxy_url"]
        if url and not await ToxicServer(url).proxies_with(fault.undo.id):
            raise DriverError(
                f"the experiment {fault.experiment!r} ended well, and no proxy at {url} has a"
                f" toxic {fault.undo.id!r}"
            )
        from_start = experiments.works_from_start(fault.undo.data["experiment"])
        instant = actions[0]["start"] if from_start else actions[-1]["end"]
        return Injection(
            injected_at=datetime.fromisoformat(instant).astimezone(UTC),
            detail={"actions": [e["name"] for e in actions], **_left(events)},
        )

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything this undo would take back is still there.

        Read from the target: a toxic of the undo's name on any proxy; else the experiment's own
        probe in gameday's extension block; else its hypothesis, which is not met while the fault
        lasts. An experiment with none of them counts as present until its rollbacks succeeded.
        """
        server = _server(undo)
        if server is not None and undo.data.get("toxiproxy_url"):
            return bool(await server.proxies_with(undo.id))
        if server is not None and server.has_ended:
            return False
        is_present = await self._reads(undo)
        if not is_present and server is not None:
            await server.check()
        return is_present

    async def _reads(self, undo: Undo) -> bool:
        document = experiments.uncarried(undo.data)
        probe = experiments.present_probe(document)
        if probe is None and not experiments.has_hypothesis(document):
            return undo.id not in self._recovered
        events = await process.play(
            "check",
            document,
            undo.data["configuration"],
            within=self._recover_within,
            environment=self._environment,
        )
        _check_played(events, undo.description)
        seen = next((e for e in events if e["event"] == "hypothesis"), None)
        if seen is None or seen["error"]:
            reason = seen["error"] if seen else "its probe did not run"
            raise DriverError(f"whether {undo.description!r} is in place is unknown: {reason}")
        return bool(seen["met"]) is (probe is not None)

    async def steady(self, path: str) -> bool:
        """Return whether the steady-state hypothesis of an experiment holds now.

        Raises:
            UsageError: the file holds no experiment that Chaos Toolkit plays.
            DriverError: it has no hypothesis, or a probe of it failed.
        """
        document = experiments.read(path)
        if not experiments.has_hypothesis(document):
            raise PermanentDriverError(f"{path} has no steady-state hypothesis")
        values = experiments.parameters(
            document, {}, undo="", duration=timedelta(0), addresses=self._addresses
        )
        watched = {k: v for k, v in document.items() if k != "extensions"}
        events = await process.play(
            "check",
            watched,
            values,
            within=self._recover_within,
            environment=self._environment,
        )
        _check_played(events, path)
        seen = next((e for e in events if e["event"] == "hypothesis"), None)
        if seen is None or seen["error"]:
            reason = seen["error"] if seen else "its probe did not run"
            raise DriverError(f"whether the steady state of {path} holds is unknown: {reason}")
        return bool(seen["met"])

    async def strays(self) -> Sequence[Undo]:
        """Return what takes back all that bears a run's mark now, on the proxy and in the target.

        Raises:
            DriverError: one of them cannot be read.
        """
        found: list[Undo] = []
        url = self._addresses["toxiproxy_url"]
        if url:
            for name, proxies in (await ToxicServer(url).marked(MARK)).items():
                found.append(
                    _stray(
                        name,
                        f"toxic {name} on {', '.join(proxies)}",
                        experiment={"method": []},
                        toxiproxy_url=url,
                        command=self._astray,
                    )
                )
        if self._addresses["context"]:
            place = {k: self._addresses[k] for k in ("context", "kubeconfig")}
            found += await self._marked(marks.CLUSTER, place, f"in {place['context']}")
        if self._addresses["control_url"]:
            place = {"control_url": self._addresses["control_url"]}
            found += await self._marked(marks.SANDBOX, place, "on the sandbox")
        return found

    async def _marked(self, search: marks.Search, place: marks.Place, where: str) -> Sequence[Undo]:
        looked = await marks.marked(
            search,
            MARK,
            place,
            within=self._recover_within,
            environment=self._environment,
        )
        return [
            _stray(
                name,
                f"{', '.join(things)} {where}",
                experiment=marks.taking_out(search, name, place),
                command=self._astray,
            )
            for name, things in looked.items()
        ]

    async def recover(self, undo: Undo) -> None:
        """Take the fault back; idempotent.

        Raises:
            DriverError: a rollback failed, or the target does not answer.
        """
        server = _server(undo)
        if server is not None and undo.data.get("toxiproxy_url"):
            await server.remove(undo.id)
        elif server is not None and server.has_ended:
            pass
        elif undo.data["experiment"].get("rollbacks"):
            events = await process.play(
                "recover",
                experiments.uncarried(undo.data),
                undo.data["configuration"],
                within=self._recover_within,
                environment=self._environment,
            )
            _check_played(events, undo.description)
            _check_activities([e for e in events if e["event"] == "activity"], undo.description)
        self._recovered.add(undo.id)


def _server(undo: Undo) -> ToxicServer | None:
    """Return the Toxiproxy that an undo is for; None where it is for none."""
    asked = undo.data.get("reached")
    if asked is not None:
        reached = Reached.model_validate(asked)
        learn({reached.url: credentials_of(reached, Path(undo.data["folder"]))})
    url = undo.data.get("toxiproxy_url") or undo.data["configuration"].get("toxiproxy_url")
    return ToxicServer.of(url, undo.data.get("server")) if isinstance(url, str) and url else None


def _absolute(paths: str | None) -> str | None:
    """Return paths as another process, in another folder, will find them."""
    if not paths:
        return None
    return os.pathsep.join(str(Path(p).absolute()) for p in paths.split(os.pathsep) if p)


def _takes(values: Mapping[str, Any]) -> timedelta:
    """Return how long a fault may take to be in place, by its own word; else nothing."""
    try:
        asked = timedelta(seconds=float(values.get("within_s") or 0))
    except (ValueError, TypeError, OverflowError):
        asked = timedelta(0)  # its action will say what is wrong with it
    return asked + PATIENCE if asked else asked


def _stray(
    name: str,
    description: str,
    *,
    experiment: Mapping[str, Any],
    command: str,
    toxiproxy_url: str | None = None,
) -> Undo:
    return Undo(
        id=name,
        kind=UNDO_KIND,
        run=name.removeprefix(MARK).rpartition("-")[0],
        description=description,
        command=command,
        data={"experiment": experiment, "configuration": {}, "toxiproxy_url": toxiproxy_url},
    )


def _left(events: Sequence[Event]) -> Mapping[str, Any]:
    """Return what the fault's actions started and left running, for the record; often nothing.

    It is part of the fault: like any other part of it, only the rollbacks take it back.
    """
    left = [name for e in events if e["event"] == "left" for name in e["processes"]]
    return {"left_running": left} if left else {}


def _check_played(events: Sequence[Event], what: str) -> None:
    if events[-1]["event"] == "refused":
        raise PermanentDriverError(
            f"Chaos Toolkit refuses the experiment of {what!r}: {events[-1]['error']}"
        )


def _check_activities(activities: Sequence[Event], what: str) -> None:
    # The journal says "completed" all the same: chaoslib leaves failed actions to the reader.
    for activity in activities:
        if activity["status"] != "succeeded":
            raise DriverError(
                f"{activity['type']} {activity['name']!r} of {what!r} failed: {activity['error']}"
            )


def _describe(fault: str, values: Mapping[str, Any]) -> str:
    hop = " → ".join(str(values[k]) for k in ("service", "downstream") if values.get(k))
    regions = values.get("regions")
    where = ", ".join(regions) if isinstance(regions, list) else regions
    return fault + (f": {hop}" if hop else "") + (f" in {where}" if hop and where else "")
