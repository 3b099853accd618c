"""What the shop on Kubernetes is known by: labels that nobody but us gives a meaning to.

Whatever selects or recognises the shop goes by these. `app.kubernetes.io/name` and `part-of` stand
beside them for people and their tools; other applications bear the same values. The well-known
`topology.kubernetes.io/region` and `/zone` are read from nodes only: since Kubernetes 1.35 the API
server writes a node's over those of every pod that is bound to it.
"""

from __future__ import annotations

__all__ = ["MADE", "REGION", "SELECTOR", "SERVICE"]

SERVICE = "shop.gameday.dev/service"
"""Which part of the shop a Deployment, its ReplicaSets and its pods are."""

REGION = "shop.gameday.dev/region"
"""The region a part of the shop serves, wherever its pods run; ``global``: none of them alone."""

MADE = "shop.gameday.dev/made"
"""On a namespace that gameday made for the shop, so that it may take it away whole."""

SELECTOR = SERVICE
"""Label selector of everything that is a part of the shop."""
