"""A first look at the cluster a system runs in: where its tools are, and what may be done there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gameday.drafts.choice import NONE, Question
from gameday.drafts.survey import ClusterSeen
from gameday.errors import UsageError
from gameday.house.targets.doors import Doors
from gameday.model.access import Reached
from gameday.names import did_you_mean

if TYPE_CHECKING:
    from gameday.drivers.kubernetes import Cluster
    from gameday.drivers.kubernetes.survey import ServiceKind

__all__ = ["ClusterLook", "ClusterWishes", "Inside"]


@dataclass(frozen=True, slots=True)
class ClusterWishes:
    """What whoever asks has said of a cluster already; empty: they leave it to what is seen.

    Attributes:
        context: of the kubeconfig, or ``in-cluster``.
        services: which Service is asked, ``NAMESPACE/NAME:PORT``, by flag; `NONE` leaves one out.
    """

    context: str = ""
    namespaces: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)

    def said(self, flag: str, answer: str) -> ClusterWishes:
        """Return the same with one more answer."""
        match flag:
            case "--context":
                return replace(self, context=answer)
            case "--namespace":
                return replace(self, namespaces=(answer,))
        return replace(self, services={**self.services, flag: answer})


@dataclass(frozen=True, slots=True)
class Inside:
    """What was found in a cluster.

    Attributes:
        prometheus, alertmanager: with an address on this machine, as long as the process lives;
            None: it is elsewhere, by a URL.
    """

    seen: ClusterSeen
    prometheus: Reached | None
    alertmanager: Reached | None


class ClusterLook:
    """One look at a cluster, in which everything is asked once. Blocks."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._answering: dict[tuple[str, ...], Mapping[ServiceKind, tuple[str, ...]]] = {}
        self._clusters: dict[str, Cluster] = {}

    def settle(
        self, wishes: ClusterWishes, *, elsewhere: Sequence[str] = ()
    ) -> Inside | tuple[Question, ...]:
        """Return what is found in a cluster, or every question that is left.

        Args:
            elsewhere: flags of what is not in the cluster, but at a URL.

        Raises:
            UsageError: what was wished for is not there.
            DriverError: the API server does not answer, or says no.
        """
        from gameday.drivers.kubernetes.access import IN_CLUSTER
        from gameday.drivers.kubernetes.survey import ClusterSurvey, ServiceKind

        context = wishes.context or _context()
        if isinstance(context, Question):
            return (context,)
        cluster = self._cluster(context)
        survey = ClusterSurvey(cluster)
        version = cluster.version()
        known = survey.namespaces()
        if not wishes.namespaces:
            return (Question("--namespace", "in which the system runs", known),)
        for namespace in wishes.namespaces:
            if known and namespace not in known:
                hint = did_you_mean(namespace, known, what="there are")
                raise UsageError(f"--namespace: there is no {namespace!r} in {context} ({hint})")
        key = (context, *wishes.namespaces)
        if key not in self._answering:
            self._answering[key] = survey.answering(wishes.namespaces)
        found = self._answering[key]
        questions: list[Question] = []
        chosen: dict[str, str] = {}
        for flag, what, kinds, is_needed in (
            ("--prometheus", "Prometheus", (ServiceKind.PROMETHEUS,), True),
            ("--alertmanager", "Alertmanager", (ServiceKind.ALERTMANAGER,), True),
            ("--traces", "store of traces", (ServiceKind.JAEGER, ServiceKind.TEMPO), False),
            ("--profiles", "store of profiles", (ServiceKind.PYROSCOPE,), False),
        ):
            if flag in elsewhere:
                continue
            one = _one(
                flag, what, {s: k for k in kinds for s in found[k]}, wishes, is_needed=is_needed
            )
            if isinstance(one, Question):
                questions.append(one)
            elif one is not None:
                chosen[one[0]] = one[1]
        if questions:
            return tuple(questions)
        seen = ClusterSeen(
            context="" if context == IN_CLUSTER else context,
            version=version,
            namespaces=wishes.namespaces,
            deployments=survey.deployments(wishes.namespaces),
            instruments={
                kind: service
                for kind, service in chosen.items()
                if kind not in (ServiceKind.PROMETHEUS, ServiceKind.ALERTMANAGER)
            },
            lacking=survey.lacking(wishes.namespaces),
            places=survey.places(),
        )
        doors = Doors(cluster)
        metrics, pages = chosen.get(ServiceKind.PROMETHEUS), chosen.get(ServiceKind.ALERTMANAGER)
        return Inside(
            seen,
            _reached(metrics, doors) if metrics else None,
            _reached(pages, doors) if pages else None,
        )

    def _cluster(self, context: str) -> Cluster:
        from gameday.drivers.kubernetes import connect

        if context not in self._clusters:
            # Which is only read: what may be touched is asked when a drill is to be played.
            self._clusters[context] = connect(context, is_fenced=False)
        return self._clusters[context]


def _reached(service: str, doors: Doors) -> Reached:
    url = doors.url(service, is_readable=True)
    return Reached(service=service).model_copy(update={"url": url})


def _context() -> str | Question:
    """Return the one context of the kubeconfig, or ask which."""
    from gameday.drivers.kubernetes.access import contexts

    names, current = contexts()
    if not names:
        raise UsageError(
            "--context: there is no kubeconfig: set KUBECONFIG, or write --context in-cluster in a"
            " pod"
        )
    if len(names) == 1:
        return names[0]
    here = f"; {current} is the current one" if current else ""
    return Question("--context", f"which cluster it runs in{here}", names)


def _one(
    flag: str,
    what: str,
    found: Mapping[str, str],
    wishes: ClusterWishes,
    *,
    is_needed: bool,
) -> tuple[str, str] | Question | None:
    """Return (kind, Service) of one tool; None: it is not there, or is left out.

    Args:
        found: the kind of each Service that answers, those of the system's namespaces first.
    """
    wish = wishes.services.get(flag, "")
    if wish == NONE and not is_needed:
        return None
    if wish:
        if wish not in found:
            hint = did_you_mean(wish, list(found), what="what answers") if found else "nothing does"
            raise UsageError(f"{flag}: {wish!r} does not answer as a {what} does ({hint})")
        return found[wish], wish
    near = [s for s in found if s.partition("/")[0] in wishes.namespaces]
    candidates = near if len(near) == 1 else list(found)
    if len(candidates) == 1:
        return found[candidates[0]], candidates[0]
    if candidates:
        also = () if is_needed else (NONE,)
        return Question(flag, f"which {what} is asked", (*candidates, *also))
    if is_needed:
        raise UsageError(
            f"{flag}: no Service of the cluster answers as a {what} does, as far as it may be seen:"
            " write its URL"
        )
    return None
