"""Prometheus' own judgement of an expression: by a server, or by promtool.

Both name what is wrong and where in the expression; neither needs a rule to be loaded.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.tool import HttpTool

__all__ = ["Promtool", "PromqlServer"]

AT_ONCE = 8
"""Questions a server is asked at the same time."""

AT_A_TIME = 5000
"""Expressions one promtool is given: tens of thousands in one file take memory, not less time."""

_REFUSED_RULE = re.compile(r'rule (\d+), "[^"]*": could not parse expression: (.*)')


class PromqlServer:
    """A Prometheus server that is asked whether it can read expressions."""

    def __init__(self, url: str, *, timeout: timedelta = timedelta(seconds=10)) -> None:
        """Name the server; nothing is opened until the first question."""
        self._tool = HttpTool("Prometheus", url, timeout=timeout, tries=1)
        self.url = self._tool.url

    async def faults(self, expressions: Sequence[str]) -> list[str]:
        """Return what the server's parser says of each expression; empty where it can read it.

        Raises:
            TemporaryDriverError: the server does not answer.
            PermanentDriverError: what answers there is no Prometheus.
        """
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(expression: str) -> str:
            async with limit:
                return await self._fault(expression)

        async with self._tool.kept_open():
            return list(await asyncio.gather(*(one(e) for e in expressions)))

    async def _fault(self, expression: str) -> str:
        answer = await self._tool.ask(
            "POST", "/api/v1/format_query", form={"query": expression}, accept=range(300, 600)
        )
        if answer.status in (404, 405):
            # Before 2.37 there is nothing but a query to ask; at the beginning of time it finds
            # no data and costs nothing.
            asked = {"query": expression, "time": "0"}
            answer = await self._tool.ask(
                "POST", "/api/v1/query", form=asked, accept=range(300, 600)
            )
        try:
            said = answer.json()
            status, message = said["status"], str(said.get("error", ""))
        except (ValueError, KeyError, TypeError) as error:
            raise PermanentDriverError(
                f"{self.url} answers, but not as Prometheus does: check the URL"
            ) from error
        if status == "success":
            return ""
        if answer.status != 400:
            raise TemporaryDriverError(f"Prometheus at {self.url} refuses to parse: {message}")
        return _plain(message)


class Promtool:
    """The parser of the promtool that is installed beside Prometheus."""

    def __init__(self, program: str = "promtool") -> None:
        self._program = shutil.which(program)

    def is_installed(self) -> bool:
        """Return whether there is one."""
        return self._program is not None

    def faults(self, expressions: Sequence[str]) -> list[str]:
        """Return what promtool says of each expression; empty where it can read it.

        Raises:
            PermanentDriverError: there is no promtool, or it says something else than which
                expressions it refuses.
        """
        if self._program is None:
            raise PermanentDriverError("promtool is not installed; it comes with Prometheus")
        return [
            fault
            for start in range(0, len(expressions), AT_A_TIME)
            for fault in self._faults(self._program, expressions[start : start + AT_A_TIME])
        ]

    def _faults(self, program: str, expressions: Sequence[str]) -> list[str]:
        # JSON is YAML, and its writer is quick.
        rules = [{"record": f"r{n}", "expr": e} for n, e in enumerate(expressions)]
        with tempfile.TemporaryDirectory(prefix="gameday-") as folder:
            path = Path(folder) / "expressions.yaml"
            path.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}), "utf-8")
            try:
                done = subprocess.run(
                    [program, "check", "rules", str(path)],
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=120,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise PermanentDriverError(f"promtool cannot be run: {error}") from error
        faults = [""] * len(expressions)
        for number, message in _REFUSED_RULE.findall(done.stdout + done.stderr):
            faults[int(number) - 1] = _plain(message)
        if done.returncode and not any(faults):
            raise PermanentDriverError(f"promtool refuses the expressions: {done.stderr.strip()}")
        return faults


def _plain(message: str) -> str:
    found = re.search(r"(\d+):(\d+): parse error: (.*)", message, re.DOTALL)
    if found:
        line, column, said = found.groups()
        return f"{' '.join(said.split())} (line {line}, character {column})"
    return " ".join(message.removeprefix('invalid parameter "query": ').split()) or "refused"
