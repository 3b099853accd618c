"""The drafts themselves: system, SLO, scenario, experiment and runbook, as the texts of files.

Written by hand rather than dumped, because people go on writing in them: what is left to them is
marked where it belongs, with an example beside it. Whatever was seen is quoted, so that it
is a text whatever it holds.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from gameday.drafts.blanks import MARK
from gameday.drafts.choice import Choice
from gameday.drafts.survey import ClusterSeen, Survey
from gameday.model.access import Access
from gameday.quantity import written
from gameday.rules.burn_alert import BurnAlert
from scoring.slo import BurnWindow, workbook_windows

__all__ = ["documents", "names_of"]

PERIOD = timedelta(days=30)
"""Over which the promise is made: the usual one, and what the Workbook's thresholds are for."""

FOR_PEOPLE = timedelta(minutes=10)
"""How much longer than the alert needs the first fault may stand: time to read and to decide."""

MINUTE = timedelta(minutes=1)
_LONGEST_NAME = 63

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""What YAML takes for something else than a text."""


def documents(choice: Choice, survey: Survey) -> dict[str, str]:
    """Return the text of each file by its path below the folder, in the order to read them."""
    names = names_of(choice)
    return {
        f"systems/{choice.name}.yaml": _system(choice, survey),
        f"slos/{names['slo']}.yaml": _slo(choice, names),
        f"experiments/{names['experiment']}.yaml": _experiment(choice, survey.cluster),
        f"runbooks/{names['slo']}.md": _runbook(choice, may_roll_back=_rolls_back(survey)),
        f"scenarios/{names['scenario']}.yaml": _scenario(
            choice, names, may_roll_back=_rolls_back(survey)
        ),
    }


def names_of(choice: Choice) -> Mapping[str, str]:
    """Return what the drafts are called, by kind: of the service, as names allow it."""
    words = re.sub(r"[^a-z0-9]+", "-", choice.service.lower()).strip("-") or choice.name
    return {
        kind: f"{words[: _LONGEST_NAME - len(ending)].rstrip('-')}{ending}"
        for kind, ending in (
            ("slo", "-availability"),
            ("experiment", "-first-fault"),
            ("scenario", "-first-drill"),
        )
    }


# --- systems/ ------------------------------------------------------------------------------------


def _system(choice: Choice, survey: Survey) -> str:
    label = f"\n    serviceLabel: {_text(choice.source.label)}" if survey.service_label else ""
    if choice.alert is None:
        alerts = (
            "# No alert was found that goes by the share of errors of this service: load gameday's"
            f" own,\n  # `gameday slo rules slos/{names_of(choice)['slo']}.yaml` writes them.\n"
            "  alerts: {rules: gameday}"
        )
    else:
        alerts = f"alerts:\n    page: {_flow(choice.page)}"
    owner = f"owner: {_text(choice.owner)}" if choice.owner else f"# {MARK} owner: the team"
    return (
        f"# What gameday knows of {_said(choice.name)}: drafted by `gameday init`; docs/systems.md"
        " has every field.\n"
        f"# `gameday doctor --system {choice.name}` proves it.\n"
        "apiVersion: gameday/v1\n"
        "kind: System\n"
        "metadata:\n"
        f"  name: {choice.name}\n"
        f"  {owner}\n"
        "spec:\n"
        f"{_cluster(survey.cluster)}"
        f"{_regions(choice)}"
        "  metrics:\n"
        f"    prometheus: {_reached(survey.prometheus)}{label}\n"
        f"  {alerts}\n"
        "  pages:\n"
        f"    alertmanager: {_reached(survey.alertmanager)}\n"
        f"  red: {{preset: {choice.source.preset}}}\n"
        f"{_instruments(choice, survey.cluster)}"
        f"{_mitigations(choice, survey)}"
    )


def _cluster(cluster: ClusterSeen | None) -> str:
    if cluster is None:
        return ""
    which: dict[str, Any] = {"context": cluster.context} if cluster.context else {"inCluster": True}
    listed = ", ".join(map(_text, cluster.namespaces))
    return f"  kubernetes: {{{', '.join(_pairs(which))}, namespaces: [{listed}]}}\n"


def _regions(choice: Choice) -> str:
    if choice.regions is None:
        return ""
    listed = ", ".join(map(_text, choice.regions.names))
    return (
        "  # Those that have requests now; a fault is counted by how many of them it touches.\n"
        f"  regions: {{label: {_text(choice.regions.label)}, names: [{listed}]}}\n"
    )


def _instruments(choice: Choice, cluster: ClusterSeen | None) -> str:
    if cluster is None:
        return ""
    told = "".join(
        f"  {'profiles' if name == 'pyroscope' else 'traces'}: {{{name}: {{service: "
        f"{_text(service)}}}}}\n"
        for name, service in cluster.instruments.items()
    )
    return (
        f"{told}"
        "  deploys: [{kubernetes: {}}]\n"
        "  # With the repositories of the services at hand, the commit behind a deploy is named:\n"
        f"  # code: [{{service: {_said(choice.service)}, repository: ../REPOSITORY,"
        " revision: {imageTag: true}}]\n"
    )


def _rolls_back(survey: Survey) -> bool:
    """Return whether what was seen can be rolled back: there are Deployments, and the right to."""
    cluster = survey.cluster
    if cluster is None or not cluster.deployments:
        return False
    return not any(right.startswith("patch deployments") for right in cluster.lacking)


def _mitigations(choice: Choice, survey: Survey) -> str:
    if _rolls_back(survey):
        return (
            "  # What a responder may do; a runbook names it. What was before is put back.\n"
            "  mitigations:\n"
            "    - name: rollback\n"
            '      kubernetes: {rolloutUndo: "deployment/{service}"}\n'
        )
    return (
        f"  # {MARK} what a responder may do, and how it is taken back; a runbook names it\n"
        "  # mitigations:\n"
        "  #   - name: take-out\n"
        '  #     command: {run: [/usr/local/bin/take-out, "{server}"], within: 10s}\n'
        '  #     undo: {run: [/usr/local/bin/take-in, "{server}"]}\n'
    )


def _reached(access: Access) -> str:
    """Return how an address is asked, in braces; secrets are named, as they are in the value."""
    told = access.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True, mode="json")
    if "service" in told:
        return _flow({"service": told["service"]})  # its address on this machine is for now alone
    return _flow({"url": told.pop("url"), **told})


# --- slos/ ---------------------------------------------------------------------------------------


def _slo(choice: Choice, names: Mapping[str, str]) -> str:
    of = f"    gameday/owner: {_text(choice.owner)}\n" if choice.owner else ""
    counters = choice.counters
    which, part = ("good", counters.good) if counters.good else ("bad", counters.bad)
    return (
        f"# What is promised of {_said(choice.service)}, as OpenSLO: drafted by `gameday init`;"
        " docs/slos.md.\n"
        "apiVersion: openslo/v1\n"
        "kind: SLO\n"
        "metadata:\n"
        f"  name: {names['slo']}\n"
        f"  displayName: {_text(f'{choice.service} answers without an error')}\n"
        "  annotations:\n"
        f"{of}"
        f"    gameday/runbook: runbooks/{names['slo']}.md\n"
        "spec:\n"
        f"  service: {_text(choice.service)}\n"
        "  indicator:\n"
        f"    metadata: {{name: {names['slo']}}}\n"
        "    spec:\n"
        "      ratioMetric:\n"
        "        counter: true\n"
        f"        {which}:\n"
        "          metricSource:\n"
        "            type: Prometheus\n"
        f"            spec: {{query: {_text(part)}}}\n"
        "        total:\n"
        "          metricSource:\n"
        "            type: Prometheus\n"
        f"            spec: {{query: {_text(counters.total)}}}\n"
        "  timeWindow: [{duration: 30d, isRolling: true}]\n"
        "  budgetingMethod: Occurrences\n"
        f"  objectives: [{{target: {_number(choice.objective_ratio)}}}]\n"
        f"{_policies(choice)}"
    )


def _policies(choice: Choice) -> str:
    alert = choice.alert
    if alert is None:
        return (
            "  # Without alertPolicies the windows and thresholds are those of the SRE Workbook.\n"
        )
    expression = textwrap.fill(
        _said(alert.rule.query),
        width=94,
        initial_indent="  #   ",
        subsequent_indent="  #   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    name = _said(alert.rule.name)
    if isinstance(alert, BurnAlert):
        told = f"  # Windows, threshold and `for` are those of {name}, as it is in force:"
        return f"{told}\n{expression}\n"
    branch = _branch(choice)
    wait = f", alertAfter: {_minutes(branch.for_)}" if branch.for_ else ""
    return (
        f"  # {MARK} its windows and threshold, for {_said(alert.reason)}\n"
        f"{expression}\n"
        "  # Below stand the Workbook's.\n"
        "  alertPolicies:\n"
        "    - kind: AlertPolicy\n"
        f"      metadata: {{name: page, annotations: {{gameday/short-window:"
        f" {written(branch.short)}}}}}\n"
        "      spec:\n"
        "        alertWhenBreaching: true\n"
        "        conditions:\n"
        "          - kind: AlertCondition\n"
        "            metadata: {name: page}\n"
        "            spec:\n"
        "              severity: page\n"
        f"              condition: {{kind: burnrate, op: gt, threshold:"
        f" {_number(branch.burn_rate)}, lookbackWindow: {_minutes(branch.long)}{wait}}}\n"
    )


def _branch(choice: Choice) -> BurnWindow:
    """Return the branch that pages: the alert's first, or the Workbook's where none is read."""
    alert, workbook = choice.alert, workbook_windows(PERIOD)[0]
    wait = alert.rule.for_ if alert is not None else timedelta(0)
    if not isinstance(alert, BurnAlert):
        return BurnWindow(workbook.long, workbook.short, workbook.burn_rate, for_=wait)
    first = alert.branches[0]
    return BurnWindow(first.long, first.short, first.burn_rate(choice.objective_ratio), for_=wait)


# --- experiments/, runbooks/, scenarios/ ---------------------------------------------------------


def _experiment(choice: Choice, cluster: ClusterSeen | None) -> str:
    service = _said(choice.service)
    name, back, put_in, take_out = (
        "stop-a-server", "let-it-go-on", "docker, arguments: [pause, web-1]",
        "docker, arguments: [unpause, web-1]",
    )  # fmt: skip
    if cluster is not None:
        name, back = "deploy-a-bad-version", "deploy-the-good-one"
        which = f"--context, {_text(cluster.context)}, " if cluster.context else ""
        of = f"{which}-n, {_text(cluster.namespaces[0])}, set, image, deployment/NAME"
        put_in, take_out = (
            f'kubectl, arguments: [{of}, "CONTAINER=IMAGE:{tag}"]' for tag in ("BAD", "GOOD")
        )
    return (
        f"# What is done to {service}, and how it is taken back: any experiment of Chaos Toolkit;"
        " docs/experiments.md.\n"
        f"title: {_text(f'A first fault of {choice.service}')}\n"
        f"description: {_text(f'What may happen to {choice.service} any day.')}\n"
        "configuration: {}\n"
        f"# {MARK} the fault; until the method has an action, no drill plays it\n"
        "# method:\n"
        "#   - type: action\n"
        f"#     name: {name}\n"
        f"#     provider: {{type: process, path: {put_in}}}\n"
        "# rollbacks:\n"
        "#   - type: action\n"
        f"#     name: {back}\n"
        f"#     provider: {{type: process, path: {take_out}}}\n"
        "method: []\n"
        "rollbacks: []\n"
    )


def _runbook(choice: Choice, *, may_roll_back: bool) -> str:
    owner = f"owner: {_text(choice.owner)}" if choice.owner else f"# {MARK} owner: the team"
    alert = choice.alert.rule.name if choice.alert is not None else _own_alert(choice)
    return (
        "---\n"
        f"alert: {_text(alert)}\n"
        f"service: {_text(choice.service)}\n"
        f"{owner}\n"
        f"# {MARK} reviewed: YYYY-MM-DD, when somebody has read this page through\n"
        "review_every: 90d\n"
        "---\n\n"
        f"# {_prose(alert)}\n\n"
        "## Meaning\n\n"
        f"{MARK} what users of {_prose(choice.service)} notice while this alert fires.\n\n"
        "## First checks\n\n"
        f"1. **look-first**: {MARK} where to look first, and what tells one cause from another.\n\n"
        "## Likely causes\n\n"
        f"{_causes(choice, may_roll_back=may_roll_back)}"
    )


def _causes(choice: Choice, *, may_roll_back: bool) -> str:
    if may_roll_back:
        return (
            "- **new-version**: a version that went live shortly before\n"
            "  (service: any, change: deploy) → roll-back\n\n"
            "## Fixes\n\n"
            "- **roll-back**: Go back to the version before:"
            " `gameday mitigate rollback service={service}`.\n"
        )
    return (
        f"- **first-cause**: {MARK} what it may be → first-fix\n\n"
        "## Fixes\n\n"
        f"- **first-fix**: {MARK} how it is mended; a mitigation of systems/{choice.name}.yaml is"
        " called\n"
        "  as docs/runbooks.md shows it.\n"
    )


def _own_alert(choice: Choice) -> str:
    words = names_of(choice)["slo"].split("-")
    return "".join(word[:1].upper() + word[1:] for word in words if word) + "BudgetBurn"


def _scenario(choice: Choice, names: Mapping[str, str], *, may_roll_back: bool) -> str:
    branch = _branch(choice)
    # Whatever went wrong before has left the window by then.
    steady = max(MINUTE, min(branch.long + timedelta(seconds=30), timedelta(minutes=15)))
    return (
        f"# The first game day on {_said(choice.name)}: drafted by `gameday init`.\n"
        "apiVersion: gameday/v1\n"
        "kind: Scenario\n"
        "metadata:\n"
        f"  name: {names['scenario']}\n"
        f"  title: {_text(f'A first fault of {choice.service}')}\n"
        "  severity: SEV-2\n"
        "spec:\n"
        f"  system: {choice.name}\n"
        f"  slo: {names['slo']}\n"
        f"  steadyState: {{for: 10s, burnRateBelow: 1, within: {written(steady)}}}\n"
        "  faults:\n"
        f"    - experiment: {names['experiment']}\n"
        "      # At most: it is taken back when the drill is over, and by then whatever happens.\n"
        f"      duration: {written(_lasts(branch, choice.objective_ratio))}\n"
        "  expect:\n"
        f"    # {MARK} which share of the requests the fault lets fail, for the prediction\n"
        "    errorRatio: 100%\n"
        f"{_expected_fix(may_roll_back=may_roll_back)}"
        "  responder: human\n"
        f"  runbook: runbooks/{names['slo']}.md\n"
    )


def _expected_fix(*, may_roll_back: bool) -> str:
    if may_roll_back:
        return "    mitigation: [rollback]\n"
    return f"    # {MARK} which mitigation the responder should find\n    mitigation: []\n"


def _lasts(branch: BurnWindow, objective_ratio: float) -> timedelta:
    """Return how long a fault may stand that lets half of all requests fail, in whole minutes."""
    share = min(1.0, 2 * branch.burn_rate * (1 - objective_ratio))
    needed = share * branch.long + branch.short + branch.for_ + FOR_PEOPLE
    return -(-needed // MINUTE) * MINUTE


# --- words ---------------------------------------------------------------------------------------


def _text(value: str) -> str:
    """Return a text as YAML has it, in braces as well, with as few quotes as it can."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if value.isprintable() and "'" not in value and '"' in value:
        return f"'{value}'"
    # JSON writes some letters as two halves, which YAML does not take.
    told = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in told)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pairs(value))}}}"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _pairs(value: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in value.items():
        key = name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) else _text(name)
        yield f"{key}: {_flow(entry)}"


def _said(text: str) -> str:
    """Return a text as it may stand in a comment: on one line."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _prose(text: str) -> str:
    """Return a name as it may stand in Markdown, and is shown as it is."""
    plain = _said(text)
    return plain if re.fullmatch(r"[\w .:/-]*", plain) else f"`{plain.replace('`', chr(39))}`"


def _number(value: float) -> str:
    """Return a number without the noise of binary floats."""
    shown = round(value, 9)
    return str(int(shown)) if shown == int(shown) else repr(shown)


def _minutes(span: timedelta) -> str:
    """Return a duration as OpenSLO takes it, in whole minutes at least."""
    return written(max(MINUTE, -(-span // MINUTE) * MINUTE))
