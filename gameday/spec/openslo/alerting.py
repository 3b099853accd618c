"""Alert policies: which burn rates over which windows raise a page or a ticket.

OpenSLO allows one condition per policy, and a condition has one window. A branch needs two: a long
one that shows the burn is sustained and a short one that shows it goes on. The condition's lookback
window is the long one; the short one is a twelfth of it, as in the Workbook, or what the annotation
``gameday/short-window`` of the condition or its policy says: the same, where the alert has one
window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.spec.document import Document
from gameday.spec.openslo.annotations import ON_ALERT, Annotations
from gameday.spec.openslo.fields import Fields
from gameday.spec.openslo.library import Library
from gameday.spec.tree import FieldPath, quoted
from scoring.slo import BurnWindow, Severity, nominal

SHORT = 12
"""The long window is this many short ones. Source: SRE Workbook, ch. 5, table 5-8."""

_SEVERITIES = {
    "page": Severity.PAGE,
    "critical": Severity.PAGE,
    "ticket": Severity.TICKET,
    "warning": Severity.TICKET,
}
_OPERATORS = ("gt", "gte")
_POLICY = (
    "description",
    "alertWhenNoData",
    "alertWhenResolved",
    "alertWhenBreaching",
    "conditions",
    "notificationTargets",
)
_CONDITION = ("kind", "op", "threshold", "lookbackWindow", "alertAfter")


@dataclass(frozen=True, slots=True)
class Policy:
    """What one alert policy asks for.

    Attributes:
        window: the branch; None where the policy does not alert on a breach.
        on_no_data: whether missing data raises an alert; None where the policy does not say.
    """

    window: BurnWindow | None
    on_no_data: bool | None


def read_policies(
    fields: Fields, spec: dict[str, Any], library: Library
) -> list[tuple[FieldPath, Policy]]:
    """Return the policies of an SLO with the place of each; those that are wrong are left out."""
    entries = spec.get("alertPolicies")
    at: FieldPath = ("spec", "alertPolicies")
    if entries is None:
        return []
    if not isinstance(entries, list):
        fields.complain(at, "must be a list", "write alertPolicies: [{alertPolicyRef: name}]")
        return []
    found = []
    for number, entry in enumerate(entries):
        place = (*at, number)
        target = _resolved(fields, place, entry, "AlertPolicy", "alertPolicyRef", library)
        if target is None:
            continue
        policy = read_policy(*target, library)
        if target[0] is not fields:
            fields.problems += target[0].problems
        if policy is not None:
            found.append((place, policy))
    return found


def read_policy(
    fields: Fields, at: FieldPath, holder: dict[str, Any], library: Library
) -> Policy | None:
    """Return the policy written at this path, a document's top or an inline object."""
    before = len(fields.problems)
    annotations = Annotations(fields, (*at, "metadata"), fields.metadata(at, holder), ON_ALERT)
    spec = fields.mapping(at, holder, "spec")
    at = (*at, "spec")
    fields.known(at, spec, _POLICY)
    breaching = fields.switch(at, spec, "alertWhenBreaching")
    on_no_data = fields.switch(at, spec, "alertWhenNoData")
    # Whether an alert that ends is told is for Alertmanager (`send_resolved`) to say.
    fields.switch(at, spec, "alertWhenResolved")
    _check_targets(fields, at, spec, library)
    window = _condition(fields, at, spec, annotations.span("short-window"), library)
    if len(fields.problems) > before or not spec:
        return None
    return Policy(window if breaching is not False else None, on_no_data)


