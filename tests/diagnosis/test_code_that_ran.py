"""Which repository and which version are blamed, by spans, deploys and the system's document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from gameday.diagnosis.blame import explain
from gameday.diagnosis.case import Case
from gameday.diagnosis.code import CodeThatRan, code_that_ran
from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.stacks import Leaf
from gameday.diagnosis.suspicion import Suspect
from gameday.model.code import CodeOf, RevisionFrom
from gameday.model.signals import Blame, Deploy, Span, Trace
from gameday.testing.desk import a_page
from gameday.testing.telemetry import FakeHistory

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OLD, NEW = "a" * 40, "b" * 40
IN_SHOP = CodeOf(service="checkout", repository="/srv/shop")


def span(resource: Mapping[str, object], at: datetime = NOON) -> Span:
    return Span(
        trace_id="1", span_id="2", parent_id=None, name="POST", kind="server",
        service="checkout", started_at=at, duration=SECOND, resource=resource,
    )  # fmt: skip


def suspect(resource: Mapping[str, object], quiet: Sequence[Mapping[str, object]] = ()) -> Suspect:
    example = span(resource)
    return Suspect(
        place=Hop("checkout", ""), span="POST", kind="server", bulk_ratio=1.0, time=SECOND,
        usual=SECOND, errors=False, traces=(Trace("1", (example,)),), region=None,
        example=example, quiet=tuple(span(r, NOON - 60 * SECOND) for r in quiet),
    )  # fmt: skip


def deployed(revision: str, before: timedelta, service: str = "checkout") -> Deploy:
    return Deploy(service, revision, NOON - before)


def ran(
    resource: Mapping[str, object],
    *,
    revision: RevisionFrom | None = None,
    deploys: Sequence[Deploy] = (),
) -> CodeThatRan | str:
    source = IN_SHOP.model_copy(update={"revision": revision or RevisionFrom()})
    return code_that_ran(suspect(resource), deploys, NOON, [source])


@pytest.mark.parametrize(
    ("resource", "how", "told"),
    [
        ({"vcs.ref.head.revision": NEW, "service.version": "1.2"}, {}, NEW),
        ({"service.version": "1.2"}, {}, "1.2"),
        ({"container.image.tags": ["v7", "latest"]}, {"image_tag": True}, "v7"),
        ({"container.image.tag": "v7"}, {"image_tag": True}, "v7"),
        ({"k8s.pod.label.version": "v8"}, {"label": "version"}, "v8"),
        ({"build.id": "v9", "service.version": "1"}, {"attribute": "build.id"}, "v9"),
    ],
)
def test_the_version_is_what_the_document_goes_by(
    resource: Mapping[str, object], how: dict[str, object], told: str
) -> None:
    found = ran(resource, revision=RevisionFrom(**how))  # type: ignore[arg-type]

    assert isinstance(found, CodeThatRan)
    assert ("/srv/shop", told, True) == (found.repository, found.revision, found.told_by_spans)


def test_where_spans_say_nothing_it_is_what_was_deployed_last_before_the_onset() -> None:
    deploys = [
        deployed(OLD, 60 * SECOND),
        deployed(NEW, 3 * SECOND),
        deployed("later", -9 * SECOND),
    ]

    found = ran({}, revision=RevisionFrom(image_tag=True), deploys=deploys)

    assert isinstance(found, CodeThatRan)
    assert (NEW, False) == (found.revision, found.told_by_spans)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "nothing says which version of checkout ran: neither its spans"),
        ({"attribute": "build.id"}, r"its spans \(build.id\) nor a deploy"),
    ],
)
def test_what_nothing_says_is_said(how: dict[str, object], said: str) -> None:
    found = ran({}, revision=RevisionFrom(**how))  # type: ignore[arg-type]

    assert isinstance(found, str)
    assert said.replace("\\", "") in found


def test_a_service_without_a_repository_is_named() -> None:
    other = CodeOf(service="inventory", repository="/srv/inventory")

    found = code_that_ran(suspect({}), [], NOON, [other])

    assert "the system's document says of no repository that it is checkout's" == found


@pytest.mark.parametrize(
    ("pattern", "told", "commit"),
    [
        (None, "v1.2.3", "v1.2.3"),
        ("-([0-9a-f]{7,40})$", "main-20260101-1a2b3c4", "1a2b3c4"),
        ("[0-9a-f]{7,40}$", "main-1a2b3c4", "1a2b3c4"),
        ("-([0-9a-f]{7,40})$", "latest", None),
    ],
)
def test_a_pattern_finds_the_commit_in_a_version(
    pattern: str | None, told: str, commit: str | None
) -> None:
    assert commit == RevisionFrom(pattern=pattern).in_git(told)


@pytest.mark.parametrize(
    "how", [{"pattern": "("}, {"pattern": "(a)(b)"}, {"image_tag": True, "label": "x"}]
)
def test_a_way_that_cannot_be_gone_is_refused(how: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RevisionFrom(**how)  # type: ignore[arg-type]


# --- and what is made of it ---------------------------------------------------------------------

BLAMES = {
    ("new", "pack"): Blame("c" * 40, "Ada", NOON - timedelta(hours=2), "Pack", "f.py", 12),
    ("old", "pack"): Blame("d" * 40, "Ada", NOON - timedelta(days=9), "Start", "f.py", 12),
}


async def explained(
    resource: Mapping[str, object],
    deploys: Sequence[Deploy],
    quiet: Sequence[Mapping[str, object]] = (),
) -> str:
    accused = suspect(resource, quiet)
    case = Case(a_page(at=NOON + 9 * SECOND), suspect=accused, leaf=Leaf("pack", "f.py", 12, 1.0))
    source = CodeOf(
        service="checkout", repository="/srv/shop", revision=RevisionFrom(pattern="^v-(.*)$")
    )
    found = await explain(case, accused, deploys, FakeHistory(BLAMES), sources=[source])
    return found.summary


async def test_a_deploy_shortly_before_explains_where_no_span_names_a_version() -> None:
    deploys = [deployed("v-old", timedelta(days=1)), deployed("v-new", 40 * SECOND)]

    said = await explained({}, deploys)

    assert "commit ccccccc ('Pack') changed pack and went live with checkout 40 s" in said


async def test_a_deploy_long_before_does_not() -> None:
    deploys = [deployed("v-old", timedelta(days=1)), deployed("v-new", timedelta(hours=1))]

    assert "v-new ran well before the onset" in await explained({}, deploys)


async def test_a_version_that_served_quietly_does_not_whatever_tells_it() -> None:
    deploys = [deployed("v-old", timedelta(days=1)), deployed("v-new", 100 * SECOND)]
    version = {"service.version": "v-new"}

    assert "went live with checkout 100 s" in await explained(version, deploys)
    assert "ran well before the onset" in await explained(version, deploys, quiet=[version])


async def test_the_same_version_deployed_again_is_no_new_one() -> None:
    deploys = [
        deployed("v-old", timedelta(days=1)),
        deployed("v-new", timedelta(hours=1)),
        deployed("v-new", 10 * SECOND),
    ]

    assert "v-new ran well before the onset" in await explained({}, deploys)


async def test_a_version_in_which_the_pattern_finds_nothing_is_said() -> None:
    said = await explained({}, [deployed("latest", 40 * SECOND)])

    assert "the pattern '^v-(.*)$' finds no commit in the version 'latest'" in said
