"""An experiment's file → data, as Chaos Toolkit reads it, and the line of each value.

Chaos Toolkit goes by the file's ending: JSON by Python's parser, YAML by PyYAML's safe loader,
which is YAML 1.1: ``NO`` is false, ``0777`` is 511, ``12:30:00`` is 45000. Whoever validates,
plans or injects reads an experiment here, so that all of them see the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from gameday.errors import Problem, SpecError
from gameday.spec.document import Document, parse_documents, read_text, yaml_problems
from gameday.spec.json_text import ENDING
from gameday.spec.tree import MAX_PROBLEMS, Tree, unfolded

YAML_ENDINGS = (".yaml", ".yml")


def experiment_document(path: Path | str) -> Document:
    """Return the document in an experiment's file, whatever it holds.

    Raises:
        SpecError: the file cannot be read, or not as Chaos Toolkit reads it.
    """
    file = str(path)
    text = read_text(path)
    ending = Path(file).suffix
    if ending == ENDING:
        return parse_documents(text, file)[0]
    if ending not in YAML_ENDINGS:
        raise SpecError(
            [
                Problem(
                    file,
                    0,
                    "",
                    "Chaos Toolkit reads no file with this ending",
                    "name it .yaml, .yml or .json",
                )
            ]
        )
    return _yaml_document(text, file)


def _yaml_document(text: str, file: str) -> Document:
    # Events first: they hold every limit, and nothing is built of a text that is past one.
    tree = Tree(file, 1, loader=yaml.SafeLoader)
    try:
        roots = tree.roots(text)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(yaml_problems(error, text, file)) from error
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        line = next(_unreadable(text), 0)
        hint = "put quotes around it if it is text"
        raise SpecError(
            [Problem(file, line, "", f"a value cannot be read: {error}", hint)]
        ) from error
    if data is None:
        raise SpecError([*tree.problems, Problem(file, 0, "", "the file is empty")])
    lines = unfolded(roots[0])[1] if roots else {}
    return Document(file, data, lines, tuple(tree.problems[:MAX_PROBLEMS]))


def _unreadable(text: str) -> Iterator[int]:
    """Yield the lines whose values PyYAML takes for a date or a number and then cannot make."""
    loader = yaml.SafeLoader(text)
    found = [loader.get_single_node()]
    while found:
        node = found.pop(0)
        if isinstance(node, yaml.MappingNode):
            found += [n for pair in node.value for n in pair]
        elif isinstance(node, yaml.SequenceNode):
            found += node.value
        elif node is not None:
            try:
                loader.construct_object(node)
            except Exception:  # noqa: BLE001  # whatever it is, it is in this line
                yield node.start_mark.line + 1
