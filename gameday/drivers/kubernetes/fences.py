"""What of a cluster may be touched: the contexts and namespaces that the settings allow.

Enforced where a fault goes in, so that an experiment played without gameday is fenced as well.
Taking a fault back is never fenced: it touches only what bears a run's mark, and must not depend
on settings that may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gameday.errors import PermanentDriverError
from gameday.settings import KubeSettings

PROTECTED = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Namespaces in which nothing is ever touched, whatever the settings say."""


class FenceError(PermanentDriverError):
    """The settings do not allow this context or namespace; nothing was touched."""


@dataclass(frozen=True, slots=True)
class Fences:
    """The contexts and namespaces that may be touched.

    Attributes:
        contexts: names or shell patterns.
        namespaces: names or shell patterns; protected ones are refused all the same.
        own: the namespace gameday itself runs in, which is protected too; may be empty.
    """

    contexts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    own: str = ""

    @classmethod
    def of(cls, settings: KubeSettings, *, own: str = "") -> Fences:
        """Return the fences that these settings put up."""
        return cls(settings.contexts, settings.namespaces, own)

    def allows_context(self, context: str) -> bool:
        """Return whether faults may be put into the cluster of this context."""
        return any(fnmatchcase(context, allowed) for allowed in self.contexts)

    def is_protected(self, namespace: str) -> bool:
        """Return whether nothing in a namespace may be touched, whatever the settings say."""
        return namespace in PROTECTED or (bool(self.own) and namespace == self.own)

    def allows_namespace(self, namespace: str) -> bool:
        """Return whether faults may touch what is in this namespace."""
        return not self.is_protected(namespace) and any(
            fnmatchcase(namespace, allowed) for allowed in self.namespaces
        )

    def check_context(self, context: str) -> None:
        """Return where faults may be put into this cluster.

        Raises:
            FenceError: the settings do not allow it.
        """
        if not self.allows_context(context):
            raise FenceError(
                f"the settings do not allow faults in the context {context!r} (allowed:"
                f" {_listed(self.contexts)}): add it to GAMEDAY_KUBE_CONTEXTS if it is meant"
            )

    def check_namespaces(self, namespaces: Iterable[str]) -> None:
        """Return where faults may touch all of these namespaces.

        Raises:
            FenceError: one of them is protected, or not allowed by the settings.
        """
        for namespace in dict.fromkeys(namespaces):
            if self.is_protected(namespace):
                raise FenceError(
                    f"the namespace {namespace!r} is protected: nothing in it is ever touched"
                )
            if not self.allows_namespace(namespace):
                raise FenceError(
                    f"the settings do not allow faults in the namespace {namespace!r} (allowed:"
                    f" {_listed(self.namespaces)}): add it to GAMEDAY_KUBE_NAMESPACES if it is"
                    " meant"
                )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