def read_condition(
    fields: Fields, at: FieldPath, holder: dict[str, Any], *, short: timedelta | None = None
) -> BurnWindow | None:
    """Return the branch of a condition; None after complaining.

    Args:
        short: the short window that the policy names; the condition's own comes first.
    """
    before = len(fields.problems)
    annotations = Annotations(fields, (*at, "metadata"), fields.metadata(at, holder), ON_ALERT)
    spec = fields.mapping(at, holder, "spec")
    at = (*at, "spec")
    fields.known(at, spec, ("description", "severity", "condition"))
    severity = fields.choice(at, spec, "severity", _SEVERITIES)
    condition = fields.mapping(at, spec, "condition")
    at = (*at, "condition")
    fields.known(at, condition, _CONDITION)
    kind = fields.text(at, condition, "kind")
    if kind and kind.lower() != "burnrate":
        fields.complain(
            (*at, "kind"), f"a condition of kind {quoted(kind)} is not supported", "write burnrate"
        )
    _check_operator(fields, at, condition)
    threshold = fields.number(at, condition, "threshold")
    if threshold is not None and not 0 < threshold < 1e9:
        fields.complain(
            (*at, "threshold"), f"'{threshold:g}' is no burn rate", "write a number above 0: 14.4"
        )
    long = fields.duration(at, condition, "lookbackWindow")
    wait = timedelta(0)
    if "alertAfter" in condition:
        wait = fields.duration(at, condition, "alertAfter", may_be_zero=True) or wait
    short = annotations.span("short-window") or short
    if long is not None and short is not None and short > long:
        fields.complain(
            (*at, "lookbackWindow"),
            f"the short window of {nominal(short)} is longer than the long one of {nominal(long)}",
            "a twelfth of it is usual; the same says that the alert has one window",
        )
    if len(fields.problems) > before or long is None or threshold is None or severity is None:
        return None
    return BurnWindow(long, short or long / SHORT, threshold, severity, wait)


def check_target(fields: Fields, at: FieldPath, holder: dict[str, Any]) -> None:
    """Complain about what is wrong with a notification target.

    Who is told is decided where the alerts arrive, by their labels; targets are checked and no
    more.
    """
    fields.metadata(at, holder)
    spec = fields.mapping(at, holder, "spec")
    fields.known((*at, "spec"), spec, ("description", "target"))
    fields.text((*at, "spec"), spec, "target")


def _condition(
    fields: Fields,
    at: FieldPath,
    spec: dict[str, Any],
    short: timedelta | None,
    library: Library,
) -> BurnWindow | None:
    if not spec:
        return None
    conditions = spec.get("conditions")
    at = (*at, "conditions")
    if not isinstance(conditions, list) or not conditions:
        fields.complain(at, "is missing", "write one condition: [{conditionRef: name}]")
        return None
    if len(conditions) > 1:
        fields.complain(
            (*at, 1),
            "OpenSLO allows one condition per policy",
            "give each condition a policy of its own",
        )
    found = _resolved(fields, (*at, 0), conditions[0], "AlertCondition", "conditionRef", library)
    if found is None:
        return None
    window = read_condition(*found, short=short)
    if found[0] is not fields:
        fields.problems += found[0].problems
    return window


def _check_operator(fields: Fields, at: FieldPath, condition: dict[str, Any]) -> None:
    op = fields.text(at, condition, "op")
    if not op or op in _OPERATORS:
        return
    if op in ("lt", "lte"):
        fields.complain(
            (*at, "op"),
            f"{quoted(op)} would alert while the budget is spent slowly",
            "write gt: alert while the burn rate is above the threshold",
        )
    else:
        fields.complain((*at, "op"), f"{quoted(op)} is no operator", "write gt or gte")


def _check_targets(fields: Fields, at: FieldPath, spec: dict[str, Any], library: Library) -> None:
    targets = spec.get("notificationTargets")
    at = (*at, "notificationTargets")
    if targets is None:
        return
    if not isinstance(targets, list):
        fields.complain(at, "must be a list", "write [{targetRef: name}]")
        return
    for number, entry in enumerate(targets):
        found = _resolved(
            fields, (*at, number), entry, "AlertNotificationTarget", "targetRef", library
        )
        if found is not None:
            check_target(*found)
            if found[0] is not fields:
                fields.problems += found[0].problems


def _resolved(
    fields: Fields,
    at: FieldPath,
    entry: object,
    kind: str,
    reference: str,
    library: Library,
) -> tuple[Fields, FieldPath, dict[str, Any]] | None:
    """Return where an object is written: here, or in the document that a reference names."""
    if not isinstance(entry, dict) or not entry:
        fields.complain(at, f"{quoted(entry)} is no {kind}", f"write {{{reference}: name}}")
        return None
    if reference in entry:
        fields.known(at, entry, (reference,))
        name = fields.text(at, entry, reference)
        document: Document | None = None
        if name:
            document = library.find(fields, (*at, reference), kind, name)
        return None if document is None else (Fields(document), (), document.data)
    fields.known(at, entry, ("kind", "metadata", "spec"))
    if entry.get("kind") != kind:
        fields.complain(
            (*at, "kind") if "kind" in entry else at,
            f"{quoted(entry['kind'])} is not {kind}" if "kind" in entry else "has no kind",
            f"write kind: {kind}, or {reference}: name",
        )
        return None
    return fields, at, entry
