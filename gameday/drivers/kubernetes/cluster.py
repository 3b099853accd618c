"""One cluster's API: every call has a timeout, and is repeated where repeating may help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from threading import Event
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from gameday.drivers.kubernetes.changes import Listing, WatchEvent, WatchEventType
from gameday.drivers.kubernetes.fences import Fences
from gameday.drivers.kubernetes.refusals import (
    Busy,
    ClusterRequest,
    Conflict,
    Expired,
    NotFound,
    Unreachable,
    refusal,
)
from gameday.drivers.kubernetes.resources import Discovery, Resource
from gameday.drivers.kubernetes.transport import JSON, Answer, NoAnswer, Transport
from gameday.errors import DriverError, TemporaryDriverError

Object = dict[str, Any]
"""An object of the API, as its JSON says."""

MERGE = "application/merge-patch+json"
PATIENCE = timedelta(seconds=10)
"""How long an answer is waited for, and how long a request is repeated, where nobody says."""

FIRST_PAUSE = timedelta(milliseconds=250)
PAGE = 500
"""Objects asked for at once when listing, so that no answer grows without bound."""

WATCH_SLICE = timedelta(seconds=10)
"""How long the server lets one watch last; how long a watch that nobody needs lives on."""


class Cluster:
    """A cluster, named as kubectl names its context.

    Raises from every call: `TemporaryDriverError` where the server did not answer or asked for
    patience, after `patience` was used up; `PermanentDriverError` where it said no.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        context: str,
        fences: Fences,
        timeout: timedelta = PATIENCE,
        patience: timedelta = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember how to reach it.

        Args:
            timeout: of one request.
            patience: how long a request that may be repeated is repeated.
        """
        self.context = context
        self.fences = fences
        self._transport = transport
        self._timeout = timeout
        self._patience = patience
        self._sleep = sleep
        self._monotonic = monotonic
        self._discovery = Discovery(self._read)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    @property
    def server(self) -> str:
        """Return the URL of the API server."""
        return self._transport.server

    @property
    def authority(self) -> str:
        """Return the fingerprint of who vouches for the server; empty where nobody of its own."""
        return self._transport.authority

    # --- what is offered ----------------------------------------------------------------------

    def version(self) -> str:
        """Return the server's version (``v1.31.2``)."""
        return str((self._read("/version") or {}).get("gitVersion", ""))

    def offers(self, resource: str) -> bool:
        """Return whether the server has a resource (``networkchaos.chaos-mesh.org``)."""
        return self._discovery.find(resource) is not None

    def resource(self, resource: str) -> Resource:
        """Return a resource as this server serves it.

        Raises:
            NotFound: it does not.
        """
        found = self._discovery.find(resource)
        if found is None:
            raise NotFound(
                f"the cluster {self.context!r} offers no {resource!r}; what it offers is listed by"
                " `kubectl api-resources`"
            )
        return found

    # --- reading ------------------------------------------------------------------------------

    def get(self, resource: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, None where there is none of this name."""
        found = self.resource(resource)
        request = ClusterRequest("get", found.plural, namespace, name)
        try:
            return self._json(request, "GET", found.path(namespace, name))
        except NotFound:
            return None

    def list(
        self, resource: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Sequence[Object]:
        """Return the objects of a namespace, or of all, that fit the selectors."""
        return self.listing(resource, namespace, labels=labels, fields=fields).items

    def listing(
        self, resource: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Listing:
        """Return the same, with the version to watch from."""
        found = self.resource(resource)
        request = ClusterRequest("list", found.plural, namespace)
        query = _query(labelSelector=labels, fieldSelector=fields, limit=PAGE)
        items: list[Object] = []
        going_on = ""
        while True:
            page = {**query, "continue": going_on} if going_on else query
            try:
                said = self._json(request, "GET", found.path(namespace), query=page)
            except Expired:
                # The list took longer than the server remembers it: begin again, in one piece.
                going_on, items, query = "", [], {k: v for k, v in query.items() if k != "limit"}
                continue
            items += said.get("items") or ()
            metadata = said.get("metadata") or {}
            going_on = metadata.get("continue") or ""
            if not going_on:
                return Listing(items, str(metadata.get("resourceVersion", "")))

    def watch(
        self,
        resource: str,
        namespace: str = "",
        *,
        stop: Event,
        labels: str = "",
        fields: str = "",
        since: Listing | None = None,
        accept: str = JSON,
        on_answer: Callable[[], None] = lambda: None,
    ) -> Iterator[WatchEvent]:
        """Yield what happens to the objects, until told to stop.

        The first change, and the first after every gap in which something may have been missed
        (410, connection lost), is a `WatchEventType.LISTED`.

        Args:
            stop: looked at between changes and at least every `WATCH_SLICE`.
            since: a listing with the same selectors that was made already.
            accept: `transport.METADATA` leaves out all but the metadata of what changes.
            on_answer: called whenever the server is heard: every `WATCH_SLICE` while it is well.
        """
        found = self.resource(resource)
        listing = since
        version = ""
        while not stop.is_set():
            if listing is None:
                listing = self.listing(resource, namespace, labels=labels, fields=fields)
            if not version:
                version = listing.version
                yield WatchEvent(WatchEventType.LISTED, listing.items)
            query = _query(
                watch="true",
                labelSelector=labels,
                fieldSelector=fields,
                resourceVersion=version,
                allowWatchBookmarks="true",
                timeoutSeconds=round(WATCH_SLICE.total_seconds()),
            )
            request = ClusterRequest("watch", found.plural, namespace)
            target = f"{found.path(namespace)}?{urlencode(query)}"
            try:
                for event, thing in self._events(request, target, stop, accept):
                    on_answer()
                    version = str(thing["metadata"].get("resourceVersion", version))
                    if event != "BOOKMARK":
                        yield WatchEvent(WatchEventType(event), [thing])
                on_answer()
            except TemporaryDriverError as problem:
                # What happened meanwhile is not known: list afresh.
                listing, version = None, ""
                if not isinstance(problem, Expired):
                    self._sleep(min(1.0, problem.retry_after.total_seconds()))

    # --- writing ------------------------------------------------------------------------------

    def create(self, resource: str, body: Object, namespace: str = "") -> Object:
        """Create an object; `AlreadyThere` where there is one of its name."""
        found = self.resource(resource)
        whole = {"apiVersion": found.api_version, "kind": found.kind, **body}
        request = ClusterRequest("create", found.plural, namespace, body["metadata"]["name"])
        return self._json(request, "POST", found.path(namespace), body=whole)

    def patch(
        self,
        resource: str,
        name: str,
        namespace: str,
        patch: Object,
        *,
        manager: str = "gameday",
    ) -> Object:
        """Merge a patch into an object and return what it is now.

        Args:
            manager: who is noted in the object's managed fields as owner of what changed.
        """
        found = self.resource(resource)
        request = ClusterRequest("patch", found.plural, namespace, name)
        return self._json(
            request,
            "PATCH",
            found.path(namespace, name),
            query={"fieldManager": manager},
            body=patch,
            content_type=MERGE,
        )

    def change(
        self,
        resource: str,
        name: str,
        namespace: str,
        make: Callable[[Object], Object | None],
        *,
        known: Object | None = None,
        manager: str = "gameday",
    ) -> Object | None:
        """Read an object, patch it only as it was read, and return it; read afresh on a conflict.

        Args:
            make: returns the merge patch, or None to leave the object alone.
            known: the object as it was read already; saves a request where it is still right.

        Returns:
            The object as it is now; None where there is none of this name.

        Raises:
            Conflict: somebody changed it again and again.
        """
        attempts = 6
        for attempt in range(attempts):
            current = known if known and not attempt else self.get(resource, name, namespace)
            if current is None:
                return None
            patch = make(current)
            if patch is None:
                return current
            version = current["metadata"]["resourceVersion"]
            bound = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}
            try:
                return self.patch(resource, name, namespace, bound, manager=manager)
            except NotFound:
                return None
            except Conflict:
                if attempt == attempts - 1:
                    raise
                self._sleep(0.05 * 2**attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
    ) -> bool:
        """Delete an object; False where it was gone, or one of another uid has its name."""
        found = self.resource(resource)
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        if propagation:
            options["propagationPolicy"] = propagation
        request = ClusterRequest("delete", found.plural, namespace, name)
        try:
            self._json(request, "DELETE", found.path(namespace, name), body=options)
        except NotFound:
            return False
        except Conflict:
            current = self.get(resource, name, namespace) if uid else None
            if not uid or (current is not None and current["metadata"].get("uid") == uid):
                raise
            return False
        return True

    # --- what others are made of --------------------------------------------------------------

    def eviction_version(self) -> str | None:
        """Return the apiVersion of evictions; None where the server offers none."""
        return self._discovery.eviction_version()

    # --- anything else ------------------------------------------------------------------------

    def exchange(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: timedelta | None = None,
    ) -> Answer:
        """Return one answer as it came, whatever it says: for what lies behind the API server.

        Raises:
            Unreachable: there was none.
        """
        patience = (timeout or self._timeout).total_seconds()
        try:
            return self._transport.ask(
                method, target, body=body, content_type=content_type, timeout_s=patience
            )
        except NoAnswer as silence:
            raise self._unreachable(silence) from silence

    # --- how ----------------------------------------------------------------------------------

    def _read(self, path: str) -> Mapping[str, Any] | None:
        try:
            return self._json(ClusterRequest("get", path), "GET", path)
        except NotFound:
            return None

    def _json(
        self,
        request: ClusterRequest,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        answer = self.send(request, method, path, query=query, body=body, content_type=content_type)
        if answer.status >= 300:
            raise self.refused(answer, request)
        return self._parsed(answer.body, request)

    def send(
        self,
        request: ClusterRequest,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        is_final: Callable[[Answer], bool] = lambda answer: False,
        timeout: timedelta | None = None,
    ) -> Answer:
        """Return an answer that is worth reading: yes, or a no that will stay one.

        Everything gameday sends may be repeated: patches and deletions say the same twice, and
        what is created has a name of ours.

        Args:
            is_final: whether an answer that would be asked for again is to be returned.
            timeout: of one request, where it is not the usual one.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        sent = None if body is None else json.dumps(body).encode()
        pause = FIRST_PAUSE
        ends = self._monotonic() + self._patience.total_seconds()
        while True:
            problem: TemporaryDriverError
            try:
                answer = self._transport.ask(
                    method,
                    target,
                    body=sent,
                    content_type=content_type,
                    timeout_s=(timeout or self._timeout).total_seconds(),
                )
            except NoAnswer as silence:
                problem = self._unreachable(silence)
                wait = pause
            else:
                if answer.status < 300 or is_final(answer):
                    return answer
                refused = self.refused(answer, request)
                if not isinstance(refused, TemporaryDriverError) or isinstance(refused, Expired):
                    return answer
                problem = refused
                wait = max(pause, problem.retry_after) if isinstance(problem, Busy) else pause
            if self._monotonic() + wait.total_seconds() > ends:
                raise problem
            self._sleep(wait.total_seconds())
            pause = min(pause * 2, timedelta(seconds=4))

    def _events(
        self, request: ClusterRequest, target: str, stop: Event, accept: str
    ) -> Iterator[tuple[str, Object]]:
        silence = self._timeout + WATCH_SLICE
        try:
            answer, pieces = self._transport.stream(
                target, timeout_s=silence.total_seconds(), accept=accept
            )
            if answer.status >= 300:
                raise self.refused(answer, request)
            rest = b""
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if stop.is_set():
                        return
                    said = self._parsed(line, request)
                    if said.get("type") == "ERROR":
                        status = said.get("object") or {}
                        told = json.dumps(status).encode()
                        raise self.refused(Answer(int(status.get("code", 500)), {}, told), request)
                    yield str(said["type"]), said["object"]
        except NoAnswer as problem:
            raise self._unreachable(problem) from problem

    def _parsed(self, body: bytes, request: ClusterRequest) -> Object:
        try:
            said = json.loads(body)
        except ValueError as problem:
            raise TemporaryDriverError(
                f"{self.server} answers {request} with something that is not JSON: is it a"
                " Kubernetes API server?"
            ) from problem
        return said if isinstance(said, dict) else {}

    def refused(self, answer: Answer, request: ClusterRequest) -> DriverError:
        """Return the error that an answer stands for."""
        return refusal(
            answer.status, answer.headers, answer.body, request=request, cluster=self.context
        )

    def _unreachable(self, silence: NoAnswer) -> Unreachable:
        return Unreachable(
            f"the API server of {self.context!r} at {self.server} does not answer ({silence}):"
            " check that the cluster is up and that this machine reaches it"
        )


def _query(**parts: Any) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value not in ("", None)}
