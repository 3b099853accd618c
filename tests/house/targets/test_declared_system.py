"""A scenario that names a system of somebody's own: read, refused where it does not fit, opened."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from gameday.drivers.prometheus import KeptElsewhere
from gameday.errors import PermanentDriverError, SpecError, UsageError
from gameday.house.run.judgement import Documents
from gameday.house.run.misfits import misfits
from gameday.house.run.stories import Story, read_story
from gameday.house.targets.choice import choose_target
from gameday.house.targets.declared_system import declared_system, evaluating, queries_of
from gameday.house.targets.instruments import instruments_of, toolbox_of
from gameday.model.page import Step
from gameday.model.red import Histograms, RedPreset
from gameday.model.scenario import TargetKind
from gameday.model.signals import Deploy
from gameday.model.system import RedReadBy, SystemSpec
from gameday.settings import Settings

SYSTEM = """
apiVersion: gameday/v1
kind: System
metadata: {name: pages}
spec:
  metrics: {prometheus: {url: "http://127.0.0.1:9", bearerToken: {env: PROMETHEUS_TOKEN}}}
  alerts: {page: {alertname: PagesFailing}}
  pages: {alertmanager: {url: "http://127.0.0.1:9"}}
  red: {preset: haproxy}
  mitigations: [{name: take-out, command: {run: ["true"]}, undo: none}]
"""

LEAST = yaml.safe_load(SYSTEM)["spec"]
"""All that a document has to say."""

EXPERIMENT = """
title: t
description: d
method: [{type: action, name: a, provider: {type: process, path: "true"}}]
"""

SCENARIO = """
apiVersion: gameday/v1
kind: Scenario
metadata: {name: hang}
spec:
  system: pages
  slo: checkout-latency
  faults: [{experiment: hang, duration: 5m}]
  expect: {mitigation: [take-out]}
  responder: human
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    texts = {"systems/pages": SYSTEM, "experiments/hang": EXPERIMENT, "scenarios/hang": SCENARIO}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def written(folder: Path, old: str, new: str) -> Story:
    path = folder / "scenarios/hang.yaml"
    path.write_text(SCENARIO.replace(old, new))
    return read_story("hang")


def unasked(folder: Path) -> None:
    """Write a system whose rules are our own, so that nothing has to answer when it is opened."""
    alerts = "{page: {alertname: PagesFailing}}"
    (folder / "systems/pages.yaml").write_text(SYSTEM.replace(alerts, "{rules: gameday}"))


def opened(story: Story) -> str:
    return choose_target(
        story.scenario,
        story.slo,
        story.system,
        context=None,
        settings=Settings.from_environment(),
        programme=None,
    ).name


def test_a_system_is_known_by_its_name_and_kept_with_the_run() -> None:
    story = read_story("hang")

    assert "system/pages" == opened(story)
    assert TargetKind.SYSTEM == story.scenario.spec.target
    assert SYSTEM == story.documents.system
    assert story.documents == Documents.of(story.documents.to_mapping())
    assert story.scenario.spec == story.documents.read_scenario().spec


def test_the_shops_are_systems_that_need_no_document(folder: Path) -> None:
    story = written(folder, "system: pages", "system: sandbox")

    assert ("sandbox", None) == (opened(story), story.system)


def test_another_target_takes_the_place_of_the_system() -> None:
    story = read_story("hang", target="sandbox")

    assert ("sandbox", None) == (opened(story), story.system)


