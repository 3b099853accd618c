"""Pages out of templates: everything is escaped, unknown names are errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from gameday.legible import finalized
from gameday.ports import Role
from gameday.report.numbers import burn_change_in_words, percentages
from gameday.server.console.guard import BASE, headers
from gameday.server.sessions import Session

HERE = Path(__file__).parent


class Renderer:
    """Renders the templates of the console.

    Args:
        has_lessons: whether there are pages of what was learned.
    """

    def __init__(self, *, now: Callable[[], datetime], has_lessons: bool = False) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=finalized,
        )
        self._environment.filters |= {
            "prose": prose,
            "clock": clock,
            "stamp": stamp,
            "iso": lambda at: at.isoformat(),
            "lasting": lasting,
            "share": lambda ratio: f"{ratio:.0%}",
            "percentages": lambda r: percentages(r.percent, r.system_percent, r.response_percent),
            "burn_change": burn_change_in_words,
            "rate": lambda rate: "no data" if rate is None else f"{rate:.1f}",
        }
        self._environment.globals |= {
            "base": BASE,
            "assets": f"{BASE}/assets/{_fingerprint()}",
            "roles": Role,
            "has_lessons": has_lessons,
        }
        self._now = now

    def page(
        self,
        template: str,
        session: Session | None,
        *,
        status: int = 200,
        draws: bool = False,
        **values: Any,
    ) -> Response:
        """Return a page; ``session`` is whose it is."""
        text = self._environment.get_template(template).render(
            session=session, now=self._now(), **values
        )
        return HTMLResponse(text, status_code=status, headers=headers(draws=draws))


def plotly_js() -> Path:
    """Return the charts' script, as the installed package brings it."""
    found = find_spec("plotly")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


def prose(text: str) -> Markup:
    """Return Markdown's paragraphs and `code` as HTML; everything else stays as it is written."""
    paragraphs = (" ".join(p.split()) for p in text.split("\n\n"))
    return Markup("\n").join(
        Markup("<p>")
        + Markup("").join(
            Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
            for number, part in enumerate(p.split("`"))
        )
        + Markup("</p>")
        for p in paragraphs
        if p
    )


def clock(at: datetime | None) -> str:
    """Return an instant as people read it on the day itself: ``12:03:09``."""
    return f"{at:%H:%M:%S}" if at else ""


def stamp(at: datetime | None) -> str:
    """Return an instant with its day."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def lasting(span: timedelta) -> str:
    """Return a time as people say it: ``1:05``, ``2:00:00``, ``−0:12``."""
    seconds = int(abs(span).total_seconds())
    sign = "−" if span < timedelta(0) else ""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" if hours else f"{sign}{minutes}:{seconds:02}"


def _fingerprint() -> str:
    """Return what changes with the assets, so that no browser shows old ones."""
    digest = hashlib.sha256(version("plotly").encode())
    for path in sorted((HERE / "assets").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
