"""Which code a service ran: its repository, and the version, by what is known of both. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gameday.diagnosis import changes
from gameday.diagnosis.case import repository_of, revision_of
from gameday.diagnosis.graph import Accused
from gameday.diagnosis.suspicion import Suspect
from gameday.model.code import CodeOf, RevisionFrom
from gameday.model.signals import Deploy, Span
from scoring.revision import same_revision

__all__ = ["CodeThatRan", "code_that_ran", "packages_of", "region_of"]


@dataclass(frozen=True, slots=True)
class CodeThatRan:
    """The code of a service as it ran.

    Attributes:
        revision: as telemetry and deploys call it.
        told_by_spans: whether the bad requests themselves say so; else the deploys alone do.
        named: how git's name is found in what deploys call a version.
    """

    repository: str
    revision: str
    told_by_spans: bool
    named: RevisionFrom

    def is_of(self, span: Span, revision: str) -> bool:
        """Return whether a span says that it comes from a process of this version."""
        return same_revision(revision, told_by(span, self.named))

    def in_git(self, revision: str) -> str | None:
        """Return what git calls a version; None where that cannot be told."""
        return self.named.in_git(revision)


def code_that_ran(
    suspect: Suspect | Accused,
    deploys: Sequence[Deploy],
    onset: datetime,
    sources: Sequence[CodeOf],
) -> CodeThatRan | str:
    """Return the code of the accused service, or why it is not known, in words.

    Args:
        sources: what the system's document says; what it does not say, spans may.
    """
    service = suspect.place.service
    declared = next((one for one in sources if one.service == service), None)
    if declared is None:
        revision = repository = None
        if isinstance(suspect, Suspect):
            revision, repository = revision_of(suspect), repository_of(suspect)
        if sources and repository is None:
            return f"the system's document says of no repository that it is {service}'s"
        if revision is None or repository is None:
            if isinstance(suspect, Accused):
                return f"nothing says where the code of {service} is: name it under `code`"
            return "the spans do not say which revision of which code ran"
        return CodeThatRan(repository, revision, told_by_spans=True, named=RevisionFrom())
    told = told_by(suspect.example, declared.revision) if isinstance(suspect, Suspect) else ""
    if not told and declared.revision.attribute is None:
        live = changes.live(deploys, service=service, region=region_of(suspect), onset=onset)
        if live is not None and live.revision:
            return CodeThatRan(declared.repository, live.revision, False, declared.revision)
    if not told:
        asked = declared.revision.attributes()
        return (
            f"nothing says which version of {service} ran: neither its spans"
            f" ({' or '.join(asked)}) nor a deploy"
        )
    return CodeThatRan(declared.repository, told, True, declared.revision)


def region_of(suspect: Suspect | Accused) -> str | None:
    """Return the one region that is accused; None where there are several, or nobody says."""
    return suspect.region if isinstance(suspect, Suspect) else None


def packages_of(service: str, sources: Sequence[CodeOf]) -> Sequence[str]:
    """Return with what the names of a service's own functions begin; empty where nobody says."""
    return next((one.packages for one in sources if one.service == service), ())


def told_by(span: Span, named: RevisionFrom) -> str:
    """Return which version a span says that its process is of; empty where it does not."""
    for name in named.attributes():
        value = span.resource.get(name)
        if isinstance(value, list | tuple):  # one image may have several tags
            value = value[0] if value else ""
        if value:
            return str(value)
    return ""
