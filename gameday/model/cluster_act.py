"""What a responder may do to an object of a cluster, as a system's document says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from gameday.model.access import one_of, wrong
from gameday.model.noun import Noun, Text
from gameday.model.placeholders import filled_in, placeholders, texts_in
from gameday.model.secret_names import is_secret

__all__ = ["Aim", "ClusterAct", "ROLLED_OUT"]

ROLLED_OUT = ("deployments", "statefulsets", "daemonsets")
"""Resources whose pods follow their template by themselves."""

_SCALED = ("deployments", "statefulsets")
_PLURALS = {
    **{name[:-1]: name for name in ROLLED_OUT},
    "deploy": "deployments",
    "sts": "statefulsets",
    "ds": "daemonsets",
    "node": "nodes",
    "secret": "secrets",
}
_AIM = re.compile(r"[a-z][a-z0-9.-]*/[^/\s]+")


def _aim(text: str) -> str:
    if not _AIM.fullmatch(text):
        raise wrong("is no object of a cluster", "write deployment/NAME, or deployment/{service}")
    return text


Aim = Annotated[Text, AfterValidator(_aim)]
"""An object: its resource and its name, ``deployment/checkout``."""


def resource_of(aim: str) -> str:
    """Return the resource of an object as an API server names it: ``deployments``."""
    said = aim.partition("/")[0]
    return _PLURALS.get(said, said)


class Scale(Noun):
    """How many pods there are to be."""

    of: Aim
    replicas: Annotated[int, Field(ge=0, le=1000)] | Text
    """A number, or ``{replicas}``."""


class Variables(Noun):
    """Variables of a workload's containers."""

    of: Aim
    container: Text | None = None
    """The one that is meant; by default all of its containers, as ``kubectl set env`` does it."""
    variables: Annotated[dict[Text, Text], Field(min_length=1)]


class Patch(Noun):
    """A JSON merge patch (RFC 7396) of an object."""

    of: Aim
    merge: Annotated[dict[str, Any], Field(min_length=1)]
    """What changes; a list is replaced as a whole, ``null`` takes a field away."""


class ClusterAct(Noun):
    """One change of one object: what ``kubectl`` would do for a person."""

    rollout_undo: Aim | None = None
    """Back to the revision before the one that is live."""
    scale: Scale | None = None
    set_env: Variables | None = None
    cordon: Text | None = None
    """A node that takes no more pods."""
    uncordon: Text | None = None
    """A node that takes pods again."""
    patch: Patch | None = None
    namespace: Text | None = None
    """Where the object is; by default the first namespace of the system."""

    @model_validator(mode="after")
    def _is_one_change(self) -> ClusterAct:
        kinds = {
            "rollout_undo": "rolloutUndo",
            "scale": "scale",
            "set_env": "setEnv",
            "cordon": "cordon",
            "uncordon": "uncordon",
            "patch": "patch",
        }
        one_of(self, kinds, "write rolloutUndo: deployment/NAME")
        if self.rollout_undo is not None and self.resource != "deployments":
            raise wrong("rolls back what has no ReplicaSets", "write rolloutUndo: deployment/NAME")
        if self.scale is not None:
            if self.resource not in _SCALED:
                raise wrong("cannot be scaled", "write of: deployment/NAME, or statefulset/NAME")
            said = self.scale.replicas
            if isinstance(said, str) and not placeholders(said):
                raise wrong("replicas is no number", "write replicas: 3, or {replicas}")
        if self.set_env is not None:
            if self.resource not in ROLLED_OUT:
                raise wrong("has no containers", "write of: deployment/NAME")
            for name in self.set_env.variables:
                if is_secret(name):
                    raise wrong(
                        f"sets '{name[:60]}', which by its name is a secret",
                        "what a drill sets is written down, to be taken back: choose another fix",
                    )
        if self.resource.partition(".")[0] == "secrets":  # with its group as well
            raise wrong(
                "changes a Secret",
                "what a drill changes is written down, to be taken back: choose another fix",
            )
        if self.patch is not None and set(self.patch.merge) & {"metadata", "status", "kind"}:
            raise wrong("changes what an object is called", "patch spec, or what else it holds")
        if self.namespace is not None and self.is_of_node:
            raise wrong("a node is in no namespace", "leave namespace out")
        return self

    @property
    def is_of_node(self) -> bool:
        """Whether it changes a node."""
        return self.cordon is not None or self.uncordon is not None

    @property
    def aim(self) -> str:
        """Return the object it changes as the document names it, ``deployment/{service}``."""
        if node := self.cordon or self.uncordon:
            return f"node/{node}"
        inner = self.scale or self.set_env or self.patch
        return self.rollout_undo or (inner.of if inner is not None else "")

    @property
    def resource(self) -> str:
        """Return the resource of that object, as an API server names it."""
        return resource_of(self.aim)

    @property
    def name(self) -> str:
        """Return the name of that object, with its placeholders."""
        return self.aim.partition("/")[2]

    def texts(self) -> Iterator[str]:
        """Yield every text that may hold placeholders."""
        yield self.name
        if self.scale is not None:
            yield str(self.scale.replicas)
        if self.set_env is not None:
            yield from self.set_env.variables.values()
        if self.patch is not None:
            yield from texts_in(self.patch.merge)

    def with_parameters(self, parameters: Mapping[str, str]) -> ClusterAct:
        """Return it with every parameter filled in."""
        said = filled_in(self.model_dump(mode="json", by_alias=True, exclude_none=True), parameters)
        if self.patch is not None:  # a null in it means something
            said["patch"]["merge"] = filled_in(self.patch.merge, parameters)
        return ClusterAct.model_validate(said)

    def __str__(self) -> str:
        """As people say it: ``scale deployment/checkout to 3``."""
        aim = self.aim
        if self.rollout_undo is not None:
            return f"roll {aim} back to the revision before"
        if self.scale is not None:
            return f"scale {aim} to {self.scale.replicas}"
        if self.set_env is not None:
            said = ", ".join(f"{n}={v}" for n, v in self.set_env.variables.items())
            return f"set {said} of {aim}"
        if self.patch is not None:
            return f"patch {aim}"
        return f"{'cordon' if self.cordon else 'uncordon'} {aim}"
