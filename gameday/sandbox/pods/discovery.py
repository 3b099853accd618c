"""Tells Prometheus which pods to ask: ``python -m gameday.sandbox.pods discovery --port N``.

Debian builds Prometheus without Kubernetes service discovery, so this process stands between: it
lists the pods of its own namespace and answers as Prometheus' HTTP service discovery wants it. A
pod is asked at its port called ``metrics``, and called as in the sandbox: ``service`` is its label
``shop.gameday.dev/service``, ``region`` its label ``shop.gameday.dev/region``.
"""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gameday.shop import REGION, SELECTOR, SERVICE

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PORT_NAME = "metrics"


def targets(pods: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods that count something, as HTTP service discovery lists them.

    One that has no address yet, or has ended, is left out; one that is being ended still counts.
    """
    found = []
    for pod in pods:
        status, spec = pod.get("status") or {}, pod.get("spec") or {}
        ports = [
            port["containerPort"]
            for container in spec.get("containers") or ()
            for port in container.get("ports") or ()
            if port.get("name") == PORT_NAME
        ]
        if status.get("phase") != "Running" or not status.get("podIP") or not ports:
            continue
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        found.append(
            {
                "targets": [f"{status['podIP']}:{ports[0]}"],
                "labels": {
                    "service": labels.get(SERVICE, ""),
                    "region": labels.get(REGION, ""),
                    "pod": metadata["name"],
                },
            }
        )
    return sorted(found, key=lambda one: str(one["labels"]["pod"]))


def create_app(http: httpx.AsyncClient, *, namespace: str, account: Path = ACCOUNT) -> Starlette:
    """Return the application; asks the API server anew each time, with the token of that moment."""

    async def listed(_request: Request) -> Response:
        token = (account / "token").read_text(encoding="utf-8").strip()
        try:
            answer = await http.get(
                f"/api/v1/namespaces/{namespace}/pods",
                params={"labelSelector": SELECTOR, "resourceVersion": "0"},
                headers={"Authorization": f"Bearer {token}"},
            )
            answer.raise_for_status()
            pods = answer.json()["items"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            # Prometheus keeps the list it has when it gets no new one.
            return JSONResponse({"error": f"the API server lists no pods: {error!r}"}, 503)
        return JSONResponse(targets(pods))

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"namespace": namespace})

    return Starlette(routes=[Route("/targets", listed), Route("/healthz", healthz)])


def main(options: Sequence[str]) -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.pods discovery")
    parser.add_argument("--port", type=int, default=9091)
    port = parser.parse_args(options).port

    import uvicorn

    host = os.environ["KUBERNETES_SERVICE_HOST"]
    server = f"[{host}]" if ":" in host else host
    http = httpx.AsyncClient(
        base_url=f"https://{server}:{os.environ['KUBERNETES_SERVICE_PORT']}",
        verify=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt")),
        timeout=5,
        trust_env=False,
    )
    namespace = (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    uvicorn.run(
        create_app(http, namespace=namespace),
        host="127.0.0.1",  # for the Prometheus in the same pod
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
