"""What a first drill is about: one service, its counters, its alert; or what cannot be seen.

Nothing is made up. What was seen is taken where there is one of it; where there are several, or
none, a `Question` says which flag answers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gameday.diagnosis.conventions import PRESETS
from gameday.drafts.regions import apart
from gameday.drafts.shares import EventShare, grouped_by, selectors_of, share_of
from gameday.drafts.sources import Source, sources, with_matcher, written_selector
from gameday.drafts.survey import Survey, place
from gameday.errors import UsageError
from gameday.model.system import Regions
from gameday.names import did_you_mean
from gameday.rules.burn_alert import BurnAlert, UnreadAlert, read_alert
from gameday.rules.expression import LabelMatcher, Selector
from gameday.rules.loaded import LoadedRule

__all__ = ["NONE", "Choice", "EventCounters", "Question", "Wishes", "choose"]

NONE = "none"
"""What is said of a part that the files are to do without."""

SEVERITIES = ("severity", "sloth_severity")
"""Labels that say how loud an alert is."""

QUIET = ("ticket", "warning", "info", "none")
"""What they say of an alert that wakes nobody."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever asks has said already; empty: they leave it to what is seen.

    Attributes:
        name: of the system.
        objective_ratio: share of events that are to be good, 0–1.
        region_label: tells regions apart; `NONE`: they are left out.
    """

    name: str
    service: str = ""
    preset: str = ""
    alert: str = ""
    owner: str = ""
    objective_ratio: float | None = None
    region_label: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that cannot be seen.

    Attributes:
        flag: the option that answers it.
        asks: what is to be known, for people.
        choices: the answers there are; empty: whatever fits.
    """

    flag: str
    asks: str
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = f": {', '.join(self.choices)}" if self.choices else ""
        return f"{self.flag}: {self.asks}{listed}"


