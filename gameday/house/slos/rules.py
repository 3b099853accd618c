"""Rule files of SLOs: checked by Prometheus where one can be asked, and written whole."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gameday.drivers.promql import PromqlServer, Promtool
from gameday.errors import Problem, SpecError, UsageError
from gameday.model.slo import Slo
from gameday.rules.rule_tests import rule_tests
from gameday.rules.slo_rules import prometheus_rules
from gameday.spec.openslo.promql import over
from gameday.spec.tree import MAX_PROBLEMS, quoted


def check_queries(slos: Iterable[Slo], *, prometheus: str = "") -> str:
    """Have every PromQL expression of these SLOs parsed, and return by whom; empty: by nobody.

    Args:
        prometheus: URL of a server to ask; where it is empty, promtool is asked if it is there.

    Raises:
        SpecError: the expressions that cannot be parsed, with file and line.
        DriverError: the server does not answer.
    """
    written = {q.text: q for slo in slos for q in slo.queries}
    expressions = [over(text, "5m") for text in written]
    promtool = Promtool()
    if prometheus:
        faults = asyncio.run(PromqlServer(prometheus).faults(expressions))
    elif promtool.is_installed():
        faults = promtool.faults(expressions)
    else:
        return ""
    problems = [
        Problem(q.file, q.line, q.field, f"{quoted(q.text)} is no PromQL: {fault}", "correct it")
        for q, fault in zip(written.values(), faults, strict=True)
        if fault
    ]
    if problems:
        raise SpecError(problems[:MAX_PROBLEMS])
    return prometheus or "promtool"


def write_rules(
    slos: Sequence[Slo],
    folder: Path,
    *,
    time_scale: float = 1.0,
    deeplinks: Mapping[str, str] | None = None,
    with_tests: bool = False,
) -> list[Path]:
    """Write one rule file per SLO (``<id>.rules.yaml``) and return their paths, tests included.

    Everything is written beside first and moved into place when all of it is there: after an
    error, or a full disk, the folder is as it was.

    Args:
        with_tests: also write unit tests for ``promtool test rules``, ``<id>.test.yaml``, and
            ``<id>.<window>.test.yaml`` for branches with longer windows.

    Raises:
        UsageError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".gameday-", dir=folder))
    except OSError as error:
        raise UsageError(f"cannot write to {quoted(str(folder))}: {error.strerror}") from error
    try:
        names = []
        for slo in slos:
            rules = f"{slo.id}.rules.yaml"
            text = prometheus_rules(slo, time_scale=time_scale, deeplinks=deeplinks)
            (draft / rules).write_text(text, encoding="utf-8")
            names.append(rules)
            if with_tests:
                tests = rule_tests(slo, rule_file=rules, time_scale=time_scale)
                for window, text in tests.items():
                    name = f"{slo.id}.{window}.test.yaml" if window else f"{slo.id}.test.yaml"
                    (draft / name).write_text(text, encoding="utf-8")
                    names.append(name)
        for name in names:
            (draft / name).replace(folder / name)
    except OSError as error:
        raise UsageError(f"cannot write to {quoted(str(folder))}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(draft)
    return [folder / name for name in names]
