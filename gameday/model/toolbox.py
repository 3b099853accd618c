"""What a responder of ours may read of a system: where each instrument is, and how it is asked.

It travels beside a page, from the run to the responder's process and nowhere else: it may hold
secrets, and is neither stored nor shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from gameday.model.code import CodeOf
from gameday.model.page import Step, Value
from gameday.model.service_graph import EdgeQuery
from gameday.model.service_names import ServiceNames

__all__ = ["NO_TOOLS", "Instrument", "Toolbox"]


class Instrument(Value):
    """One instrument.

    Attributes:
        url: where it is; links into it begin with that.
        headers: what is shown to it; ca, cert, key: whom to believe, and who asks.
        is_tempo: whether its traces are a Tempo's, and not a Jaeger's.
        services: what it calls services, by our names, where those differ.
        region: the label by which its traces tell regions apart; empty: as everybody does.
    """

    url: str
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    ca: str = ""
    cert: str = ""
    key: str = ""
    is_tempo: bool = False
    services: Mapping[str, str] = Field(default_factory=dict)
    region: str = ""

    @property
    def names(self) -> ServiceNames:
        """What it calls services."""
        return ServiceNames(self.services)


class Toolbox(Value):
    """The instruments of one system.

    Attributes:
        instruments: all that want to know who asks, or that call services by other names.
        absent: the steps that the system has no instrument for.
        sources: where the code of its services is.
        graph: what tells who calls whom, where there are no traces; empty: nothing does.
    """

    instruments: tuple[Instrument, ...] = ()
    absent: frozenset[Step] = frozenset()
    sources: tuple[CodeOf, ...] = ()
    graph: tuple[EdgeQuery, ...] = ()

    def at(self, url: str) -> Instrument:
        """Return the instrument at a base URL; an ordinary one where nothing is said of it."""
        told = url.rstrip("/")
        return next((i for i in self.instruments if i.url == told), Instrument(url=told))


NO_TOOLS = Toolbox()
"""Of a system whose instruments ask nobody who he is."""
