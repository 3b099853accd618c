"""The reference responder against a shop in memory: a table of causes, and tools that fail."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.model.page import Step
from gameday.model.signals import Blame, Deploy, Frame, Profile, Span, Stack, Trace
from gameday.model.toolbox import NO_TOOLS, Instrument, Toolbox
from gameday.responder.bot import Bot
from gameday.testing.desk import NOON, FakeDesk, a_page
from gameday.testing.telemetry import FakeHistory, FakeMetrics, FakeProfiles, FakeTraces
from gameday.testing.virtual import VirtualClock

pytestmark = pytest.mark.served

ONSET = NOON
PAGED = NOON + timedelta(seconds=17)
REGIONS = ("eu-west", "us-east")
OLD, NEW, OLDER = "a" * 40, "b" * 40, "c" * 40
HOPS = (("storefront", "checkout"), ("checkout", "inventory"), ("inventory", "db"))

LINKS = {
    "red": "http://prometheus/graph?g0.expr=sum(rate(x_count%7B%7D%5B5s%5D))"
    "&g1.expr=a%2Fb&g2.expr=histogram_quantile(0.9,x_bucket)"
    "&g0.signal=rate&g1.signal=errors&g2.signal=duration",
    "traces": "http://store/search?service=storefront&start=1767614400000000"
    "&end=1767614417000000&minDuration=100ms&limit=20",
    "profile": "http://store/pyroscope?query=process_cpu&from=1767614400000&until=1767614417000",
}

RUNBOOK = """---
alert: CheckoutLatencyBudgetBurn
service: storefront
---

# CheckoutLatencyBudgetBurn

## First checks

1. **read-red**: Open the RED dashboard.
2. **find-hop**: Open slow traces. Which span holds the bulk?
3. **read-profile**: Open the profile of one of those traces.
4. **check-changes**: Compare with the deploy timeline.
5. **call-a-friend**: Ask the neighbours.

## Likely causes

- **database-unwell**: (service: inventory, downstream: db) → failover-db
- **checkout-hop**: (service: storefront, downstream: checkout) → drain-region
- **inventory-hop**: (service: checkout, downstream: inventory) → drain-region
- **new-code**: a new version (service: any, change: deploy) → rollback-deploy

## Fixes

