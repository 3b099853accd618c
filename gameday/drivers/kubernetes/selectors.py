"""Label selectors: the text people write, as the object that manifests hold."""

from __future__ import annotations

import re
from typing import Any

from gameday.errors import UsageError

_REQUIREMENT = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<key0>[\w./-]+)
      | (?P<key1>[\w./-]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key2>[\w./-]+)\s*(?P<equal>==?|!=)\s*(?P<value>[\w.-]*)
      | (?P<key3>[\w./-]+)
    )\s*(?:,|$)""",
    re.VERBOSE,
)


def parsed(selector: str) -> dict[str, Any]:
    """Return a selector such as ``app=shop,region in (a, b),!canary`` as a LabelSelector.

    Raises:
        UsageError: the text is no selector.
    """
    equal: dict[str, str] = {}
    others: list[dict[str, Any]] = []
    position = 0
    while position < len(selector):
        found = _REQUIREMENT.match(selector, position)
        if found is None or found.end() == position:
            raise UsageError(
                f"{selector!r} is no label selector at {selector[position:]!r}; write it as kubectl"
                " does: app=shop,region in (eu, us)"
            )
        position = found.end()
        key = next(found[k] for k in ("key0", "key1", "key2", "key3") if found[k])
        if found["absent"]:
            others.append({"key": key, "operator": "DoesNotExist"})
        elif found["set"]:
            operator = "In" if found["set"] == "in" else "NotIn"
            values = [v.strip() for v in found["values"].split(",") if v.strip()]
            others.append({"key": key, "operator": operator, "values": values})
        elif found["equal"] == "!=":
            others.append({"key": key, "operator": "NotIn", "values": [found["value"]]})
        elif found["equal"]:
            equal[key] = found["value"]
        else:
            others.append({"key": key, "operator": "Exists"})
    return {
        **({"matchLabels": equal} if equal else {}),
        **({"matchExpressions": others} if others else {}),
    }


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether labels satisfy a LabelSelector."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", ()):
        has, value = rule["key"] in labels, labels.get(rule["key"])
        holds = {
            "In": has and value in rule.get("values", ()),
            "NotIn": not has or value not in rule.get("values", ()),
            "Exists": has,
            "DoesNotExist": not has,
        }[rule["operator"]]
        if not holds:
            return False
    return True
