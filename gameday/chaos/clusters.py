"""What every action on a cluster begins with: the cluster within its fences, and the blast radius.

Arguments that all of them take: ``context`` (else that of the settings, else the kubeconfig's
current one where the settings allow it), ``kubeconfig`` (else ``KUBECONFIG``), ``mark`` (what the
recovery goes by; on every object that is changed) and ``at_most`` (how many of the living pods of
the namespaces may be touched: ``3``, or ``50%``, rounded down).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.parameters import limit
from gameday.drivers.kubernetes import Cluster, connect, marks, pods
from gameday.drivers.kubernetes.cluster import Object
from gameday.errors import GamedayError

MARK = "gameday"
"""The mark of an experiment that is played without gameday."""


@dataclass(frozen=True, slots=True)
class Touched:
    """The blast radius of a fault, counted.

    Attributes:
        pods: full names of those it would touch now.
        of: how many living pods the namespaces hold.
        nodes: names of those it would cordon or load.
    """

    pods: tuple[str, ...]
    of: int
    namespaces: tuple[str, ...]
    nodes: tuple[str, ...] = ()

    def check(self, at_most: str | float) -> None:
        """Return where this is no more than allowed.

        Raises:
            ActivityFailed: it is more, or the limit is none.
        """
        allowed = limit(at_most, self.of)
        if len(self.pods) > allowed:
            raise ActivityFailed(
                f"{len(self.pods)} of {self.of} pods in {', '.join(self.namespaces)} would be"
                f" touched, and the blast radius allows {allowed} ({at_most}); nothing was changed"
            )


@contextmanager
def opened(
    context: str | None, kubeconfig: str | None, *, is_fenced: bool = True
) -> Iterator[Cluster]:
    """Yield the cluster; what it refuses fails the activity, in its own words."""
    try:
        with connect(context, kubeconfig=kubeconfig, is_fenced=is_fenced) as cluster:
            yield cluster
    except GamedayError as problem:
        raise ActivityFailed(str(problem)) from problem


@contextmanager
def opened_for_fault(
    context: str | None, kubeconfig: str | None, mark: str, *namespaces: str
) -> Iterator[Cluster]:
    """Yield the cluster to put a fault into; the fences stand before anything is asked."""
    with opened(context, kubeconfig) as cluster:
        marks.checked(mark)
        cluster.fences.check_namespaces(namespaces)
        yield cluster


def touched(
    cluster: Cluster, namespace: str, chosen: Sequence[Object], *, nodes: Sequence[str] = ()
) -> Touched:
    """Return the blast radius of a fault that touches these pods of a namespace."""
    living = [p for p in cluster.list("pods", namespace) if pods.is_alive(p)]
    return Touched(
        pods=tuple(pods.full_name(p) for p in chosen),
        of=len(living),
        namespaces=(namespace,),
        nodes=tuple(nodes),
    )