@dataclass(frozen=True, slots=True)
class EventCounters:
    """Selectors of the events of an SLO: all of them, and the good or the bad ones."""

    total: str
    good: str = ""
    bad: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the drafts are written from.

    Attributes:
        source: tells the service from others in its metrics.
        alert: the alert that pages, read or not; None: there is none, and gameday's own rules are
            proposed.
        page: the labels that alert goes by.
        regions: those of the service, and what tells them apart; None: nothing does.
        notes: what whoever asked should know.
    """

    name: str
    service: str
    source: Source
    counters: EventCounters
    objective_ratio: float
    owner: str = ""
    alert: BurnAlert | UnreadAlert | None = None
    page: Mapping[str, str] = field(default_factory=dict)
    regions: Regions | None = None
    notes: tuple[str, ...] = ()


def choose(survey: Survey, wishes: Wishes) -> Choice | tuple[Question, ...]:
    """Return what the drafts are about, or every question that is left.

    Raises:
        UsageError: there is nothing to choose from, or what was wished for is not there.
    """
    found = _service(survey, wishes)
    if isinstance(found, Question):
        return (found,)  # which alert is the service's is asked when the service is known
    source, service = found
    questions: list[Question] = []
    rule = _alert(survey, wishes, service, source)
    if isinstance(rule, Question):
        questions.append(rule)
        rule = None
    alert = read_alert(rule, survey.rules) if rule is not None else None
    objective = wishes.objective_ratio
    if objective is None and isinstance(alert, BurnAlert):
        told = (branch.objective_ratio for branch in alert.branches)
        objective = next((ratio for ratio in told if ratio is not None), None)
    if objective is None:
        asked = f"which share of the requests of {service} is promised to succeed (99%, 99.9%)"
        questions.append(Question("--objective", asked))
    regions = _regions(survey, wishes, service, source)
    if isinstance(regions, Question):
        questions.append(regions)
        regions = None
    if questions or objective is None:
        return tuple(questions)
    share = share_of(rule, survey.rules) if rule is not None else None
    is_shared = rule is not None and share is not None and _tells_apart(rule, share, source)
    return Choice(
        name=wishes.name,
        service=service,
        source=source,
        counters=_counters(share, source, service, is_shared=is_shared),
        objective_ratio=objective,
        owner=wishes.owner,
        alert=alert,
        page=_labels(rule, survey.rules.alerts, {source.label: service} if is_shared else {}),
        regions=regions,
        notes=(
            *(_notes(alert) if alert is not None else _others(survey, service, source)),
            *(_untold(survey, service) if regions is None and not wishes.region_label else ()),
        ),
    )


# --- the service ---------------------------------------------------------------------------------


def _service(survey: Survey, wishes: Wishes) -> tuple[Source, str] | Question:
    _check_there_is_one(survey, wishes)
    told = [
        (source, service)
        for source, services in survey.services.items()
        if wishes.preset in ("", source.preset)
        for service in services
    ]
    every = sorted({service for _, service in told})
    if wishes.service and wishes.service not in every:
        hint = did_you_mean(wishes.service, every, what="there are")
        raise UsageError(f"--service: no metrics of {wishes.service!r} were seen ({hint})")
    if not wishes.service and len(every) > 1:
        asks = f"which of the {len(every)} services whose metrics were seen"
        return Question("--service", asks, tuple(every))
    found = [source for source, service in told if service == (wishes.service or every[0])]
    presets = tuple(dict.fromkeys(source.preset for source in found))
    if len(presets) > 1:
        asks = f"by which of its metrics {wishes.service or every[0]} is to be read"
        return Question("--preset", asks, presets)
    return found[0], wishes.service or every[0]


def _check_there_is_one(survey: Survey, wishes: Wishes) -> None:
    where = place(survey.prometheus)
    if wishes.preset and wishes.preset not in PRESETS:
        hint = did_you_mean(wishes.preset, PRESETS, what="there are")
        raise UsageError(f"--preset: there is no preset {wishes.preset!r} ({hint})")
    present = [s for s in survey.services if wishes.preset in ("", s.preset)]
    if not present:
        wanted: dict[str, dict[str, None]] = {}
        for source in sources():
            if wishes.preset in ("", source.preset):
                wanted.setdefault(source.preset, {})[source.metric] = None
        listed = "; ".join(f"{p}: {' or '.join(metrics)}" for p, metrics in sorted(wanted.items()))
        raise UsageError(
            f"Prometheus at {where} holds no metrics that a RED preset reads ({listed}): see that"
            " it is the right one, or write the system by hand, with queries of its own under"
            " `red` (docs/systems.md)"
        )
    if not any(survey.services[source] for source in present):
        metrics = " or ".join(dict.fromkeys(s.metric for s in present))
        labels = survey.service_label or " or ".join(dict.fromkeys(s.label for s in present))
        raise UsageError(
            f"Prometheus at {where} has {metrics}, and no series of it now with the label"
            f" {labels}, which tells services apart: name another with --service-label, or see"
            " that it is scraped"
        )


# --- its regions ---------------------------------------------------------------------------------


def _regions(
    survey: Survey, wishes: Wishes, service: str, source: Source
) -> Regions | Question | None:
    if wishes.region_label == NONE:
        return None
    seen = survey.where.get((source, service), {})
    if wishes.region_label:
        names = tuple(filter(None, seen.get(wishes.region_label, ())))
        if not names:
            raise UsageError(
                f"--region-label: no requests of {service!r} bear a label {wishes.region_label!r}:"
                f" `count by (LABEL) ({source.metric})` in Prometheus shows what one holds"
            )
        return Regions(label=wishes.region_label, names=names)
    found = apart(seen, survey.cluster.places if survey.cluster is not None else ())
    if len(found) > 1:
        asks = f"which label of the metrics of {service} tells its regions apart"
        return Question("--region-label", asks, (*found, NONE))
    return next((Regions(label=label, names=names) for label, names in found.items()), None)


def _untold(survey: Survey, service: str) -> Iterator[str]:
    """Yield that there are regions of which the metrics tell nothing."""
    places = survey.cluster.places if survey.cluster is not None else ()
    several = next((names for names in places if len(names) > 1), None)
    if several is not None:
        yield (
            f"the nodes are in {', '.join(several)}, and no label of the metrics of {service} tells"
            " these apart: where a fault is felt in one of them only, no drill can say so"
        )


# --- the alert -----------------------------------------------------------------------------------


def _alert(
    survey: Survey, wishes: Wishes, service: str, source: Source
) -> LoadedRule | Question | None:
    alerts = survey.rules.alerts
    if wishes.alert:
        named = [rule for rule in alerts if rule.name == wishes.alert]
        if not named:
            hint = did_you_mean(wishes.alert, [r.name for r in alerts], what="there are")
            raise UsageError(f"--alert: no rule {wishes.alert!r} is in force ({hint})")
        return max(named, key=lambda r: (_is_about(r, survey, service, source), not _is_quiet(r)))
    found = [
        rule
        for rule in alerts
        if _is_about(rule, survey, service, source)
        and not _is_quiet(rule)
        and isinstance(read_alert(rule, survey.rules), BurnAlert)
    ]
    names = tuple(dict.fromkeys(rule.name for rule in found))
    if len(names) > 1:
        return Question("--alert", f"which of the alerts pages for {service}", names)
    return found[0] if found else None


def _is_about(rule: LoadedRule, survey: Survey, service: str, source: Source) -> bool:
    """Return whether a rule speaks of a service: by its labels, or by what it reads."""
    if service in rule.labels.values():
        return True
    read = [m for selector in selectors_of(rule) for m in selector.matchers]
    share = share_of(rule, survey.rules)
    counted = () if share is None else share.total.matchers
    if any(m.op == "=" and m.value == service for m in (*read, *counted)):
        return True
    return share is not None and _tells_apart(rule, share, source)


def _tells_apart(rule: LoadedRule, share: EventShare, source: Source) -> bool:
    """Return whether one rule speaks of every service, each by an alert of its own."""
    is_any = all(m.name != source.label for m in share.total.matchers)
    return is_any and share.total.name == source.metric and source.label in grouped_by(rule)


def _is_quiet(rule: LoadedRule) -> bool:
    return any(rule.labels.get(label, "").lower() in QUIET for label in SEVERITIES)


def _labels(
    rule: LoadedRule | None, rules: Sequence[LoadedRule], also: Mapping[str, str]
) -> dict[str, str]:
    """Return what tells an alert from those of other rules: its name, and as little as it takes."""
    if rule is None:
        return {}
    found = {"alertname": rule.name, **also}
    others = [r for r in rules if r.name == rule.name and r is not rule]
    # How loud it is tells a page from its own ticket; what else there is comes after it.
    for name, value in sorted(rule.labels.items(), key=lambda item: item[0] not in SEVERITIES):
        apart = [other for other in others if other.labels.get(name) != value]
        if apart and "{{" not in value:
            found[name] = value
            others = [other for other in others if other not in apart]
    return found


# --- the counters --------------------------------------------------------------------------------


def _counters(
    share: EventShare | None, source: Source, service: str, *, is_shared: bool
) -> EventCounters:
    """Return the counters of the alert itself, since its page rests on them; else the preset's."""
    if share is None:
        total = source.total(service)
        return _by_good(with_matcher(total, source.failed), total)
    part, total = share.part, share.total
    if is_shared:
        own = LabelMatcher(source.label, "=", service)
        part, total = with_matcher(part, own), with_matcher(total, own)
    if share.is_good:
        return EventCounters(written_selector(total), good=written_selector(part))
    return _by_good(part, total)