def test_a_target_that_is_a_system_has_to_say_which() -> None:
    with pytest.raises(UsageError, match="named in the scenario"):
        read_story("slow-db", target="system")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("system: pages", "system: pagse", "there is no system 'pagse' (did you mean 'pages'?)"),
        ("  system: pages", "  system: pages\n  target: none", "names a system and a target"),
        ("system: pages", "target: system", "does not say which system (write system: NAME)"),
    ],
)
def test_a_place_that_is_none_is_refused_with_its_line(
    folder: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        written(folder, old, new)

    assert said in str(caught.value)


def test_what_the_system_does_not_have_speaks_against_the_run(folder: Path) -> None:
    reasons = [str(refusal) for refusal in misfits(written(folder, "take-out", "take-in"))]

    assert "hang: pages has no mitigation 'take-in'; did you mean 'take-out'?" in reasons


def test_the_bot_is_not_sent_where_there_are_no_traces(folder: Path) -> None:
    story = written(folder, "responder: human", "responder: bot")

    assert any("the bot finds a cause in traces" in r.reason for r in misfits(story))


def test_the_bot_is_sent_where_there_are_traces(folder: Path) -> None:
    path = folder / "systems/pages.yaml"
    path.write_text(path.read_text() + '  traces: {jaeger: {url: "http://127.0.0.1:7"}}\n')
    story = written(folder, "responder: human", "responder: bot")

    assert not any("bot" in r.reason for r in misfits(story))


async def test_an_open_system_says_what_it_has_no_instrument_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    unasked(folder)
    story = read_story("hang")
    assert story.system is not None

    system = await declared_system(story.system, story.slo)

    assert ("trace", "profile", "blame") == system.absent
    assert "Bearer HUNTER2" == system.keyring.metrics.headers["Authorization"]
    assert ("system/pages", 1.0) == (system.target.name, system.target.time_scale)
    assert "HUNTER2" not in repr(system.tools)


@pytest.mark.parametrize(
    ("pages", "notices"),
    [
        (
            '{alertmanager: {url: "http://127.0.0.1:9"}}',
            ["pages are polled: one may have come up to 1 s before it is seen"],
        ),
        (
            '{pagerduty: {token: {env: PAGERDUTY_TOKEN}, service: PABC123, url: "http://0.0.0.0"}}',
            [
                "pages are PagerDuty's incidents: one may have come up to 1 s later than is told,"
                " by PagerDuty's clock",
                "PagerDuty tells of no watchdog: that no page comes proves nothing",
            ],
        ),
    ],
)
async def test_an_open_system_says_how_exactly_its_pages_are_heard_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pages: str, notices: list[str]
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    monkeypatch.setenv("PAGERDUTY_TOKEN", "HUNTER3")
    unasked(folder)
    path = folder / "systems/pages.yaml"
    path.write_text(path.read_text().replace('{alertmanager: {url: "http://127.0.0.1:9"}}', pages))
    story = read_story("hang")
    assert story.system is not None

    system = await declared_system(story.system, story.slo)

    assert notices == [n for n in system.notices if "page" in n and "HAProxy" not in n]
    assert "HUNTER3" not in repr(system)


async def test_a_token_of_pagerduty_that_is_not_set_is_named_before_the_drill(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    monkeypatch.delenv("PAGERDUTY_TOKEN", raising=False)
    unasked(folder)
    path = folder / "systems/pages.yaml"
    at = "{pagerduty: {token: {env: PAGERDUTY_TOKEN}, service: PABC123}}"
    path.write_text(path.read_text().replace('{alertmanager: {url: "http://127.0.0.1:9"}}', at))
    story = read_story("hang")
    assert story.system is not None

    with pytest.raises(PermanentDriverError, match="the variable PAGERDUTY_TOKEN"):
        await declared_system(story.system, story.slo)


@pytest.mark.parametrize(
    ("red", "notes"),
    [
        (RedReadBy(preset=RedPreset.OTEL_HTTP), ()),
        (
            RedReadBy(preset=RedPreset.OTEL_HTTP, histograms=Histograms.NONE),
            ("duration is the mean of a window: a few slow requests hardly move it",),
        ),
        (
            RedReadBy(preset=RedPreset.HAPROXY),
            (
                "duration is the mean of HAProxy's last 1024 answers, and no percentile: it lags"
                " behind what users feel",
            ),
        ),
        (
            RedReadBy(rate="sum(rate(visits[{window}]))"),
            (
                "errors: no query, so not measured",
                "duration: no query, so not measured",
            ),
        ),
    ],
)
def test_what_red_does_not_tell_is_known_before_the_day(
    red: RedReadBy, notes: tuple[str, ...]
) -> None:
    spec = SystemSpec.model_validate({**LEAST, "red": red})

    assert notes == queries_of(spec).notes


async def test_regions_of_a_document_are_those_of_its_plan_its_red_and_its_traces(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "t")
    unasked(folder)
    path = folder / "systems/pages.yaml"
    path.write_text(
        path.read_text()
        + "  regions: {label: cloud_region, names: [eu, us]}\n"
        + '  traces: {jaeger: {url: "http://127.0.0.1:7/"}}\n'
    )
    story = read_story("hang")
    assert story.system is not None

    system = await declared_system(story.system, story.slo)

    assert ("eu", "us") == system.regions
    assert "cloud_region" == system.tools.red.region
    assert "cloud_region" == toolbox_of(system).at("http://127.0.0.1:7").region
    assert "" == toolbox_of(system).at("http://127.0.0.1:9").region


async def test_what_red_does_not_tell_is_a_notice_of_the_plan(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "t")
    unasked(folder)
    story = read_story("hang")
    assert story.system is not None

    opened = await declared_system(story.system, story.slo)

    assert any("no percentile" in notice for notice in opened.notices)


async def test_instruments_of_a_document_are_asked_as_it_says_and_their_steps_apply(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    monkeypatch.setenv("TRACES_TOKEN", "HUNTER3")
    unasked(folder)
    path = folder / "systems/pages.yaml"
    path.write_text(
        path.read_text()
        + "  traces:\n"
        + '    jaeger: {url: "http://127.0.0.1:7/", bearerToken: {env: TRACES_TOKEN}}\n'
        + "    services: {storefront: gateway}\n"
        + '  profiles: {pyroscope: {url: "http://127.0.0.1:8"}}\n'
    )
    story = read_story("hang")
    assert story.system is not None

    system = await declared_system(story.system, story.slo)

    assert ("blame",) == system.absent
    assert ("http://127.0.0.1:7", "http://127.0.0.1:8") == (
        system.tools.traces,
        system.tools.profiles,
    )
    assert "gateway" == system.tools.traced_as.to_theirs("storefront")
    assert {"Authorization": "Bearer HUNTER3"} == system.keyring.traces.headers
    assert {} == system.keyring.profiles.headers
    assert "HUNTER" not in repr(system.keyring)
    box = toolbox_of(system)
    assert "Bearer HUNTER3" == box.at("http://127.0.0.1:7/").headers["Authorization"]
    assert {} == box.at("http://elsewhere").headers
    assert frozenset({Step.BLAME}) == box.absent
    assert "HUNTER" not in repr(box)


async def test_metrics_may_be_kept_elsewhere_than_the_rules_are_evaluated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    path = folder / "systems/pages.yaml"
    rules = '{rules: gameday, prometheus: {url: "http://127.0.0.1:6"}}'
    path.write_text(path.read_text().replace("{page: {alertname: PagesFailing}}", rules))
    story = read_story("hang")
    assert story.system is not None

    system = await declared_system(story.system, story.slo)

    assert isinstance(system.alerts, KeptElsewhere)
    assert "http://127.0.0.1:9" == system.tools.prometheus
    evaluates = evaluating(story.system.spec)
    assert "http://127.0.0.1:6" == evaluates.url


async def test_deploys_and_code_of_a_document_let_a_function_be_blamed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "HUNTER2")
    unasked(folder)
    path = folder / "systems/pages.yaml"
    deploys = [{"service": "pages", "revision": "v1", "deployed_at": "2026-01-01T12:00:00Z"}]
    path.write_text(
        path.read_text()
        + '  traces: {jaeger: {url: "http://127.0.0.1:7/"}}\n'
        + '  profiles: {pyroscope: {url: "http://127.0.0.1:8"}}\n'
        + f"  deploys: [{{command: {{run: [echo, {json.dumps(json.dumps(deploys))}]}}}}]\n"
        + "  code: [{service: pages, repository: ../pages, revision: {pattern: ^v(.*)$}}]\n"
    )
    story = read_story("hang")
    assert story.system is not None

    system = await declared_system(story.system, story.slo)

    assert () == system.absent
    assert system.deploys is not None
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert [Deploy("pages", "v1", noon)] == list(
        await system.deploys.deploys(since=noon, until=noon)
    )
    (source,) = toolbox_of(system).sources
    assert Path(source.repository).is_absolute()
    assert "1" == source.revision.in_git("v1")
    assert (source,) == instruments_of(system.tools).sources
