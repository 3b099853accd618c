"""Small servers that speak what tools which know of deploys have published of their APIs.

Shapes: https://docs.github.com/en/rest/deployments (2022-11-28), Argo CD's
``pkg/apis/application/v1alpha1/types.go`` (`RevisionHistory`), Grafana's HTTP API of annotations.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gameday.testing.served import PatientServer

Answer = Callable[[str, dict[str, str], dict[str, str]], Any]
"""(path, parameters, headers) → what is answered as JSON; `KeyError`: there is no such thing."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Yield the URL of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            try:
                status, said = 200, answer(parts.path, asked, dict(self.headers))
            except PermissionError:
                status, said = 401, {"message": "Bad credentials"}
            except KeyError:
                status, said = 404, {"message": "Not Found"}
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = PatientServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Github:
    """One repository's deployments: newest first, a page at a time, each with its statuses."""

    repository, token = "books/shop", "ghs_16C7e42F292c6912E7710c838347Ae178B4a"

    def __init__(self) -> None:
        self.deployments: list[dict[str, Any]] = []
        self.statuses: dict[int, list[dict[str, Any]]] = {}

    def deployment(self, sha: str, created_at: str, *, environment: str = "production") -> int:
        number = len(self.deployments) + 1
        self.deployments.append(
            {
                "url": f"https://api.github.com/repos/{self.repository}/deployments/{number}",
                "id": number,
                "node_id": "MDEwOkRlcGxveW1lbnQx",
                "sha": sha,
                "ref": "main",
                "task": "deploy",
                "payload": {},
                "original_environment": environment,
                "environment": environment,
                "description": None,
                "creator": {"login": "octocat", "id": 1},
                "created_at": created_at,
                "updated_at": created_at,
                "transient_environment": False,
                "production_environment": True,
            }
        )
        return number

    def status(self, deployment: int, state: str, created_at: str) -> None:
        self.statuses.setdefault(deployment, []).insert(
            0,
            {
                "id": 1,
                "state": state,
                "description": "",
                "environment": "production",
                "created_at": created_at,
                "updated_at": created_at,
            },
        )

    def __call__(self, path: str, asked: dict[str, str], headers: dict[str, str]) -> Any:
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise PermissionError
        root = f"/repos/{self.repository}/deployments"
        size, page = int(asked.get("per_page", 30)), int(asked.get("page", 1))
        if path == root:
            wanted = asked.get("environment")
            listed = [d for d in reversed(self.deployments) if wanted in (None, d["environment"])]
            return listed[(page - 1) * size : page * size]
        number = int(path.removeprefix(f"{root}/").removesuffix("/statuses"))
        return self.statuses.get(number, [])[:size]


class Argo:
    """One application, with the history of its syncs: oldest first, as it is kept."""

    application, token = "checkout", "eyJhbGciOiJIUzI1NiJ9.e30.x"

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []

    def synced(self, revision: str, at: str, **other: Any) -> None:
        self.history.append(
            {
                "revision": revision,
                "deployedAt": at,
                "deployStartedAt": at,
                "id": len(self.history),
                "source": {
                    "repoURL": "https://git.example/books/deploy.git",
                    "path": "checkout",
                    "targetRevision": "HEAD",
                },
                "initiatedBy": {"automated": True},
                **other,
            }
        )

    def __call__(self, path: str, asked: dict[str, str], headers: dict[str, str]) -> Any:
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise PermissionError
        if path != f"/api/v1/applications/{self.application}":
            raise KeyError(path)
        status = {"history": self.history} if self.history else {}
        return {
            "metadata": {"name": self.application, "namespace": "argocd"},
            "spec": {"project": "default"},
            "status": {**status, "sync": {"status": "Synced"}},
        }


class Grafana:
    """Annotations: those of a span that bear all tags asked for, the newest first."""

    token = "glsa_HOruNAb7SOiCdshU8algkrq7FDsNSLAa_55e2f8be"

    def __init__(self) -> None:
        self.annotations: list[dict[str, Any]] = []

    def mark(self, milliseconds: int, *tags: str) -> None:
        self.annotations.append(
            {
                "id": len(self.annotations) + 1,
                "time": milliseconds,
                "timeEnd": milliseconds,
                "text": "a deploy",
                "tags": list(tags),
            }
        )

    def __call__(self, path: str, asked: dict[str, str], headers: dict[str, str]) -> Any:
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise PermissionError
        if path != "/api/annotations":
            raise KeyError(path)
        since, until = int(asked["from"]), int(asked["to"])
        found = [
            a
            for a in self.annotations
            if since <= a["time"] <= until and asked["tags"] in a["tags"]
        ]
        return sorted(found, key=lambda a: -a["time"])[: int(asked["limit"])]
