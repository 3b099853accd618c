"""Draining nodes: cordon all, evict in parallel, respect every disruption budget, watch the end.

As `kubectl drain` does it, and in three things otherwise: all nodes at once, what cannot be evicted
is known before anything is changed, and every node bears the mark of who cordoned it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from gameday.drivers.kubernetes import marks, pods, selectors
from gameday.drivers.kubernetes.changes import WatchEvent, WatchEventType
from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.drivers.kubernetes.evictions import Eviction, EvictionOutcome, evict
from gameday.drivers.kubernetes.refusals import Forbidden, NotFound
from gameday.drivers.kubernetes.transport import METADATA
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError

FAULT = "drain"
AT_ONCE = 100
"""Evictions under way at the same time: half of the changes that an API server works on at once
by default (``--max-mutating-requests-inflight``), so that others get through as well. Twice as many
were not faster: the kubelets are what is waited for, see `_dealt`.
"""

FIRST_PAUSE = timedelta(milliseconds=500)
LONGEST_PAUSE = timedelta(seconds=5)
"""Between two tries of a blocked eviction, where its budget cannot be watched."""

RARELY = timedelta(seconds=10)
"""The same where it can: the budget itself tells when another try is worth it.

Hundreds of pods that ask every few seconds keep the server from ever allowing one.
"""


class Undrained(PermanentDriverError):
    """The nodes could not be drained; the message says which pods stay, and why."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be evicted.

    Attributes:
        force: also pods that nothing will start again.
        delete_empty_dirs: also pods whose emptyDir volumes are lost with them.
        leave_foreign: leave pods in namespaces that the settings do not allow where they are; else
            they are a reason to refuse.
        grace_period_s: for every pod, instead of its own.
        within: how long it may take.
    """

    force: bool = False
    delete_empty_dirs: bool = False
    leave_foreign: bool = False
    grace_period_s: int | None = None
    within: timedelta = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The pods of some nodes, sorted by what a drain does with them.

    Attributes:
        going: are being deleted already; waited for and not evicted.
        staying: pod and reason; a drain leaves them where they are.
        in_the_way: pod and reason; a drain is refused for them.
    """

    evicted: Sequence[Object] = ()
    going: Sequence[Object] = ()
    staying: Sequence[tuple[Object, str]] = ()
    in_the_way: Sequence[tuple[Object, str]] = ()


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did: names of nodes, full names of pods."""

    cordoned: Sequence[str]
    cordoned_before: Sequence[str]
    evicted: Sequence[str]
    left: Mapping[str, str] = field(default_factory=dict)


def nodes_in(
    cluster: Cluster, *, region: str = "", zone: str = "", selector: str = ""
) -> Sequence[Object]:
    """Return the nodes of a region, a zone and a selector together.

    Raises:
        PermanentDriverError: there is none.
    """
    wanted = [
        f"topology.kubernetes.io/{key}={value}"
        for key, value in (("region", region), ("zone", zone))
        if value
    ]
    labels = ",".join([*wanted, *([selector] if selector else [])])
    found = cluster.list("nodes", labels=labels)
    if not labels or not found:
        raise PermanentDriverError(
            f"no node of {cluster.context!r} has the labels {labels!r}: `kubectl get nodes -L"
            " topology.kubernetes.io/region,topology.kubernetes.io/zone` shows what there is"
        )
    return found


def sort(cluster: Cluster, rules: Rules, nodes: Iterable[str], found: Iterable[Object]) -> Sorted:
    """Return the pods of these nodes, sorted by what a drain does with them."""
    meant = set(nodes)
    evicted, going = [], []
    staying: list[tuple[Object, str]] = []
    in_the_way: list[tuple[Object, str]] = []
    for pod in found:
        if (pod.get("spec") or {}).get("nodeName") not in meant or pods.is_finished(pod):
            continue
        namespace = pod["metadata"]["namespace"]
        owner = pods.controller(pod)
        if pods.is_mirror(pod):
            staying.append((pod, "a mirror pod: its kubelet runs it from a file"))
        elif owner is not None and owner[0] == "DaemonSet":
            staying.append((pod, "a DaemonSet's: it would be back at once"))
        elif not cluster.fences.allows_namespace(namespace):
            if rules.leave_foreign or cluster.fences.is_protected(namespace):
                staying.append((pod, f"in {namespace!r}, which may not be touched"))
            else:
                in_the_way.append(
                    (
                        pod,
                        f"in {namespace!r}, which the settings do not allow: add it to"
                        " GAMEDAY_KUBE_NAMESPACES, or leave_foreign leaves it where it is",
                    )
                )
        elif pods.is_going(pod):
            going.append(pod)
        elif owner is None and not rules.force:
            in_the_way.append((pod, "nothing would start it again; force evicts it all the same"))
        elif pods.empty_dirs(pod) and not rules.delete_empty_dirs:
            volume = pods.empty_dirs(pod)[0]
            in_the_way.append(
                (pod, f"its emptyDir {volume!r} would be lost; delete_empty_dirs accepts that")
            )
        else:
            evicted.append(pod)
    return Sorted(evicted, going, staying, in_the_way)


def check(found: Sorted) -> None:
    """Return where nothing is in the way.

    Raises:
        Undrained: something is.
    """
    if found.in_the_way:
        raise Undrained(
            f"{_many(len(found.in_the_way), 'pod')} cannot be evicted: {_told(found.in_the_way)}"
        )


# --- cordons ------------------------------------------------------------------------------------


def cordon(cluster: Cluster, mark: str, nodes: Sequence[Object]) -> Sequence[str]:
    """Cordon the nodes that nobody has cordoned yet; return their names."""

    def make(node: Object) -> Object | None:
        marks.check_free(node, mark, f"the node {node['metadata']['name']!r}")
        if (node.get("spec") or {}).get("unschedulable"):
            return None
        # In one patch, so that no instant exists at which a cordon of ours bears no mark.
        return {
            "metadata": {"labels": marks.labels(mark, FAULT)},
            "spec": {"unschedulable": True},
        }

    def one(node: Object) -> Object | None:
        name = node["metadata"]["name"]
        return cluster.change("nodes", name, "", make, known=node, manager=mark)

    for node in nodes:
        marks.check_free(node, mark, f"the node {node['metadata']['name']!r}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        after = [node for node in pool.map(one, nodes) if node is not None]
    return [str(n["metadata"]["name"]) for n in after if marks.mark_of(n) == mark]


def uncordon(cluster: Cluster, mark: str) -> Sequence[str]:
    """Uncordon exactly the nodes with this mark; return the names of those that needed it.

    A node that somebody has uncordoned, or cordoned anew, since then only loses the mark.
    """

    def make(node: Object) -> Object | None:
        if marks.mark_of(node) != mark:
            return None
        spec = {"spec": {"unschedulable": None}} if is_cordoned_by(node, mark) else {}
        return {"metadata": {"labels": marks.unlabelled(node)}, **spec}

    def one(node: Object) -> None:
        cluster.change("nodes", node["metadata"]["name"], "", make, known=node)

    found = cluster.list("nodes", labels=f"{marks.MARK}={marks.checked(mark)}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, found))
    return [str(n["metadata"]["name"]) for n in found if is_cordoned_by(n, mark)]


def is_cordoned_by(node: Mapping[str, Any], mark: str) -> bool:
    """Return whether a node is cordoned, and it is this fault's cordon.

    Whoever set the field last is its manager; servers without managed fields leave it at the mark.
    """
    if marks.mark_of(node) != mark or not (node.get("spec") or {}).get("unschedulable"):
        return False
    managers = {
        str(entry.get("manager"))
        for entry in node["metadata"].get("managedFields") or ()
        if "f:unschedulable" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    return not managers or mark in managers


# --- the drain ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Blocked:
    pod: Object
    why: str
    due: float
    pause: timedelta


class Drain:
    """One drain. What it evicts is not put back; its cordons are `uncordon`'s to take back."""

    def __init__(
        self,
        cluster: Cluster,
        mark: str,
        rules: Rules,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember where and how; nothing is done yet."""
        self._cluster = cluster
        self._mark = marks.checked(mark)
        self._rules = rules
        self._monotonic = monotonic
        self._stop = Event()
        self._heard: SimpleQueue[Any] = SimpleQueue()
        self._budgets_of: set[str] = set()
        self._budgets_heard: set[str] = set()
        self._seen: dict[str, Object] = {}
        self._waiting: dict[str, Object] = {}
        self._blocked: dict[str, _Blocked] = {}
        self._evicted: list[str] = []
        self._left: dict[str, str] = {}

    def run(self, nodes: Sequence[Object]) -> Drained:
        """Cordon the nodes and evict what is on them; return when it is gone.

        Whether anything is in the way is for `check` to say before.

        Raises:
            Undrained: something cannot be evicted, or not in time. Cordons may be left.
        """
        ends = self._monotonic() + self._rules.within.total_seconds()
        names = [str(n["metadata"]["name"]) for n in nodes]
        cordoned = cordon(self._cluster, self._mark, nodes)
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            # Younger than the cordons; what lands in spite of them is in the next look.
            found = self._cluster.listing("pods")
            self._listen(self._cluster.watch("pods", stop=self._stop, since=found, accept=METADATA))
            while self._take(found.items, names, pool):
                while self._waiting:
                    for heard in self._next(pool, ends):
                        self._hear(heard, pool)
                found = self._cluster.listing("pods")
        finally:
            self._stop.set()
            # What was asked for is waited for: nothing is evicted after this returns.
            pool.shutdown(wait=True, cancel_futures=True)
        return Drained(
            cordoned=cordoned,
            cordoned_before=[n for n in names if n not in cordoned],
            evicted=sorted(self._evicted),
            left=self._left,
        )

    def _next(self, pool: ThreadPoolExecutor, ends: float) -> Iterable[Any]:
        """Return what was heard next, after trying again whatever is due."""
        now = self._monotonic()
        if now >= ends:
            raise self._too_late()
        for blocked in [b for b in self._blocked.values() if b.due <= now]:
            self._retry(blocked, pool)
        due = min([ends, *(b.due for b in self._blocked.values())])
        try:
            return (self._heard.get(timeout=max(0.001, due - now)),)
        except Empty:
            return ()

    def _hear(self, heard: Any, pool: ThreadPoolExecutor) -> None:
        match heard:
            case BaseException():
                raise heard
            case (str() as uid, Eviction() as eviction):
                self._answered(uid, eviction)
            case (str() as namespace, WatchEvent() as change):
                self._budgets_heard.add(namespace)
                for budget in change.objects:
                    self._budget_moved(namespace, budget, pool)
            case WatchEvent(WatchEventType.DELETED, objects):
                for pod in objects:
                    self._gone(str(pod["metadata"]["uid"]))
            case WatchEvent(WatchEventType.LISTED, objects):
                there = {str(p["metadata"]["uid"]) for p in objects}
                for uid in [u for u in self._waiting if u not in there]:
                    self._gone(uid)
            case _:
                pass  # only the end of a pod matters

    def _take(
        self, objects: Sequence[Object], nodes: Sequence[str], pool: ThreadPoolExecutor
    ) -> bool:
        """Evict what is on the nodes and was not seen there yet; return whether anything was."""
        is_late = bool(self._seen)
        found = sort(self._cluster, self._rules, nodes, objects)
        check(found)
        self._left.update({pods.full_name(p): why for p, why in found.staying})
        for pod in _dealt((*found.evicted, *found.going)):
            uid = str(pod["metadata"]["uid"])
            if uid in self._waiting:
                continue
            if is_late and uid not in self._seen and pods.tolerates_cordons(pod):
                # Evicted, it would come back, again and again.
                self._left[pods.full_name(pod)] = "came to a cordoned node: it tolerates that"
                continue
            self._seen[uid] = pod
            self._waiting[uid] = pod
            if not pods.is_going(pod):
                pool.submit(self._evict, pod)
        return bool(self._waiting)

    def _evict(self, pod: Object) -> None:
        """In a thread of the pool."""
        uid = str(pod["metadata"]["uid"])
        try:
            answer = evict(self._cluster, pod, grace_period_s=self._rules.grace_period_s)
            self._heard.put((uid, answer))
        except TemporaryDriverError as problem:
            # The server is busy, perhaps with us. Whether it is gone, the watch will know.
            self._heard.put((uid, Eviction(EvictionOutcome.BLOCKED, str(problem))))
        except Exception as problem:  # noqa: BLE001 - it is raised where the drain waits
            self._heard.put(problem)

    def _answered(self, uid: str, eviction: Eviction) -> None:
        pod = self._seen[uid]
        match eviction.outcome:
            case EvictionOutcome.ACCEPTED:
                self._blocked.pop(uid, None)
                self._evicted.append(pods.full_name(pod))
            case EvictionOutcome.GONE:
                self._gone(uid)
            case EvictionOutcome.IMPOSSIBLE:
                raise Undrained(f"{pods.full_name(pod)} cannot be evicted: {eviction.reason}")
            case EvictionOutcome.BLOCKED if uid in self._waiting:
                before = self._blocked.get(uid)
                pause = min(before.pause * 2, LONGEST_PAUSE) if before else FIRST_PAUSE
                if pod["metadata"]["namespace"] in self._budgets_heard:
                    pause = RARELY
                due = self._monotonic() + pause.total_seconds()
                self._blocked[uid] = _Blocked(pod, eviction.reason, due, pause)
                self._listen_to_budgets(pod["metadata"]["namespace"])
            case EvictionOutcome.BLOCKED:
                pass  # deleted meanwhile

    def _gone(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        self._blocked.pop(uid, None)

    def _retry(self, blocked: _Blocked, pool: ThreadPoolExecutor) -> None:
        # Far off, until the answer sets it anew.
        blocked.due = self._monotonic() + 3600
        pool.submit(self._evict, blocked.pod)

    def _budget_moved(self, namespace: str, budget: Object, pool: ThreadPoolExecutor) -> None:
        """Try as many blocked pods of a budget as it allows now."""
        allowed = int((budget.get("status") or {}).get("disruptionsAllowed") or 0)
        selector = (budget.get("spec") or {}).get("selector") or {}
        now = self._monotonic()
        meant = [
            b
            for b in self._blocked.values()
            if b.pod["metadata"]["namespace"] == namespace
            and b.due <= now + RARELY.total_seconds()
            and selectors.matches(selector, b.pod["metadata"].get("labels") or {})
        ]
        for blocked in meant[:allowed]:
            self._retry(blocked, pool)

    def _listen(self, changes: Iterable[WatchEvent]) -> None:
        def listen() -> None:
            try:
                for change in changes:
                    self._heard.put(change)
            except Exception as problem:  # noqa: BLE001 - it is raised where the drain waits
                self._heard.put(problem)

        Thread(target=listen, name="drain-pods", daemon=True).start()

    def _listen_to_budgets(self, namespace: str) -> None:
        if namespace in self._budgets_of:
            return
        self._budgets_of.add(namespace)

        def listen() -> None:
            try:
                watch = self._cluster.watch("poddisruptionbudgets", namespace, stop=self._stop)
                for change in watch:
                    self._heard.put((namespace, change))
            except (Forbidden, NotFound):
                pass  # may not be read here: then it is tried again after pauses alone
            except Exception as problem:  # noqa: BLE001 - it is raised where the drain waits
                self._heard.put(problem)

        Thread(target=listen, name="drain-budgets", daemon=True).start()

    def _too_late(self) -> DriverError:
        stuck = [(b.pod, b.why) for b in self._blocked.values()]
        ending = [
            (p, f"still terminating on {p['spec']['nodeName']!r}")
            for uid, p in self._waiting.items()
            if uid not in self._blocked
        ]
        return Undrained(
            f"not drained within {self._rules.within.total_seconds():g} s:"
            f" {_many(len(stuck) + len(ending), 'pod')} left: {_told([*stuck, *ending])}"
        )


def _dealt(objects: Sequence[Object]) -> list[Object]:
    """Return the pods in the order of their eviction: next is always one of the fullest node.

    A kubelet ends its pods at the pace of its own requests to the API server, five a second by
    default up to Kubernetes 1.26 (``--kube-api-qps``; 50 since) and some four a pod. So the fullest
    node ends last, and a node that is left for later has idled meanwhile.
    """
    on: dict[str, list[Object]] = {}
    for pod in objects:
        on.setdefault(str(pod["spec"]["nodeName"]), []).append(pod)
    ranked = [(len(of) - index, pod) for of in on.values() for index, pod in enumerate(of)]
    return [pod for _, pod in sorted(ranked, key=lambda r: -r[0])]


def _told(reasons: Sequence[tuple[Object, str]], *, at_most: int = 5) -> str:
    told = "; ".join(f"{pods.full_name(p)}: {why}" for p, why in reasons[:at_most])
    more = len(reasons) - at_most
    return f"{told}; and {more} more" if more > 0 else told


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
