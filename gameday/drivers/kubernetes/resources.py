"""What an API server offers: which group and version serves a resource, found out, never assumed.

A server of 2020 has ``policy/v1beta1``, one of today ``policy/v1`` only; both are met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

GROUPS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "configmaps",
            "events",
            "namespaces",
            "nodes",
            "pods",
            "secrets",
            "serviceaccounts",
            "services",
        ),
        "",
    ),
    **dict.fromkeys(
        ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"), "apps"
    ),
    **dict.fromkeys(("jobs", "cronjobs"), "batch"),
    "networkpolicies": "networking.k8s.io",
    "poddisruptionbudgets": "policy",
    **dict.fromkeys(
        ("clusterroles", "clusterrolebindings", "roles", "rolebindings"),
        "rbac.authorization.k8s.io",
    ),
    "networkchaos": "chaos-mesh.org",
    "customresourcedefinitions": "apiextensions.k8s.io",
    "selfsubjectaccessreviews": "authorization.k8s.io",
}
"""The group of each resource that gameday speaks of; any other is written ``plural.group``."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as one server serves it.

    Attributes:
        api_version: ``v1``, ``policy/v1beta1`` … as manifests write it.
    """

    plural: str
    kind: str
    api_version: str
    is_namespaced: bool

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of all of a namespace, or of all."""
        root = (
            f"/api/{self.api_version}"
            if "/" not in self.api_version
            else "/apis/" + (self.api_version)
        )
        parts = [root]
        if namespace and self.is_namespaced:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


class Discovery:
    """What one server offers, asked for once."""

    def __init__(self, read: Callable[[str], Mapping[str, Any] | None]) -> None:
        """Remember how to ask: a path's JSON, None where the server has no such path."""
        self._read = read
        self._versions: Mapping[str, tuple[str, ...]] | None = None
        self._offered: dict[str, tuple[Mapping[str, Any], ...]] = {}

    def find(self, resource: str) -> Resource | None:
        """Return a resource in the version the server prefers; None where it offers none.

        Args:
            resource: plural, in a well-known group (`GROUPS`), or ``plural.group``.
        """
        plural, _, group = resource.partition(".")
        group = group or GROUPS.get(plural, "")
        for version in self._preferred(group):
            for entry in self._entries(version):
                if entry.get("name") == plural:
                    return Resource(
                        plural, str(entry["kind"]), version, bool(entry.get("namespaced"))
                    )
        return None

    def eviction_version(self) -> str | None:
        """Return the apiVersion of evictions, ``policy/v1`` or older; None where there are none."""
        for entry in self._entries("v1"):
            if entry.get("name") == "pods/eviction":
                version = str(entry.get("version") or "v1beta1")
                return f"{entry.get('group') or 'policy'}/{version}"
        return None

    def _preferred(self, group: str) -> tuple[str, ...]:
        if not group:
            return ("v1",)
        if self._versions is None:
            offered = (self._read("/apis") or {}).get("groups") or ()
            self._versions = {g["name"]: _ordered(g) for g in offered}
        return self._versions.get(group, ())

    def _entries(self, version: str) -> tuple[Mapping[str, Any], ...]:
        if version not in self._offered:
            root = "/apis/" if "/" in version else "/api/"
            self._offered[version] = tuple((self._read(root + version) or {}).get("resources", ()))
        return self._offered[version]


def _ordered(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a group's versions, the preferred one first."""
    first = (group.get("preferredVersion") or {}).get("groupVersion")
    versions = [str(v["groupVersion"]) for v in group.get("versions") or ()]
    return tuple(sorted(versions, key=lambda v: v != first))
