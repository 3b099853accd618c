"""The text of a Prometheus rule file: groups of recordings and alerts, as YAML for people.

Written here and not by a YAML library: the shape is always the same, expressions stand in blocks
that can be read, and ten thousand SLOs are a hundred megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./:-]*(?<!:)\Z")
# What YAML 1.1 reads as a boolean or as nothing; Prometheus' parser still knows them all.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a group.

    Attributes:
        name: the series it records, or the alert it raises.
        expr: PromQL, over one line or several.
        labels: added to what the expression returns.
        is_alert: whether it raises an alert; else it records.
        wait: ``for`` as Prometheus writes durations; empty: none.
        annotations: of the alert; text with Prometheus' templates in it.
    """

    name: str
    expr: str
    labels: Mapping[str, str]
    is_alert: bool = False
    wait: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates in order, at one instant."""

    name: str
    rules: tuple[Rule, ...]
    comments: tuple[str, ...] = ()


def rule_file(groups: Iterable[Group], *, comment: str = "") -> Iterator[str]:
    """Yield the text of a rule file piece by piece, one piece per group.

    Args:
        comment: one line at the top, without its ``#``.
    """
    yield f"# {comment}\ngroups:\n" if comment else "groups:\n"
    for group in groups:
        yield "".join(_group(group))


@lru_cache(maxsize=4096)
def scalar(text: str) -> str:
    """Return a text as a YAML value on one line, quoted where it has to be."""
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    if not text.isprintable():
        escaped = "".join(_ESCAPES.get(c) or (c if c.isprintable() else _code(c)) for c in text)
        return f'"{escaped}"'
    return "'" + text.replace("'", "''") + "'"


def _code(character: str) -> str:
    code = ord(character)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _group(group: Group) -> Iterator[str]:
    for comment in group.comments:
        yield f"# {comment}\n"
    yield f"- name: {scalar(group.name)}\n  rules:\n"
    for rule in group.rules:
        yield f"  - {'alert' if rule.is_alert else 'record'}: {scalar(rule.name)}\n"
        yield _expression(rule.expr)
        if rule.wait:
            yield f"    for: {rule.wait}\n"
        yield _mapping("labels", rule.labels)
        if rule.annotations:
            yield _mapping("annotations", rule.annotations)


def _expression(expr: str) -> str:
    lines = expr.split("\n")
    if len(lines) == 1 or not all(line.replace("\t", "").isprintable() for line in lines):
        return f"    expr: {scalar(expr)}\n"
    body = "".join(f"      {line}\n" if line else "\n" for line in lines)
    return f"    expr: |-\n{body}"


def _mapping(name: str, values: Mapping[str, str]) -> str:
    body = "".join(f"      {key}: {scalar(value)}\n" for key, value in values.items())
    return f"    {name}:\n{body}"
