"""What people send from a page: urlencoded fields, and the findings they make. Pure.

The fields of a finding are the keys of `gameday.model.page.Finding`; the sentence is put together
from them where its author leaves it empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request

from gameday.errors import UsageError
from gameday.model.page import Finding, RedShape, Step
from gameday.server.body import WORD_LIMIT, TooLarge

LONGEST = 10_000
"""Characters of one field."""

MOST_FIELDS = 200
NOTHING = "-"
"""What a choice sends for *none of these*."""


class FormFields:
    """The fields of one form."""

    def __init__(self, sent: Mapping[str, Sequence[str]]) -> None:
        self._sent = sent

    def one(self, name: str) -> str:
        """Return a field's last value without the space around it; empty where it is missing."""
        values = self._sent.get(name) or [""]
        return values[-1].strip()[:LONGEST]

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field."""
        return tuple(v.strip()[:LONGEST] for v in self._sent.get(name, ()))

    def choice(self, name: str) -> str | None:
        """Return a choice; None for *none of these*."""
        value = self.one(name)
        return None if value in ("", NOTHING) else value

    def starting(self, prefix: str) -> dict[str, str]:
        """Return the fields whose names begin so, without the beginning."""
        return {n.removeprefix(prefix): self.one(n) for n in self._sent if n.startswith(prefix)}


async def fields_of(request: Request) -> FormFields:
    """Return the fields of a form.

    Raises:
        TooLarge: there is more than is read.
        UsageError: it is no form of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UsageError("a form is sent as application/x-www-form-urlencoded")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > WORD_LIMIT:
            raise TooLarge(f"the form is larger than {WORD_LIMIT} bytes")
    try:
        sent = parse_qs(
            raw.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="replace",
        )
    except ValueError as error:
        raise UsageError("the form cannot be read") from error
    return FormFields(sent)


def finding_of(step: Step, fields: FormFields) -> Finding:
    """Return the finding of a form.

    Raises:
        UsageError: a field is missing or cannot be what it says.
    """
    match step:
        case Step.RED:
            detail, words = _red(fields)
        case Step.TRACE:
            detail, words = _trace(fields)
        case Step.PROFILE:
            detail, words = _profile(fields)
        case Step.BLAME:
            detail, words = _blame(fields)
        case _:
            raise UsageError(f"{step} has no form of its own; start the mitigation instead")
    return Finding(step=step, summary=fields.one("summary") or words, detail=detail)


def _red(fields: FormFields) -> tuple[dict[str, Any], str]:
    told = fields.all("moved")
    moved = [m for m in ("rate", "errors", "duration") if m in told]
    if not moved and NOTHING not in told:
        raise UsageError("which of rate, errors and duration moved? Tick them, or that none did")
    try:
        shape = RedShape(fields.choice("shape") or "unknown")
    except ValueError as error:
        raise UsageError(f"there is no shape {fields.one('shape')!r}") from error
    region = fields.choice("region")
    detail = {
        "moved": moved,
        "shape": shape.value,
        "onset": fields.choice("onset"),
        "region": region,
    }
    what = " and ".join(moved) if moved else "neither rate, errors nor duration"
    form = "" if shape is RedShape.UNKNOWN else f", a {shape.value}"
    return detail, f"{what} moved in {region or 'every region'}{form}"


def _trace(fields: FormFields) -> tuple[dict[str, Any], str]:
    service = fields.choice("service")
    if service is None:
        raise UsageError("which service holds the bulk of the time? Choose one")
    downstream, region = fields.choice("downstream"), fields.choice("region")
    errors = fields.one("errors") == "on"
    detail = {
        "service": service,
        "downstream": downstream,
        "region": region,
        "span": fields.choice("span"),
        "bulk_ratio": _ratio(fields, "bulk_ratio"),
        "traces": [t for t in fields.one("traces").split(",") if t],
        "errors": errors,
    }
    place = f"{service} waiting for {downstream}" if downstream else service
    where = f" in {region}" if region else ""
    return detail, f"{place} {'fails' if errors else 'is slow'}{where}"


def _profile(fields: FormFields) -> tuple[dict[str, Any], str]:
    if fields.one("where") not in ("on-cpu", "off-cpu"):
        raise UsageError("is the time spent working or waiting? Choose one")
    off_cpu = fields.one("where") == "off-cpu"
    function, waiting = fields.choice("function"), fields.choice("waiting_in")
    if off_cpu and not waiting:
        raise UsageError("off-CPU, waiting in what? Say it in the field beside")
    if not off_cpu and not function:
        raise UsageError("which function is the widest leaf? Say it, or choose off-CPU")
    line = fields.one("line")
    detail = {
        "trace_id": fields.choice("trace_id"),
        "service": fields.choice("service"),
        "function": function,
        "file": fields.choice("file"),
        "line": int(line) if line.isdecimal() else None,
        "share_ratio": _ratio(fields, "share_ratio"),
        "off_cpu": off_cpu,
        "waiting_in": waiting if off_cpu else None,
    }
    words = f"off-CPU, waiting in {waiting}" if off_cpu else f"{function} is the widest leaf"
    return detail, words


def _blame(fields: FormFields) -> tuple[dict[str, Any], str]:
    said = fields.one("explained")
    if said not in ("yes", "no"):
        raise UsageError("does a change explain it? Choose yes or no")
    commit = fields.choice("commit")
    if said == "yes" and not commit:
        raise UsageError("which commit explains it? Say at least seven digits of it")
    detail = {
        "explained": said == "yes",
        "commit": commit if said == "yes" else None,
        "author_role": "author" if said == "yes" else None,
        "function": fields.choice("function"),
        "file": fields.choice("file"),
    }
    if said == "no":
        return detail, "no change explains this"
    return detail, f"commit {str(commit)[:7]} explains it"


def _ratio(fields: FormFields, name: str) -> float | None:
    try:
        value = float(fields.one(name))
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
