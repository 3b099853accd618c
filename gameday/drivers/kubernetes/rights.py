"""What whoever asks may do in a cluster, by its API server's own word."""

from __future__ import annotations

import json

from gameday.drivers.kubernetes.cluster import Cluster
from gameday.drivers.kubernetes.refusals import ClusterRequest

__all__ = ["may"]

REVIEWS = "selfsubjectaccessreviews"


def may(
    cluster: Cluster,
    verb: str,
    resource: str,
    namespace: str = "",
    name: str = "",
    *,
    subresource: str = "",
) -> bool:
    """Return whether the server grants a right now; everybody may ask that of themselves.

    Args:
        name: of one object; empty: any.
        subresource: of it: ``proxy``.

    Raises:
        DriverError: the API server does not answer, or does not serve the resource.
    """
    meant, reviews = cluster.resource(resource), cluster.resource(REVIEWS)
    wanted = {
        "verb": verb,
        "group": meant.api_version.rpartition("/")[0],
        "resource": meant.plural,
        "namespace": namespace,
        "name": name,
        **({"subresource": subresource} if subresource else {}),
    }
    request = ClusterRequest("create", REVIEWS)
    body = {
        "apiVersion": reviews.api_version,
        "kind": reviews.kind,
        "spec": {"resourceAttributes": wanted},
    }
    answer = cluster.send(request, "POST", reviews.path(), body=body)
    if answer.status >= 300:
        raise cluster.refused(answer, request)
    return bool((json.loads(answer.body).get("status") or {}).get("allowed"))
