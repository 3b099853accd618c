"""Answers of an API server that say no, and what became of a request, as errors of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
"""A server that asks for a longer pause is asked again sooner; a drill does not wait for hours."""


class Forbidden(PermanentDriverError):
    """403: the identity lacks a verb on a resource; the message says which."""


class Unauthorized(PermanentDriverError):
    """401: the credentials are not, or no longer, accepted."""


class NotFound(PermanentDriverError):
    """404: there is no such object."""


class Conflict(PermanentDriverError):
    """409: the object has changed since it was read, or a precondition does not hold."""


class AlreadyThere(Conflict):
    """409: an object of this name exists."""


class Expired(TemporaryDriverError):
    """410: the server remembers no changes that old; list afresh."""


class Busy(TemporaryDriverError):
    """429 of a server that is busy; not of a disruption budget."""


class Unreachable(TemporaryDriverError):
    """The server did not answer at all."""


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """What was asked, in the words of RBAC.

    Attributes:
        verb: get, list, watch, create, patch or delete.
        resource: plural, with its subresource (``pods/eviction``); a path where it is none.
        namespace: empty where the resource has none, or all are meant.
        name: of the object; empty for lists.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        where = f" in namespace {self.namespace!r}" if self.namespace else ""
        return f"{self.verb} {self.resource}{name}{where}"


def reason(body: bytes) -> Mapping[str, Any]:
    """Return the Status object in an answer's body; empty where it is none."""
    try:
        said = json.loads(body)
    except ValueError:
        return {"message": body.decode(errors="replace").strip()[:200]}
    return said if isinstance(said, dict) else {}


def pause_asked(headers: Mapping[str, str], status: Mapping[str, Any]) -> timedelta:
    """Return how long the server wants to be left alone; one second where it does not say."""
    details = status.get("details") or {}
    asked = headers.get("retry-after") or details.get("retryAfterSeconds") or ""
    seconds = float(asked) if re.fullmatch(r"\d{1,9}(\.\d+)?", str(asked)) else 0.0
    return max(SHORTEST_PAUSE, min(LONGEST_PAUSE, timedelta(seconds=seconds)))


def refusal(
    code: int, headers: Mapping[str, str], body: bytes, *, request: ClusterRequest, cluster: str
) -> DriverError:
    """Return the error that an answer stands for: what was asked, where, what to do next."""
    status = reason(body)
    said = str(status.get("message") or "").strip() or "no reason given"
    where = f"the cluster {cluster!r}"
    match code:
        case 401:
            return Unauthorized(
                f"{where} does not accept these credentials ({said}): log in again, or check the"
                " user of this context in the kubeconfig"
            )
        case 403:
            return Forbidden(_lacks(request, said, where))
        case 404:
            return NotFound(f"{where} has no such thing: {request} ({said})")
        case 409 if status.get("reason") == "AlreadyExists":
            return AlreadyThere(f"{where}: {request}: it exists already ({said})")
        case 409:
            return Conflict(f"{where}: {request}: it has changed meanwhile ({said})")
        case 410:
            return Expired(f"{where}: {request}: too old, list afresh ({said})")
        case 429:
            return Busy(
                f"{where} is busy and asks for patience: {request} ({said})",
                retry_after=pause_asked(headers, status),
            )
        case 408 | 500 | 502 | 503 | 504:
            return TemporaryDriverError(
                f"{where} answers {code} to {request}: {said}",
                retry_after=pause_asked(headers, status),
            )
        case _:
            return PermanentDriverError(f"{where} answers {code} to {request}: {said}")


def is_ending(status: Mapping[str, Any]) -> bool:
    """Return whether something is forbidden because its namespace is being deleted."""
    causes = (status.get("details") or {}).get("causes") or ()
    return any(c.get("reason") == "NamespaceTerminating" for c in causes) or (
        "because it is being terminated" in str(status.get("message"))
    )


def _lacks(request: ClusterRequest, said: str, where: str) -> str:
    if " cannot " not in said:
        return f"{where} forbids it: {request}: {said}"  # an admission rule, not a missing right
    who = re.search(r'User "([^"]+)"', said)
    subject = f"{who.group(1)!r}" if who else "this identity"
    scope = f"in namespace {request.namespace!r}" if request.namespace else "in the whole cluster"
    return (
        f"{where} forbids it: {subject} lacks the verb {request.verb!r} on {request.resource!r}"
        f" {scope}: grant it as deploy/rbac does ({said})"
    )
