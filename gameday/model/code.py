"""Where the code of a service is, and which version of it ran."""

from __future__ import annotations

import re

from pydantic import Field, StrictBool, model_validator

from gameday.model.access import wrong
from gameday.model.noun import Noun, Text

__all__ = ["CodeOf", "RevisionFrom"]


class RevisionFrom(Noun):
    """What tells which version of a service ran.

    Where nothing is stated, the spans' ``vcs.ref.head.revision`` or ``service.version``, else what
    was deployed last.
    """

    image_tag: StrictBool | None = None
    """The tag of its image: of its spans (``container.image.tags``), else of what was deployed."""
    label: Text | None = None
    """A label of its pods: of its spans (``k8s.pod.label.NAME``), else of what was deployed."""
    attribute: Text | None = None
    """An attribute of what its spans say of their process."""
    pattern: Text | None = None
    """A regular expression that finds the commit, or git's tag, in that: its group, else all."""

    @model_validator(mode="after")
    def _is_told_one_way(self) -> RevisionFrom:
        stated = [
            name
            for name, value in (
                ("imageTag", self.image_tag),
                ("label", self.label),
                ("attribute", self.attribute),
            )
            if value
        ]
        if len(stated) > 1:
            raise wrong(f"states {' and '.join(stated)}", "keep one of them")
        if self.pattern is not None:
            try:
                groups = re.compile(self.pattern).groups
            except re.error as error:
                raise wrong(
                    f"has a pattern that is none: {error}", "write it as Python's re has it"
                ) from error
            if groups > 1:
                raise wrong("has a pattern of several groups", "put one part in brackets")
        return self

    def attributes(self) -> tuple[str, ...]:
        """Return the attributes of a span's process that tell it, the first that is there counts.

        Source: OpenTelemetry's conventions for containers and Kubernetes, newer names first.
        """
        if self.image_tag:
            return ("container.image.tags", "container.image.tag")
        if self.label is not None:
            return (f"k8s.pod.label.{self.label}", f"k8s.pod.labels.{self.label}")
        if self.attribute is not None:
            return (self.attribute,)
        return ("vcs.ref.head.revision", "service.version")

    def in_git(self, told: str) -> str | None:
        """Return what git calls a version that was told so; None where the pattern finds none."""
        if self.pattern is None:
            return told
        found = re.search(self.pattern, told)
        if found is None:
            return None
        return found[1] if found.re.groups and found[1] is not None else found[0]


class CodeOf(Noun):
    """The repository of a service."""

    service: Text
    repository: Text
    """Its path on this machine, from the working directory."""
    revision: RevisionFrom = Field(default_factory=RevisionFrom)
    packages: tuple[Text, ...] = ()
    """With which the names or paths of its own functions begin in a profile: ``com.example``. By
    default all that is known of no library."""