def _by_good(bad: Selector, total: Selector) -> EventCounters:
    """Return counters of the good events, where one condition makes the bad ones.

    Many programs have no counter of a kind of answer before the first of it was given: while all
    is well, bad events would be no data rather than none.
    """
    told = written_selector(total)
    more = bad.matchers - total.matchers
    if bad.name != total.name or not total.matchers <= bad.matchers or len(more) != 1:
        return EventCounters(told, bad=written_selector(bad))
    (one,) = more
    if one.op not in ("=", "=~"):
        return EventCounters(told, bad=written_selector(bad))
    return EventCounters(told, good=written_selector(with_matcher(total, one.opposite)))


def _others(survey: Survey, service: str, source: Source) -> Iterator[str]:
    """Yield that there are alerts of a service, none of which could be taken."""
    rules = survey.rules.alerts
    names = dict.fromkeys(r.name for r in rules if _is_about(r, survey, service, source))
    if names:
        yield (
            f"of the alerts that speak of {service} none is one that pages by its share of errors:"
            f" {', '.join(names)}; --alert takes one all the same"
        )


def _notes(alert: BurnAlert | UnreadAlert) -> Iterator[str]:
    if not isinstance(alert, BurnAlert):
        return
    for guard in alert.assumes:
        yield (
            f"the alert also asks for {guard}, which no SLO can say: where that does not hold the"
            " alert stays silent"
        )
