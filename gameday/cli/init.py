"""``gameday init``: a first look at a system, and the files of its first drill."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.output import counted, print_json, print_table, say

if TYPE_CHECKING:
    from gameday.drafts.choice import Choice, Question, Wishes
    from gameday.drafts.survey import Survey
    from gameday.house.targets.cluster_survey import ClusterWishes, Inside
    from gameday.model.access import Reached

EXAMPLE = "gameday init bookshop --prometheus http://prometheus.example:9090"


def init(
    name: str = typer.Argument(help="What to call the system: bookshop."),
    prometheus: str | None = typer.Option(
        None,
        "--prometheus",
        metavar="URL",
        help="Where its metrics and alerting rules are: a URL, or NAMESPACE/SERVICE:PORT.",
    ),
    alertmanager: str | None = typer.Option(
        None, "--alertmanager", metavar="URL", help="Else the one that Prometheus sends to."
    ),
    context: str | None = typer.Option(
        None, "--context", help="Look into this cluster: of the kubeconfig, or in-cluster."
    ),
    namespace: list[str] | None = typer.Option(
        None, "--namespace", help="In which of its namespaces the system runs. Repeatable."
    ),
    traces: str | None = typer.Option(
        None, "--traces", metavar="SERVICE", help="Its Jaeger or Tempo, where several answer."
    ),
    profiles: str | None = typer.Option(
        None, "--profiles", metavar="SERVICE", help="Its Pyroscope, where several answer."
    ),
    service: str | None = typer.Option(
        None, "--service", help="Which service to drill, where several are seen."
    ),
    alert: str | None = typer.Option(
        None, "--alert", metavar="NAME", help="The alert that pages, where it cannot be told."
    ),
    objective: str | None = typer.Option(
        None, "--objective", metavar="PERCENT", help="The promise: 99.9%. Where no rule says it."
    ),
    owner: str | None = typer.Option(None, "--owner", metavar="TEAM", help="Who keeps the files."),
    preset: str | None = typer.Option(
        None, "--preset", help="By which metrics it is read, where several fit."
    ),
    service_label: str | None = typer.Option(
        None, "--service-label", metavar="LABEL", help="Tells services apart, not the preset's."
    ),
    region_label: str | None = typer.Option(
        None,
        "--region-label",
        metavar="LABEL",
        help="Tells regions apart, where several labels may; none leaves regions out.",
    ),
    bearer_token_env: str | None = typer.Option(
        None, "--bearer-token-env", metavar="VARIABLE", help="Holds Prometheus' bearer token."
    ),
    alertmanager_token_env: str | None = typer.Option(
        None, "--alertmanager-token-env", metavar="VARIABLE", help="Holds Alertmanager's."
    ),
    header: list[str] | None = typer.Option(
        None, "--header", metavar="NAME=VALUE", help="Sent to both, such as a tenant's. Repeatable."
    ),
    ca: str | None = typer.Option(
        None, "--ca", metavar="FILE", help="The authorities that both are believed by, in PEM."
    ),
    folder: Path = typer.Option(Path(), "--dir", help="Where the files are written."),
    force: bool = typer.Option(False, "--force", help="Write over files that are there."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the files and write nothing."),
    json: bool = typer.Option(False, "--json", help="Print what was seen and written as JSON."),
) -> int:
    """Look at a system of yours and write the files of a first drill on it.

    It asks Prometheus and Alertmanager and changes nothing there. With --context or --namespace it
    looks into a cluster first, and finds these there by what answers. What it cannot see it asks on
    a terminal; elsewhere it says which flag answers. It writes a system, an SLO, an experiment, a
    runbook and a scenario, all of them or none, and marks what is left to you with FILL IN:.
    docs/your-own-system.md walks through it.

    Exit codes: 0 done, 2 a flag is missing or wrong, or a file is there, 6 unreachable.
    """
    import asyncio

    from gameday.drafts.choice import NONE, Wishes, choose
    from gameday.drafts.documents import documents
    from gameday.house.targets.folder import write_all
    from gameday.house.targets.survey import seen_at

    _check_name(name)
    may_ask = not json and sys.stdin.isatty() and sys.stderr.isatty()
    wishes = Wishes(
        name,
        service=service or "",
        preset=preset or "",
        alert=alert or "",
        owner=owner or "",
        objective_ratio=_objective(objective) if objective else None,
        region_label=region_label or "",
    )
    told = {
        "--prometheus": prometheus,
        "--alertmanager": alertmanager,
        "--traces": traces,
        "--profiles": profiles,
    }
    inside = _inside(context, namespace or (), told, may_ask)
    in_cluster = inside.prometheus if inside is not None else None
    if not prometheus and in_cluster is None:
        where = "where its metrics and rules are, as a URL; or --namespace, to look into a cluster"
        prometheus = _answer((_question("--prometheus", where),), may_ask)[0]
    both = _asked(header or (), ca)
    metrics, pages = _places(
        prometheus, alertmanager, both, bearer_token_env, alertmanager_token_env, inside
    )
    elsewhere = {**both, **_token(alertmanager_token_env)}
    survey = asyncio.run(
        seen_at(
            metrics,
            pages,
            elsewhere=elsewhere,
            service_label=service_label or "",
            region_label=region_label if region_label and region_label != NONE else "",
            cluster=inside.seen if inside is not None else None,
        )
    )
    while isinstance(found := choose(survey, wishes), tuple):
        wishes = _wished(wishes, found, _answer(found, may_ask))
    texts = documents(found, survey)
    if not dry_run:
        write_all(folder, texts, force=force)
    _tell(found, survey, folder, texts, is_written=not dry_run, json=json)
    return 0


# --- flags ---------------------------------------------------------------------------------------


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from gameday.errors import UsageError
    from gameday.model.noun import Name
    from gameday.model.scenario import TargetKind, kind_of

    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise UsageError(
            f"{name!r} is no name of a system: small letters, digits and dashes, at most 63;"
            f" {EXAMPLE}"
        ) from error
    if kind_of(name) is not TargetKind.SYSTEM:
        raise UsageError(f"{name!r} is one of gameday's own shops: call yours otherwise")


def _objective(text: str) -> float:
    from gameday.errors import UsageError
    from gameday.quantity import QuantityError, ratio

    try:
        found = ratio(text)
    except QuantityError as error:
        raise UsageError(f"--objective: {error.message}; write 99% or 99.9%") from error
    if not 0 < found < 1:
        raise UsageError(f"--objective: {text} leaves no error budget, or all of it; write 99.9%")
    return found


def _asked(headers: Sequence[str], ca: str | None) -> dict[str, Any]:
    """Return how both are asked, as a system's document says it."""
    from gameday.errors import UsageError

    pairs = [text.partition("=") for text in headers]
    if any(not name or not equals for name, equals, _ in pairs):
        raise UsageError("--header: write NAME=VALUE: X-Scope-OrgID=books")
    told: dict[str, Any] = {}
    if pairs:
        told["headers"] = {name.strip(): value for name, _, value in pairs}
    if ca:
        told["ca"] = ca
    return told


