"""The runbooks and rule files that a command names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import Problem, SpecError, UsageError
from gameday.learning.runbook_page import RunbookPage, page_of
from gameday.model.alerting_rule import AlertingRule
from gameday.spec.alerting_rules import holds_rules, read_alerting_rules
from gameday.spec.document import read_documents, read_text, separated
from gameday.spec.tree import quoted

__all__ = ["Shelf", "shelf_of"]

_YAML = (".yaml", ".yml")
_NO_RUNBOOK = frozenset({"readme.md", "index.md", "_index.md", "contributing.md", "license.md"})
"""Files of a folder of runbooks that tell of the folder."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What stands in the files.

    Attributes:
        pages: the runbooks, ordered by file.
        rules: the alerting rules, likewise.
        unreadable: what makes a file unreadable; the others are read all the same.
    """

    pages: Sequence[RunbookPage]
    rules: Sequence[AlertingRule]
    unreadable: Sequence[Problem]


def shelf_of(paths: Iterable[Path]) -> Shelf:
    """Return what stands in files, and in everything under folders.

    In a folder, YAML that holds no Prometheus rules is left alone, and so are the pages that tell
    of the folder itself.

    Raises:
        UsageError: a path is not there, or a file is neither Markdown nor YAML.
    """
    pages: dict[Path, RunbookPage] = {}
    rules: dict[Path, list[AlertingRule]] = {}
    unreadable: list[Problem] = []
    for path, is_named in _files(paths):
        try:
            if path.suffix == ".md":
                pages[path] = page_of(read_text(path), str(path))
            elif is_named or _has_rules(path):
                rules[path] = read_alerting_rules(path)
        except SpecError as error:
            unreadable += error.problems
    return Shelf(
        [pages[path] for path in sorted(pages)],
        [rule for path in sorted(rules) for rule in rules[path]],
        unreadable,
    )


def _files(paths: Iterable[Path]) -> Iterable[tuple[Path, bool]]:
    for path in paths:
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.suffix in (".md", *_YAML) and found.name.lower() not in _NO_RUNBOOK:
                    yield found, False
        elif not path.exists():
            raise UsageError(
                f"there is no file or folder {quoted(str(path))}: give runbooks, rule files, or"
                " folders of them"
            )
        elif path.suffix in (".md", *_YAML):
            yield path, True
        else:
            raise UsageError(
                f"{quoted(str(path))} is neither Markdown nor YAML: give runbooks (.md), rule files"
                " (.yaml), or folders of them"
            )


def _has_rules(path: Path) -> bool:
    try:
        return any(holds_rules(document) for document in separated(read_documents(path)))
    except SpecError:  # a template of something else, as a rule
        return False
