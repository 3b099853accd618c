"""Where the four links of a page lead instead of to the console: addresses with placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator

from gameday.model.access import Url, wrong
from gameday.model.noun import Noun
from gameday.model.placeholders import filled, placeholders
from gameday.names import did_you_mean

__all__ = ["PLACEHOLDERS", "PageLinks", "filled_link"]

PLACEHOLDERS = ("service", "slo", "from", "to", "incident")
"""What may stand in braces in a link; ``from`` and ``to`` are the burn window, in milliseconds."""


def _known(url: str) -> str:
    host = url.partition("://")[2].partition("/")[0]
    if placeholders(host):
        raise wrong(
            "has a placeholder for its host", "write the host: what fills it in is an alert's"
        )
    for name in placeholders(url):
        if name not in PLACEHOLDERS:
            raise wrong(
                f"has the placeholder '{{{name}}}'",
                did_you_mean(name, PLACEHOLDERS, what="it may be"),
            )
    return url


Template = Annotated[Url, AfterValidator(_known)]


def filled_link(template: str, values: Mapping[str, str]) -> str:
    """Return a link with its placeholders filled in; a value stays where it stands, as text."""
    return filled(template, {name: quote(value, safe="") for name, value in values.items()})


class PageLinks(Noun):
    """Where the links of a page lead; one that is left out leads to the console."""

    red: Template = ""
    traces: Template = ""
    profile: Template = ""
    runbook: Template = ""

    def given(self) -> Mapping[str, str]:
        """Return the views that lead somewhere else, by name."""
        return {view: url for view, url in self if url}
