"""What the shop that comes along is known by: its namespace, its labels, and what is broken of it.

Whatever selects or recognises it on a cluster goes by these labels, which nobody but us gives a
meaning to. `app.kubernetes.io/name` and `part-of` stand beside them for people and their tools;
other applications bear the same values. The well-known `topology.kubernetes.io/region` and `/zone`
are read from nodes only: since Kubernetes 1.35 the API server writes a node's over those of every
pod that is bound to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MADE", "NAMESPACE", "REGION", "SELECTOR", "SERVICE", "broken_by"]

NAMESPACE = "shop"
"""Where it lives on a cluster, unless somebody says otherwise."""

SERVICE = "shop.gameday.dev/service"
"""Which part of the shop a Deployment, its ReplicaSets and its pods are."""

REGION = "shop.gameday.dev/region"
"""The region a part of the shop serves, wherever its pods run; ``global``: none of them alone."""

MADE = "shop.gameday.dev/made"
"""On a namespace that gameday made for the shop, so that it may take it away whole."""

SELECTOR = SERVICE
"""Label selector of everything that is a part of the shop."""


def broken_by(fault: str) -> Mapping[str, Any]:
    """Return what a fault breaks of the shop where nobody says otherwise, by its parameters.

    One that is not listed here breaks what most do.
    """
    return {**_BY_MOST, **_BY.get(fault, {})}


_BY_MOST: Mapping[str, Any] = {
    "namespace": NAMESPACE,
    "selector": "app=inventory",
    "workload": "deployment/inventory",
    "service": "inventory",
    "downstream": "db",
    "region": "eu-west",
    "regions": ["eu-west"],
}

_BY: Mapping[str, Mapping[str, Any]] = {
    "bad-deploy": {"workload": "deployment/checkout"},
    "deploy-change": {"service": "checkout"},
    "drain-region": {"region": "region-b"},
    "kill-pod": {"selector": "app=checkout"},
    "pressure": {"beside": "app=checkout"},
}
