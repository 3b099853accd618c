"""Which cluster it is that answers: told by what no other one has, not by its address.

A context of a kubeconfig may come to lead to another cluster: one that was made anew under the same
name, a tunnel to another, a file that somebody changed. What is not there proves nothing then.

The uid of the namespace ``kube-system`` is what the community takes for a cluster's identity: it is
made with the cluster, cannot be changed, and nobody deletes that namespace. Where it may not be
read, what is left is the authority that vouches for the API server's certificate; several clusters
may have one.

Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/k8s/ (``k8s.cluster.uid``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster
from gameday.drivers.kubernetes.refusals import Forbidden
from gameday.errors import TemporaryDriverError

__all__ = ["AnotherCluster", "ClusterIdentity", "check_identity", "identity_of"]

SYSTEM = "kube-system"


class AnotherCluster(TemporaryDriverError):
    """Not the cluster that is meant answers at its address, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """What tells a cluster from any other.

    Attributes:
        uid: of its namespace kube-system; empty where that is not known.
        authority: fingerprint of the certificates that its server's is checked against; empty where
            it is checked against none of its own.
        unread: why the uid is not known; empty where it is.
    """

    uid: str = ""
    authority: str = ""
    unread: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it as an undo keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> ClusterIdentity:
        """Return the identity that an undo keeps."""
        return cls(str(said["uid"]), str(said["authority"]), str(said["unread"]))

    def __str__(self) -> str:
        if self.uid:
            return f"the cluster whose {SYSTEM} has the uid {self.uid}"
        if self.authority:
            return f"a cluster of the authority {self.authority[:16]}"
        return "a cluster that nothing tells from others"

    def doubt(self, where: str) -> str:
        """Return why another cluster there might be taken for this one; empty where it cannot.

        Args:
            where: it answers, for people.
        """
        if self.uid:
            return ""
        told = (
            "told from others by the authority of its certificate alone, and another cluster of the"
            " same authority would be taken for it"
            if self.authority
            else "not verified: another cluster at its address would be taken for it"
        )
        return (
            f"which cluster answers at {where} is {told}; grant `get` on the namespace {SYSTEM} as"
            f" deploy/rbac/cluster.yaml does ({self.unread})"
        )


def identity_of(cluster: Cluster) -> ClusterIdentity:
    """Return which cluster answers now.

    Raises:
        DriverError: none does, or it does not accept the credentials.
    """
    try:
        found = cluster.get("namespaces", SYSTEM)
    except Forbidden as refusal:
        return ClusterIdentity(authority=cluster.authority, unread=str(refusal))
    uid = str(found["metadata"].get("uid") or "") if found else ""
    unread = "" if uid else f"it has no namespace {SYSTEM}"
    return ClusterIdentity(uid=uid, authority=cluster.authority, unread=unread)


def check_identity(cluster: Cluster, noted: Mapping[str, Any] | None) -> None:
    """Return where the very cluster answers that was noted.

    Args:
        noted: a `ClusterIdentity` as JSON, of when something was put into the cluster; None: by a
            gameday that noted none, and any cluster is believed.

    Raises:
        AnotherCluster: it is another one; or nobody can tell now, and could then.
        DriverError: none answers.
    """
    if noted is None:
        return
    meant, found = ClusterIdentity.from_json(noted), identity_of(cluster)
    where = f"{cluster.server} (the context {cluster.context!r})"
    if meant.uid and not found.uid:
        raise AnotherCluster(
            f"whether {meant} still answers at {where} is not known, nor what became of what was"
            f" put into it: {found.unread}"
        )
    is_same = meant.uid == found.uid if meant.uid else meant.authority in ("", found.authority)
    if not is_same:
        raise AnotherCluster(
            f"another cluster answers at {where} than the one that is meant: {found} is there, and"
            f" meant is {meant}; what became of what was put into that one is not known, and"
            " nothing is taken back here. Let the context lead to it again; if it is gone for good,"
            " `gameday recover RUN --gone WHY` closes what it held"
        )
