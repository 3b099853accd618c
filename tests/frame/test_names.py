"""One word per idea: two classes share a name only where it is one word of the field, twice."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = ROOT / "gameday/sandbox/shop/source", ROOT / "gameday/testing"
"""A stranger's code, and fakes and contracts: each is met in the tests of one thing."""

ALLOWED: Mapping[str, str] = {
    "Answer": "of an HTTP request, to each of the clients that speak it; and of a pager to a page",
    "Counters": "of an SLI as Prometheus holds them, and ready to be asked for rates",
    "Culprit": "the scenario's, and the same as the judges read it, who know no scenario",
    "Problem": "what is wrong in a file, and the body of an HTTP answer that says so (RFC 9457)",
    "Proxy": "Toxiproxy's word: ours that speaks its API, and the driver's view of any",
    "Recorded": "a fact as the store has it, and the answer to whoever sent it",
    "Refusal": "of a run, and of a request by the sandbox's store of telemetry",
    "Selector": "of labels, in Prometheus' language and in Pyroscope's",
    "Severity": "of a burn-rate alert, and of a page in PagerDuty's own four words",
    "Toxic": "Toxiproxy's word: ours that speaks its API, and the driver's view of any",
}
"""What is called alike, and why it may be."""


def defined() -> Mapping[str, list[str]]:
    """Return where each public class of ours is defined."""
    found = defaultdict(list)
    for package in ("gameday", "scoring"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if any(folder in path.parents for folder in LEFT_OUT):
                continue
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_two_classes_share_a_name_only_where_the_field_has_one_word_for_both() -> None:
    twice = {name: places for name, places in defined().items() if len(places) > 1}

    assert {} == {name: places for name, places in twice.items() if name not in ALLOWED}