def _token(variable: str | None) -> dict[str, Any]:
    return {"bearerToken": {"env": variable}} if variable else {}


def _inside(
    context: str | None,
    namespaces: Sequence[str],
    told: Mapping[str, str | None],
    may_ask: bool,
) -> Inside | None:
    """Return what is found in the cluster that is named; None: nobody named one."""
    from gameday.errors import UsageError
    from gameday.house.targets.cluster_survey import ClusterLook, ClusterWishes

    named = {flag: one for flag, one in told.items() if one}
    services = {f: one for f, one in named.items() if "://" not in one and "/" in one}
    at_urls = [flag for flag in named if flag not in services and named[flag] != "none"]
    for flag in ("--traces", "--profiles"):
        if flag in at_urls:
            raise UsageError(f"{flag}: write NAMESPACE/SERVICE:PORT; an address goes into the file")
    if not context and not namespaces:
        for flag in services:
            raise UsageError(
                f"{flag}: {services[flag]!r} is no URL; for a Service of a cluster say --namespace,"
                " in which the system runs"
            )
        return None
    look = ClusterLook()
    inside = {flag: one for flag, one in named.items() if flag not in at_urls}
    wishes: ClusterWishes = ClusterWishes(context or "", tuple(namespaces), inside)
    while isinstance(found := look.settle(wishes, elsewhere=at_urls), tuple):
        for question, answer in zip(found, _answer(found, may_ask), strict=True):
            wishes = wishes.said(question.flag, answer)
    return found


def _places(
    prometheus: str | None,
    alertmanager: str | None,
    both: Mapping[str, Any],
    token: str | None,
    alertmanager_token: str | None,
    inside: Inside | None,
) -> tuple[Reached, Reached | None]:
    from pydantic import ValidationError

    from gameday.errors import UsageError
    from gameday.model.access import Reached

    try:
        flag = "--prometheus"
        metrics = inside.prometheus if inside is not None else None
        if metrics is None:
            metrics = Reached.model_validate({**both, **_token(token), "url": prometheus})
        flag = "--alertmanager"
        pages = inside.alertmanager if inside is not None else None
        if pages is None and alertmanager:
            told = {**both, **_token(alertmanager_token), "url": alertmanager}
            pages = Reached.model_validate(told)
        return metrics, pages
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False, include_url=False)
        flag = "--header" if "headers" in first["loc"] or "header" in first["msg"] else flag
        hint = first.get("ctx", {}).get("hint", "")
        # Not with the value itself, which may hold a password.
        raise UsageError(f"{flag}: {first['msg']}" + (f" ({hint})" if hint else "")) from None


