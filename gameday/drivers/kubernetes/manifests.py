"""Manifests, put into a namespace as they stand: read from a folder with a kustomization.

Only what our own manifests use of kustomize is understood: `resources` and `namespace`. Each object
is applied by the server (server-side apply), in the version of its kind that the server offers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.drivers.kubernetes.refusals import ClusterRequest, refusal
from gameday.errors import PermanentDriverError

__all__ = ["apply", "plural_of", "read_manifests"]

MANAGER = "gameday"

_PLURALS = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Namespace": "namespaces",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
}


def read_manifests(folder: Path, *, namespace: str) -> Sequence[Object]:
    """Return every object of a kustomization, moved into a namespace, in its order.

    Raises:
        PermanentDriverError: the folder has no kustomization, or one of its files cannot be read.
    """
    import yaml

    try:
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        documents = [
            document
            for name in listed["resources"]
            for document in yaml.safe_load_all((folder / name).read_text(encoding="utf-8"))
            if document
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise PermanentDriverError(f"the manifests in {folder} cannot be read: {error}") from error
    return [_moved(document, namespace) for document in documents]


def _moved(document: Object, namespace: str) -> Object:
    metadata = dict(document["metadata"])
    if document["kind"] == "Namespace":
        metadata["name"] = namespace
    else:
        metadata["namespace"] = namespace
    moved = {**document, "metadata": metadata}
    if document["kind"] == "RoleBinding":
        moved["subjects"] = [{**s, "namespace": namespace} for s in document["subjects"]]
    return moved


def plural_of(document: Mapping[str, Any]) -> str:
    """Return what the API calls the objects of a document's kind.

    Raises:
        PermanentDriverError: none of our manifests is of this kind.
    """
    kind = str(document["kind"])
    if kind not in _PLURALS:
        raise PermanentDriverError(
            f"gameday applies no {kind}: it knows {', '.join(sorted(_PLURALS))}"
        )
    return _PLURALS[kind]


def apply(cluster: Cluster, document: Object) -> Object:
    """Have the server make this object what it should be, and return it.

    Raises:
        DriverError: the server does not answer, or says no.
    """
    plural = plural_of(document)
    resource = cluster.resource(plural)
    metadata = document["metadata"]
    namespace, name = str(metadata.get("namespace", "")), str(metadata["name"])
    # The version of the manifest is what is current; the server may be older.
    body = {**document, "apiVersion": resource.api_version}
    answer = cluster.exchange(
        "PATCH",
        f"{resource.path(namespace, name)}?fieldManager={MANAGER}&force=true",
        body=json.dumps(body).encode(),
        content_type="application/apply-patch+yaml",
    )
    if answer.status >= 300:
        request = ClusterRequest("patch", plural, namespace, name)
        raise refusal(
            answer.status, answer.headers, answer.body, request=request, cluster=cluster.context
        )
    applied: dict[str, Any] = json.loads(answer.body)
    return applied
