"""Calls from one service to the next."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from opentelemetry import propagate

from chassis import telemetry
from chassis.errors import Unavailable
from chassis.settings import TOKEN


@dataclass(frozen=True)
class Client:
    """Calls one downstream service; every call has a connection of its own."""

    downstream: str
    host: str
    port: int
    timeout_seconds: float

    def __post_init__(self) -> None:
        for code in ("200", "503", "none"):
            telemetry.CALLED.labels(self.downstream, code)

    def post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the downstream's answer; `Unavailable` where there is no good one."""
        watch = telemetry.Stopwatch()
        code = "none"
        with telemetry.calling(
            f"POST {self.downstream}",
            self.downstream,
            **{"http.request.method": "POST", "url.path": path},
        ) as span:
            try:
                status, body = self._exchange(path, json.dumps(payload).encode())
                code = str(status)
                span.set_attribute("http.response.status_code", status)
                if status != 200:
                    telemetry.failed(span, f"{self.downstream} answered {status}")
                    raise Unavailable(f"{self.downstream} answered {status}")
                answer: dict[str, Any] = json.loads(body)
                return answer
            except (OSError, http.client.HTTPException, ValueError) as error:
                span.set_attribute("error.type", type(error).__name__)
                raise Unavailable(f"no answer from {self.downstream}: {error}") from error
            finally:
                telemetry.CALLED.labels(self.downstream, code).observe(
                    watch.seconds(), {"trace_id": telemetry.current_trace_id()}
                )

    def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if TOKEN:
            headers["Authorization"] = f"Bearer {TOKEN}"
        propagate.inject(headers)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_seconds)
        try:
            connection.request("POST", path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
