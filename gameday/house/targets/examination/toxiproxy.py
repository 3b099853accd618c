"""Whether the Toxiproxy of a document answers, and lets itself be told what faults are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gameday.drivers.toxiproxy import Toxiproxy
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.http.aside import aside
from gameday.http.credentials import credentials_of, learn
from gameday.http.knock import named

if TYPE_CHECKING:
    # The client library takes a moment to load, and most systems need none.
    from gameday.drivers.kubernetes import Cluster

__all__ = ["toxiproxy"]

VERBS = ("get", "create", "patch", "delete")
"""What an API server calls what is done through it: to look, put in, switch and take out."""


def toxiproxy(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``toxiproxy`` of a document."""
    told = look.system.spec.toxiproxy
    if told is None:
        return

    async def answers() -> str:
        url = look.address(told)
        if told.service is not None:
            cluster = await look.answering_cluster()
            await aside(lambda: _may_be_told(cluster, str(told.service)))
        learn({url: credentials_of(told)})
        await named(url)
        async with Toxiproxy(url) as proxy:
            version = await proxy.version()
        return f"answers at {url}, version {version}"

    yield Inquiry("toxiproxy", answers)


def _may_be_told(cluster: Cluster, service: str) -> None:
    """Return where every fault may be put into a Service, and taken out of it.

    Raises:
        Unmet: a right is missing: what is put in could stay there.
        DriverError: the API server does not answer.
    """
    from gameday.drivers.kubernetes.rights import may

    namespace, _, name = service.partition("/")
    lacking = [
        verb
        for verb in VERBS
        if not may(cluster, verb, "services", namespace, name, subresource="proxy")
    ]
    if lacking:
        raise Unmet(
            f"may not {', '.join(lacking)} services/proxy of {name!r} in {namespace!r}",
            f"grant it in a Role; `kubectl -n {namespace} auth can-i {lacking[0]} services/{name}"
            " --subresource=proxy` tells",
        )