- **failover-db**: `gameday mitigate failover-db region={region?}`
- **drain-region**: `gameday mitigate drain-region region={region}`
- **rollback-deploy**: `gameday mitigate rollback-deploy service={service}`
- **watch-recovery**: Stay until the burn rate is back at its baseline.
"""


@dataclass(frozen=True)
class Trouble:
    """What happens to requests of the bad regions after the onset.

    ``wait`` and ``work`` are extra seconds; ``fails`` is the hop whose call fails, ``seen`` whether
    the called side leaves a span; ``queue`` extra seconds that grow with every request.
    """

    regions: tuple[str, ...] = REGIONS
    wait: Mapping[tuple[str, str], float] = field(default_factory=dict)
    work: Mapping[str, float] = field(default_factory=dict)
    fails: tuple[str, str] | None = None
    seen: bool = False
    queue: Mapping[tuple[str, str], float] = field(default_factory=dict)
    deployed: str | None = None


def _end(span: Span) -> datetime:
    return span.started_at + span.duration


class Shop:
    """Two requests a second and region, from half a minute before the onset on."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.traces: list[Trace] = []
        for number in range(160):
            at = NOON + timedelta(seconds=(number - 80) / 2, milliseconds=3 * (number % 7))
            for region in REGIONS:
                self.traces.append(self._request(f"{number:03d}{region[:2]}", number, at, region))
        self.ended = {
            region: sorted(
                (t.root() for t in self.traces if t.trace_id.endswith(region[:2])), key=_end
            )
            for region in REGIONS
        }

    def _request(self, name: str, number: int, at: datetime, region: str) -> Trace:
        spans: list[Span] = []
        bad = at >= ONSET and region in self.trouble.regions
        trouble = self.trouble if bad else Trouble()
        late = max(0, number - 80)

        def server(service: str, parent: str | None, start: float) -> tuple[float, bool]:
            """Add a service's span and all below; return its end and whether it failed."""
            id = f"{name}-{service}"
            work = 0.004 + 0.0005 * (number % 5) + trouble.work.get(service, 0.0)
            if number % 37 == 0 and service == "storefront":
                work += 0.2  # a stray one, as every production has
            hop = next((h for h in HOPS if h[0] == service), None)
            end, failed = start + work, False
            if hop is not None:
                end, failed = client(hop, id, start + work / 2)
                end += work / 2
            add(id, parent, service, f"POST {service}", "server", start, end, failed)
            return end, failed

        def client(hop: tuple[str, str], parent: str, start: float) -> tuple[float, bool]:
            id = f"{parent}-call"
            wait = 0.002 + trouble.wait.get(hop, 0.0) + late * trouble.queue.get(hop, 0.0)
            end, failed = start + wait, trouble.fails == hop
            if hop[1] != "db" and (not failed or trouble.seen):
                inner, below = server(hop[1], id, start + wait / 2)
                end = end if failed else inner + wait / 2
                failed = failed or below
            add(id, parent, hop[0], f"call {hop[1]}", "client", start, end, failed, hop[1])
            return end, failed

        def add(
            id: str,
            parent: str | None,
            service: str,
            span: str,
            kind: str,
            start: float,
            end: float,
            failed: bool,
            peer: str | None = None,
        ) -> None:
            new = at >= ONSET and self.trouble.deployed == service
            spans.append(
                Span(
                    trace_id=name,
                    span_id=id,
                    parent_id=parent,
                    name=span,
                    kind=kind,
                    service=service,
                    started_at=at + timedelta(seconds=start),
                    duration=timedelta(seconds=end - start),
                    error=failed,
                    attributes={"peer.service": peer} if peer else {},
                    resource={
                        "cloud.region": "global" if service == "edge" else region,
                        "vcs.repository.url.full": "file:///shop",
                        "vcs.ref.head.revision": NEW if new else OLD,
                    },
                )
            )

        end, failed = server("storefront", f"{name}-edge", 0.001)
        add(f"{name}-edge", None, "edge", "POST /checkout", "server", 0.0, end + 0.001, failed)
        return Trace(name, tuple(sorted(spans, key=lambda s: s.started_at)))

    def level(self, signal: str, region: str, at: datetime) -> float | None:
        """Draw RED from the requests of the last five seconds."""
        roots = self.ended[region]
        first = bisect_right(roots, at - timedelta(seconds=5), key=_end)
        seen = roots[first : bisect_right(roots, at, key=_end)]
        if signal == "rate" or not seen:
            return len(seen) / 5 if signal == "rate" and seen else None
        if signal == "errors":
            failed = sum(r.error for r in seen)
            return failed / len(seen) if failed else None
        durations = sorted(r.duration.total_seconds() for r in seen)
        return durations[(9 * len(durations)) // 10 - 1]


def profile_of(*leaves: tuple[str, str, float]) -> Profile:
    """Return a profile: (function, file, seconds) each, called by the service's server."""
    outer = Frame("Server._serve", f"/releases/{NEW}/chassis/server.py", 70)
    return Profile(
        tuple(
            Stack((outer, Frame(function, file, 12)), timedelta(seconds=seconds))
            for function, file, seconds in leaves
        )
    )


COMPUTE = profile_of(
    ("packing_order", f"/releases/{NEW}/checkout/shipping.py", 5.0),
    ("place_order", f"/releases/{NEW}/checkout/orders.py", 0.3),
    ("HTTPConnection.getresponse", "/usr/lib/python3.11/http/client.py", 1.0),
)
BLAMES = {
    (NEW, "packing_order"): Blame(NEW, "Ada", NOON - timedelta(minutes=2), "Pack", "f.py", 12),
    (OLD, "packing_order"): Blame(OLDER, "Ada", NOON - timedelta(days=9), "Start", "f.py", 12),
}
LIVE = (
    Deploy("checkout", OLD, NOON - timedelta(hours=1)),
    Deploy("checkout", NEW, NOON - timedelta(seconds=1)),
)


@dataclass
class Drill:
    """One run of the bot, with everything it was given."""

    desk: FakeDesk
    profiles: FakeProfiles
    clock: VirtualClock


async def drill(
    trouble: Trouble,
    *,
    runbook: str = RUNBOOK,
    deploys: Sequence[Deploy] = (),
    profiles: Mapping[str, Profile] | None = None,
    blames: Mapping[tuple[str, str], Blame] | None = None,
    lag: int = 0,
    metrics_broken: DriverError | None = None,
    traces_broken: DriverError | None = None,
    broken: Mapping[str, DriverError] | None = None,
    toolbox: Toolbox = NO_TOOLS,
    links: Mapping[str, str] = LINKS,
) -> Drill:
    shop = Shop(trouble)
    desk = FakeDesk(links=links, runbook=runbook, deploys=deploys, broken=broken)
    source = FakeProfiles(profiles, lag=lag)
    clock = VirtualClock(PAGED, passes_at_once=True)

    def level(signal: str, region: str, at: datetime) -> float | None:
        # Mended by whatever was started.
        return shop.level(signal, region, at if not desk.mitigations else ONSET)

    bot = Bot(
        desk=desk,
        open_metrics=lambda url: FakeMetrics(level, REGIONS, broken=metrics_broken),
        open_traces=lambda url: FakeTraces(shop.traces, broken=traces_broken),
        open_profiles=lambda url: source,
        code=FakeHistory(BLAMES if blames is None else blames),
        clock=clock,
        toolbox=toolbox,
    )
    await bot.work(a_page(at=PAGED))
    return Drill(desk, source, clock)


DB, INVENTORY, CHECKOUT = HOPS[2], HOPS[1], HOPS[0]
EAST, WEST = ("us-east",), ("eu-west",)

TABLE = [
    ("db slow here", Trouble(WEST, wait={DB: 0.4}), ("inventory", "db", "eu-west")),
    ("db a little slow", Trouble(EAST, wait={DB: 0.15}), ("inventory", "db", "us-east")),
    ("db slow everywhere", Trouble(wait={DB: 2.0}), ("inventory", "db", None)),
    ("db times out", Trouble(WEST, wait={DB: 4.0}, fails=DB), ("inventory", "db", "eu-west")),
    ("db resets", Trouble(EAST, fails=DB), ("inventory", "db", "us-east")),
    ("hop slow", Trouble(EAST, wait={INVENTORY: 0.3}), ("checkout", "inventory", "us-east")),
    ("hop cut", Trouble(WEST, fails=INVENTORY), ("checkout", "inventory", "eu-west")),
    (
        "answers cut",
        Trouble(WEST, fails=CHECKOUT, seen=True),
        ("storefront", "checkout", "eu-west"),
    ),
    (
        "hop hangs",
        Trouble(EAST, wait={CHECKOUT: 6.0}, fails=CHECKOUT),
        ("storefront", "checkout", "us-east"),
    ),
    ("code slow", Trouble(work={"checkout": 0.14}), ("checkout", None, None)),
    (
        "code slow with a queue before it",
        Trouble(work={"inventory": 0.14}, queue={INVENTORY: 0.006, DB: 0.004}),
        ("inventory", None, None),
    ),
    (
        "db slow with queues behind it",
        Trouble(WEST, wait={DB: 0.2}, queue={INVENTORY: 0.005, CHECKOUT: 0.005}),
        ("inventory", "db", "eu-west"),
    ),
]


@pytest.mark.parametrize(
    ("trouble", "culprit"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
async def test_the_culprit_is_named(
    trouble: Trouble, culprit: tuple[str, str | None, str | None]
) -> None:
    done = await drill(trouble)

    detail = done.desk.finding(Step.TRACE).detail
    assert culprit == (detail["service"], detail["downstream"], detail["region"])
    assert 5 <= len(detail["traces"]) <= 10
    assert 0.5 < detail["bulk_ratio"] <= 1


async def test_the_steps_come_in_the_order_of_the_funnel_and_start_with_the_ack() -> None:
    done = await drill(Trouble(WEST, wait={DB: 0.4}))

    reported = [e for e in done.desk.events if not e.startswith("tick")]
    assert [
        "ack",
        "follow red",
        "report red",
        "follow traces",
        "report trace",
        "follow profile",
        "report profile",
        "deploys",
        "report blame",
        "read",
        "report mitigate",
        "mitigate failover-db",
    ] == reported
    assert all(f.found_at is not None for f in done.desk.findings)


async def test_steps_that_the_system_has_no_instrument_for_are_passed_over() -> None:
    bare = Toolbox(absent=frozenset({Step.PROFILE, Step.BLAME}))

    done = await drill(Trouble(WEST, wait={DB: 0.4}), toolbox=bare)

    assert [Step.RED, Step.TRACE, Step.MITIGATE] == [f.step for f in done.desk.findings]
    assert not {"follow profile", "deploys"} & set(done.desk.events)
    assert [("failover-db", {"region": "eu-west"})] == done.desk.mitigations


async def test_a_link_that_names_the_service_as_the_traces_do_is_read_in_our_names() -> None:
    # What stands behind `open_traces` renames; here the shop's traces stand for the renamed ones.
    link = LINKS["traces"].replace("service=storefront", "service=their-front")
    theirs = Instrument(url="http://store", services={"storefront": "their-front"})
    box = Toolbox(instruments=(theirs,))

    done = await drill(Trouble(WEST, wait={DB: 0.4}), toolbox=box, links={**LINKS, "traces": link})

    assert "inventory" == done.desk.finding(Step.TRACE).detail["service"]


async def test_a_slow_database_is_read_as_a_plateau_of_duration_in_one_region() -> None:
    done = await drill(Trouble(WEST, wait={DB: 0.4}))

    detail = done.desk.finding(Step.RED).detail
    assert ["duration"] == detail["moved"]
    assert "plateau" == detail["shape"]
    assert "eu-west" == detail["region"]
    onset = datetime.fromisoformat(detail["onset"])
    assert abs(onset - ONSET) <= timedelta(seconds=2)


async def test_errors_are_read_as_errors() -> None:
    done = await drill(Trouble(EAST, fails=DB))

    assert "errors" in done.desk.finding(Step.RED).detail["moved"]
    assert done.desk.finding(Step.TRACE).detail["errors"] is True


async def test_a_slow_database_ends_off_cpu_unexplained_and_failed_over() -> None:
    done = await drill(Trouble(WEST, wait={DB: 0.4}))

    profile = done.desk.finding(Step.PROFILE).detail
    assert (True, "db") == (profile["off_cpu"], profile["waiting_in"])
    assert done.desk.finding(Step.BLAME).detail["explained"] is False
    assert [("failover-db", {"region": "eu-west"})] == done.desk.mitigations
    assert (True, "started failover-db") == done.desk.ticks["failover-db"]
    assert done.desk.ticks["watch-recovery"][0]


async def test_the_runbooks_checks_are_ticked_and_only_those_that_were_done() -> None:
    done = await drill(Trouble(WEST, wait={DB: 0.4}))

    ticked = {id: ok for id, (ok, _) in done.desk.ticks.items()}
    checks = ("read-red", "find-hop", "read-profile", "check-changes")
    assert all(ticked[id] for id in checks)
    assert ticked["call-a-friend"] is False


async def test_a_fault_everywhere_is_failed_over_everywhere() -> None:
    done = await drill(Trouble(wait={DB: 0.4}))

    assert [("failover-db", {})] == done.desk.mitigations


async def test_both_regions_cannot_be_drained() -> None:
    done = await drill(Trouble(wait={CHECKOUT: 0.4}))

    assert [] == done.desk.mitigations
    finding = done.desk.finding(Step.MITIGATE)
    assert finding.detail["mitigation"] is None
    assert "drain-region needs one region" in finding.detail["reason"]


async def test_code_that_went_live_before_the_onset_is_accused_and_rolled_back() -> None:
    done = await drill(
        Trouble(work={"checkout": 0.14}, deployed="checkout"),
        deploys=LIVE,
        profiles={"checkout": COMPUTE},
        lag=3,
    )

    profile = done.desk.finding(Step.PROFILE).detail
    assert ("packing_order", "checkout/shipping.py") == (profile["function"], profile["file"])
    assert profile["off_cpu"] is False
    blame = done.desk.finding(Step.BLAME).detail
    assert (True, NEW) == (blame["explained"], blame["commit"])
    assert [("rollback-deploy", {"service": "checkout"})] == done.desk.mitigations


@pytest.mark.parametrize(
    ("deploys", "blames", "reason"),
    [
        ((Deploy("checkout", NEW, NOON + timedelta(seconds=9)),), BLAMES, "did not go live"),
        (
            LIVE,
            {**BLAMES, (NEW, "packing_order"): BLAMES[(OLD, "packing_order")]},
            "was the same in",
        ),
        (
            LIVE,
            {(NEW, "packing_order"): replace(BLAMES[(NEW, "packing_order")], committed_at=PAGED)},
            "is younger than the deploy",
        ),
        ((Deploy("inventory", NEW, NOON - timedelta(seconds=1)),), BLAMES, "did not go live"),
    ],
)
async def test_nobody_is_accused_of_what_no_deploy_before_the_onset_explains(
    deploys: tuple[Deploy, ...], blames: Mapping[tuple[str, str], Blame], reason: str
) -> None:
    done = await drill(
        Trouble(work={"checkout": 0.14}, deployed="checkout"),
        deploys=deploys,
        profiles={"checkout": COMPUTE},
        blames=blames,
    )

    blame = done.desk.finding(Step.BLAME).detail
    assert (False, None) == (blame["explained"], blame["commit"])
    assert reason in blame["reason"]
    assert [] == done.desk.mitigations


async def test_code_that_ran_quietly_before_is_not_accused() -> None:
    done = await drill(
        Trouble(work={"checkout": 0.14}),
        deploys=[Deploy("checkout", OLD, NOON - timedelta(hours=1))],
        profiles={"checkout": COMPUTE},
        blames={(OLD, "packing_order"): BLAMES[(OLD, "packing_order")]},
    )

    assert "ran well before the onset" in done.desk.finding(Step.BLAME).detail["reason"]
    assert [] == done.desk.mitigations


async def test_a_harmless_deploy_beside_a_slow_database_is_not_accused() -> None:
    done = await drill(Trouble(wait={DB: 0.4}, deployed="checkout"), deploys=LIVE)

    assert done.desk.finding(Step.BLAME).detail["explained"] is False
    assert [("failover-db", {})] == done.desk.mitigations


async def test_a_function_that_sleeps_is_named_like_one_that_computes() -> None:
    waiting = profile_of(("label_slot", f"/releases/{NEW}/checkout/shipping.py", 4.0))
    blames = {(NEW, "label_slot"): BLAMES[(NEW, "packing_order")]}

    done = await drill(
        Trouble(work={"checkout": 0.2}, deployed="checkout"),
        deploys=LIVE,
        profiles={"checkout": waiting},
        blames=blames,
    )

    assert "label_slot" == done.desk.finding(Step.PROFILE).detail["function"]
    assert NEW == done.desk.finding(Step.BLAME).detail["commit"]


async def test_without_a_profile_no_commit_is_named_but_the_new_version_is_rolled_back() -> None:
    done = await drill(Trouble(work={"checkout": 0.2}, deployed="checkout"), deploys=LIVE)

    assert done.desk.finding(Step.PROFILE).detail["off_cpu"] is True
    assert done.desk.finding(Step.BLAME).detail["unknown"] is True
    assert [("rollback-deploy", {"service": "checkout"})] == done.desk.mitigations


async def test_a_runbook_without_the_fix_means_no_mitigation() -> None:
    text = RUNBOOK.replace("- **failover-db**: `gameday", "- **other**: `gameday")

    done = await drill(Trouble(WEST, wait={DB: 0.4}), runbook=text)

    assert [] == done.desk.mitigations
    finding = done.desk.finding(Step.MITIGATE)
    assert finding.detail["mitigation"] is None
    assert "no fix for inventory → db" in finding.detail["reason"]


async def test_with_prometheus_down_the_traces_still_name_the_culprit() -> None:
    gone = TemporaryDriverError("Prometheus at http://prometheus does not answer")

    done = await drill(Trouble(WEST, wait={DB: 0.4}), metrics_broken=gone)

    red = done.desk.finding(Step.RED).detail
    assert (True, str(gone)) == (red["unknown"], red["reason"])
    trace = done.desk.finding(Step.TRACE).detail
    assert ("inventory", "db", "eu-west") == (
        trace["service"],
        trace["downstream"],
        trace["region"],
    )
    assert done.desk.ticks["read-red"][0] is False
    assert [("failover-db", {"region": "eu-west"})] == done.desk.mitigations


async def test_without_traces_the_cause_stays_unknown_and_nothing_is_tried() -> None:
    done = await drill(
        Trouble(WEST, wait={DB: 0.4}), traces_broken=PermanentDriverError("Jaeger says no")
    )

    unknown = [f.step for f in done.desk.findings if f.detail.get("unknown")]
    assert [Step.TRACE, Step.PROFILE, Step.BLAME] == unknown
    assert [] == done.desk.mitigations
    assert done.desk.finding(Step.MITIGATE).detail["mitigation"] is None


async def test_a_mitigation_that_is_refused_is_noted_and_not_ticked() -> None:
    done = await drill(
        Trouble(WEST, wait={DB: 0.4}),
        broken={"mitigate failover-db": PermanentDriverError("the standby is gone")},
    )

    assert (False, "the standby is gone") == done.desk.ticks["failover-db"]
    assert "watch-recovery" not in done.desk.ticks


async def test_the_bot_is_quick() -> None:
    done = await drill(Trouble(WEST, wait={DB: 0.4}))

    mitigated = done.desk.finding(Step.MITIGATE).found_at
    assert mitigated is not None
    assert mitigated - PAGED < timedelta(seconds=15)


async def test_the_same_incident_is_told_in_the_same_words_every_time() -> None:
    one = await drill(Trouble(work={"checkout": 0.14}), profiles={"checkout": COMPUTE})
    two = await drill(Trouble(work={"checkout": 0.14}), profiles={"checkout": COMPUTE})

    assert one.desk.findings == two.desk.findings


async def test_a_desk_that_is_gone_ends_the_work() -> None:
    with pytest.raises(TemporaryDriverError):
        await drill(Trouble(), broken={"ack": TemporaryDriverError("gone")})