# --- questions -----------------------------------------------------------------------------------


def _question(flag: str, asks: str) -> Question:
    from gameday.drafts.choice import Question

    return Question(flag, asks)


def _answer(questions: Sequence[Question], may_ask: bool) -> list[str]:
    """Return what a person at the terminal says to each question.

    Raises:
        UsageError: there is nobody to ask; says which flags answer.
    """
    from gameday.errors import UsageError

    if not may_ask:
        listed = "\n".join(f"  {question}" for question in questions)
        raise UsageError(f"this cannot be seen; say it by a flag:\n{listed}")
    return [_prompted(question) for question in questions]


def _prompted(question: Question) -> str:
    """Return what a person says to a question; asked again until it can be an answer."""
    if question.choices:
        say(f"there are: {', '.join(question.choices)}")
    while True:
        answer = str(typer.prompt(question.asks, err=True)).strip()
        problem = _problem(question, answer)
        if not problem:
            return answer
        say(problem)


def _problem(question: Question, answer: str) -> str:
    """Return why this is no answer to a question; empty where it is one."""
    from gameday.errors import UsageError
    from gameday.names import did_you_mean

    if question.choices and answer not in question.choices:
        return f"there is no {answer!r} ({did_you_mean(answer, question.choices)})"
    try:
        if question.flag == "--objective":
            _objective(answer)
    except UsageError as error:
        return str(error)
    return ""


def _wished(wishes: Wishes, questions: Sequence[Question], answers: Sequence[str]) -> Wishes:
    for question, answer in zip(questions, answers, strict=True):
        match question.flag:
            case "--objective":
                wishes = replace(wishes, objective_ratio=_objective(answer))
            case "--service":
                wishes = replace(wishes, service=answer)
            case "--region-label":
                wishes = replace(wishes, region_label=answer)
            case "--preset":
                wishes = replace(wishes, preset=answer)
            case _:
                wishes = replace(wishes, alert=answer)
    return wishes


# --- what is said --------------------------------------------------------------------------------


def _tell(
    choice: Choice,
    survey: Survey,
    folder: Path,
    texts: Mapping[str, str],
    *,
    is_written: bool,
    json: bool,
) -> None:
    from gameday.drafts.blanks import blanks
    from gameday.drafts.documents import names_of
    from gameday.drafts.findings import findings

    seen = findings(choice, survey)
    left = {path: blanks(text) for path, text in texts.items()}
    if json:
        files = [
            {
                "path": str(folder / path),
                "to_fill_in": [asdict(blank) for blank in left[path]],
                "text": text,
            }
            for path, text in texts.items()
        ]
        print_json(
            {
                "system": choice.name,
                "service": choice.service,
                "scenario": names_of(choice)["scenario"],
                "written": is_written,
                "seen": [{"what": what, "found": found} for what, found in seen],
                "notes": list(choice.notes),
                "files": files,
            }
        )
        return
    print_table(("seen", "found"), seen, empty="")
    for note in choice.notes:
        say(f"notice: {note}")
    if not is_written:
        for path, text in texts.items():
            print(f"\n--- {folder / path}\n{text}", end="")
        say("nothing was written (--dry-run)")
        return
    print()
    rows = [(folder / path, counted(len(left[path]), "place") if left[path] else "nothing")
            for path in texts]  # fmt: skip
    print_table(("written", "to fill in"), rows, empty="")
    where = "" if folder == Path() else f"in {folder}: "
    scenario = names_of(choice)["scenario"]
    if survey.cluster is not None:
        say(
            "a drill touches only what the settings allow:\n"
            f"  export GAMEDAY_KUBE_CONTEXTS={survey.cluster.context or 'in-cluster'}"
            f" GAMEDAY_KUBE_NAMESPACES={','.join(survey.cluster.namespaces)}"
        )
    say(
        f"next, {where}fill in what is marked FILL IN: and take the mark away, then\n"
        f"  gameday validate {' '.join(dict.fromkeys(Path(p).parts[0] for p in texts))}\n"
        f"  gameday doctor --system {choice.name}\n"
        f"  gameday run {scenario} --dry-run"
    )
