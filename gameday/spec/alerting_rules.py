"""Alerting rules out of Prometheus' rule files, and out of the Prometheus Operator's documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gameday.errors import SpecError
from gameday.model.alerting_rule import AlertingRule
from gameday.spec.document import Document, read_documents, separated
from gameday.spec.tree import FieldPath

__all__ = ["holds_rules", "read_alerting_rules"]

_OPERATORS = "PrometheusRule"


def read_alerting_rules(path: Path | str) -> list[AlertingRule]:
    """Return the alerting rules of a file, in order.

    Lenient: what Prometheus would refuse about a rule beside its name is not looked at.

    Raises:
        SpecError: the file cannot be read, or holds no rule groups.
    """
    documents = separated(read_documents(path))
    if not any(holds_rules(document) for document in documents):
        raise SpecError(
            [
                documents[0].problem(
                    (),
                    "holds no groups of Prometheus rules",
                    "give a rule file, or a runbook (.md)",
                )
            ]
        )
    return [rule for document in documents for rule in _rules(document)]


def holds_rules(document: Document) -> bool:
    """Return whether a document has groups of rules, as Prometheus or its operator read them."""
    return any(True for _ in _groups(document))


def _groups(document: Document) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    """Yield every mapping that has groups of rules, each with where it stands."""
    for at, data in _bodies(document.data, ()):
        groups = data.get("groups")
        for number, group in enumerate(groups if isinstance(groups, list) else ()):
            if isinstance(group, dict) and isinstance(group.get("rules"), list):
                yield (*at, "groups", number), group


def _bodies(data: Any, at: FieldPath) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    if not isinstance(data, dict):
        return
    if isinstance(data.get("groups"), list):
        yield at, data
    spec, items = data.get("spec"), data.get("items")
    if data.get("kind") == _OPERATORS and isinstance(spec, dict):
        yield (*at, "spec"), spec
    for number, item in enumerate(items if isinstance(items, list) else ()):
        yield from _bodies(item, (*at, "items", number))


def _rules(document: Document) -> Iterator[AlertingRule]:
    for at, group in _groups(document):
        for number, rule in enumerate(group["rules"]):
            name = rule.get("alert") if isinstance(rule, dict) else None
            if not isinstance(name, str) or not name:
                continue
            yield AlertingRule(
                name=name,
                place=document.file,
                line=document.line((*at, "rules", number)),
                group=str(group.get("name", "")),
                labels=_texts(rule.get("labels")),
                annotations=_texts(rule.get("annotations")),
            )


def _texts(raw: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in raw.items()} if isinstance(raw, dict) else {}
