"""Whether the addresses are there to which the links of a page lead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from gameday.errors import DriverError
from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import Look
from gameday.http.knock import named
from gameday.http.tool import HttpTool
from gameday.model.links import filled_link

__all__ = ["links"]

A_LOGIN = (301, 302, 303, 307, 308, 401, 403)
"""What is answered to somebody who has not signed in: whoever is on call has."""


def links(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``links`` of a document: every address once, for the first SLO."""
    for view, template in look.system.spec.links.given().items():
        # A drill is played without them: what is slower then is the responder.
        yield Inquiry(f"link {view}", partial(_leads, look, template), bars=False)


async def _leads(look: Look, template: str) -> str:
    now = datetime.now(UTC)
    slo = next(iter(look.slos), None)
    values = {
        "service": slo.service if slo else "none",
        "slo": slo.id if slo else "none",
        "from": str(round((now - timedelta(hours=1)).timestamp() * 1000)),
        "to": str(round(now.timestamp() * 1000)),
        "incident": "none",
    }
    url = filled_link(template, values)
    await named(url)
    tool = HttpTool("what a page links to", url, timeout=timedelta(seconds=3), tries=1)
    try:
        answer = await tool.ask("GET", "", accept=A_LOGIN)
    except DriverError as error:
        how = f"{error}; write where it is now, or leave it out: it leads to the console then"
        raise Unmet("leads nowhere", how, bars=False) from error
    return f"{url} answers {answer.status}"
