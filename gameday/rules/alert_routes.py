"""Whom an Alertmanager's routes tell of an alert: its configuration in, receivers out. No I/O.

Source: Alertmanager's documentation, "Configuration", sections *route* and *matcher*: the first
child that matches takes the alert, further ones only behind ``continue``; where none does, the
route itself. A label that is absent is an empty one, and regular expressions are anchored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MATCHER = re.compile(
    r"""\s*"?(?P<name>[^"=!~{},\s]+)"?\s*(?P<sign>=~|!~|!=|=)\s*
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^,}\s]*))\s*(?:,|$)""",
    re.VERBOSE,
)

HOOK = "/hooks/alertmanager"
"""How the URL of gameday's webhook goes on, with a token behind it in a run."""

_DEEPEST = 32


def receivers(configuration: Mapping[str, Any], labels: Mapping[str, str]) -> Sequence[str]:
    """Return the names of the receivers that an alert with these labels reaches, in order, once."""
    root = configuration.get("route")
    if not isinstance(root, Mapping):
        return ()
    found = _reached(root, labels, inherited="", depth=0)
    return tuple(dict.fromkeys(name for name in found if name))


def tells_somebody(configuration: Mapping[str, Any], receiver: str) -> bool:
    """Return whether a receiver has a way of telling anybody (a webhook, a pager, mail)."""
    return any(
        key.endswith("_configs") and value
        for one in _maps(configuration.get("receivers"))
        if one.get("name") == receiver
        for key, value in one.items()
    )


def hooks_of(configuration: Mapping[str, Any], receiver: str) -> Sequence[str | None]:
    """Return where the webhooks of a receiver lead; None for each whose address is hidden."""
    return tuple(
        None if not url or "<secret>" in url else url.rstrip("/")
        for one in _maps(configuration.get("receivers"))
        if one.get("name") == receiver
        for hook in _maps(one.get("webhook_configs"))
        for url in [str(hook.get("url") or "")]
    )


def matches_all(matchers: Sequence[str], labels: Mapping[str, str]) -> bool:
    """Return whether an alert with these labels fits every matcher, so far as they are known.

    A matcher of a label that is not among them fits nothing: the alert may bear it, or not.
    """
    names = [found["name"] for text in matchers if (found := _MATCHER.match(text.strip()))]
    return (
        len(names) == len(matchers)
        and all(name in labels for name in names)
        and all(_holds(text, labels) for text in matchers)
    )


def past_gameday(configuration: Mapping[str, Any], labels: Mapping[str, str]) -> Sequence[str]:
    """Return what should be known about where an alert goes besides gameday; may be empty.

    gameday is known by the URL of its webhook, or by its name where Alertmanager hides the URL.
    """
    reached = receivers(configuration, labels)
    others = [name for name in reached if not _is_gameday(configuration, name)]
    said = ", ".join(repr(name) for name in others)
    if not reached:
        return ()
    if len(others) == len(reached):
        return (
            f"the page of this drill goes to {said} and not to gameday: the real rota will be "
            f"paged, and the run will not see it; route it to a webhook that ends in {HOOK}",
        )
    if others:
        return (
            f"the page of this drill also goes to {said}, past gameday: the real rota will be"
            " paged",
        )
    return ()


def _is_gameday(configuration: Mapping[str, Any], name: str) -> bool:
    for receiver in _maps(configuration.get("receivers")):
        if receiver.get("name") != name:
            continue
        # Anything it does besides is past gameday as well.
        ways = [key for key, value in receiver.items() if key.endswith("_configs") and value]
        hooks = list(_maps(receiver.get("webhook_configs")))
        urls = [str(hook.get("url", "")) for hook in hooks]
        is_hidden = all("secret" in url for url in urls) and "gameday" in name.lower()
        return ways == ["webhook_configs"] and (is_hidden or all(HOOK in url for url in urls))
    return False


def _reached(
    route: Mapping[str, Any], labels: Mapping[str, str], *, inherited: str, depth: int
) -> Iterator[str]:
    receiver = str(route.get("receiver") or inherited)
    took_it = False
    for child in _maps(route.get("routes")) if depth < _DEEPEST else ():
        if not _matches(child, labels):
            continue
        took_it = True
        yield from _reached(child, labels, inherited=receiver, depth=depth + 1)
        if not child.get("continue"):
            return
    if not took_it:
        yield receiver


def _matches(route: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    for name, value in _pairs(route.get("match")):
        if labels.get(name, "") != value:
            return False
    for name, pattern in _pairs(route.get("match_re")):
        if not _fits(pattern, labels.get(name, "")):
            return False
    matchers = route.get("matchers")
    texts = matchers if isinstance(matchers, list) else [matchers] if matchers else []
    return all(_holds(str(text), labels) for text in texts)


def _holds(text: str, labels: Mapping[str, str]) -> bool:
    text = text.strip().removeprefix("{").removesuffix("}")
    at = 0
    while at < len(text):
        found = _MATCHER.match(text, at)
        if found is None or found.end() == at:
            return False
        at = found.end()
        quoted = found["quoted"]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found["bare"]
        label = labels.get(found["name"], "")
        fits = _fits(value, label) if "~" in found["sign"] else label == value
        if fits == found["sign"].startswith("!"):
            return False
    return True


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        # Of Go's dialect and not of Python's: told of rather than passed over.
        return True


def _pairs(raw: object) -> Iterator[tuple[str, str]]:
    if isinstance(raw, Mapping):
        yield from ((str(k), str(v)) for k, v in raw.items())


def _maps(raw: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(raw, list):
        yield from (one for one in raw if isinstance(one, Mapping))
