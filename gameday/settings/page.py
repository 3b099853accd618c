"""The page of settings: every choice an operator has, with its reason for the default.

Each class is a table of ``gameday.toml``, each field a line of it and a variable of the
environment; `docs/settings.md` is made from this page. What is not here is no setting: thresholds
belong to the SLO, targets of the responder to the rubric, permission to the programme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, SecretStr

from gameday.settings.values import (
    DatabaseUrl,
    Folder,
    Names,
    Place,
    Secret,
    Secrets,
    Switch,
    Template,
    Text,
    WebAddress,
    at_least_or_for_ever,
    between,
)
from gameday.shop import NAMESPACE

OUR_CLUSTER = ("kind-gameday",)
NOTHING = SecretStr("")

MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Kept = Annotated[timedelta | None, PlainValidator(at_least_or_for_ever(DAY))]
"""How long something is kept; None: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where gameday keeps what must not be lost."""

    state: Folder
    """Folder of the SQLite store, the reports, the server's secret, the locks and the sandbox.

    Default: ``gameday`` in ``$XDG_STATE_HOME``, else in ``~/.local/state``, because that is where
    a system's users look for what programs keep. A relative one counts from the working directory,
    and from the file's folder where the file says it.
    """

    database_url: DatabaseUrl = ""
    """Database of runs and incidents, as SQLAlchemy writes it:
    ``postgresql+psycopg://user:password@host/gameday``.

    Default: none, and that is SQLite in the state folder: one machine needs no server. Several
    ``gameday serve`` and runs on several machines need a PostgreSQL to share.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long the store keeps what is over: durations of at least 1d, or ``none`` for ever.

    What is open, under way, or not proven taken back is kept whatever stands here. ``gameday
    serve`` goes by it; where none runs, ``gameday prune`` does when it is called.
    """

    incidents: Kept = 400 * DAY
    """How long everything that was said about a real incident is kept after the last word of it,
    and the deploys that were told.

    Default: 400d, a year and a month: what happens once a year is there to compare with.
    """

    runs: Kept = 400 * DAY
    """How long the timeline, the documents and the result of a run are kept after its end, with
    the incidents of its drill.

    Default: 400d, likewise: a game day is compared with the one of a year ago.
    """

    lines: Kept = 1830 * DAY
    """How long the line stays in the list that says of an incident or a run what it was, how it
    ended and when it was pruned, and what the audit says of who did what; counted from their
    beginning, and never shorter than the above.

    Default: 1830d, five years: a line is two hundred bytes, and trends are made of lines.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run watches, waits and recovers."""

    poll: Annotated[timedelta, PlainValidator(between(100 * MILLISECOND, MINUTE))] = SECOND
    """How often a run looks at Prometheus; 100ms to 1m.

    Default: 1s, the evaluation interval of the sandbox's rules: nothing changes in between.
    """

    recovery_budget: Annotated[timedelta, PlainValidator(between(SECOND, HOUR))] = 30 * SECOND
    """How long a recovery is tried again before a fault is called stuck; 1s to 1h.

    Default: 30s, several tries of the longest single one on a target that is slow to answer; it is
    not part of the run's time.
    """

    lease: Annotated[timedelta, PlainValidator(between(SECOND, MINUTE))] = 5 * SECOND
    """How long a run's heartbeat may be silent before its sentinel takes over; 1s to 1m.

    Default: 5s: five missed beats are no hiccup of a busy machine, and a fault that nobody holds
    does harm for a few seconds only.
    """

    answer_patience: Annotated[timedelta, PlainValidator(between(SECOND, 24 * HOUR))] = 3 * MINUTE
    """How long a run waits for a mitigation, counted from the page; 1s to 1d.

    Default: 3m, the loop's own target for it (T+3 min): later it is missed anyway.
    """

    detection_slack: Annotated[timedelta, PlainValidator(between(timedelta(0), HOUR))] = 15 * SECOND
    """Waited for past the latest predicted page before a run calls detection missed; 1h at
    most.

    Default: 15s, so that a page that is delivered late is seen, and called late and not missing.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeSettings:
    """Which Kubernetes clusters gameday may touch, and what in them."""

    context: Text = ""
    """Context of the kubeconfig to use where neither option nor experiment says one.

    Default: none, and that is the kubeconfig's current one, where ``contexts`` allows it. Which
    kubeconfig is said by ``KUBECONFIG``, as for kubectl.
    """

    contexts: Names = OUR_CLUSTER
    """Contexts of clusters that faults may be put into; names or shell patterns, ``in-cluster`` for
    the one around a pod.

    Default: ``kind-gameday``, the cluster of our own ``kind-config.yaml`` alone: whoever means
    another one says so.
    """

    namespaces: Names = (NAMESPACE,)
    """Namespaces that faults may touch; names or shell patterns. Those of the system and the one
    gameday runs in are refused whatever stands here.

    Default: ``shop``, where the example shop lives.
    """

    disposable: Names = OUR_CLUSTER
    """Contexts of clusters nobody depends on, where time may be compressed, unless a programme
    lists its targets and says otherwise; names.

    Default: ``kind-gameday``, as above.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """Where the tools are that gameday reads, for the console, ``slo status`` and ``plan``.

    The sandbox and a shop in a cluster bring theirs along, and need nothing of this.
    """

    prometheus_url: WebAddress = ""
    """Prometheus: burn rates, budgets, RED panels.

    Default: none; the console then says so in place of a panel, and ``slo status`` asks the
    sandbox's where it is up.
    """

    traces_url: WebAddress = ""
    """Jaeger's query API, or what speaks it: the waterfalls.

    Default: none, as above.
    """

    profiles_url: WebAddress = ""
    """Pyroscope: the flame graphs.

    Default: none, as above.
    """

    alertmanager_url: WebAddress = ""
    """Alertmanager, whose routes ``gameday plan`` reads to say who else a drill's page will wake.

    Default: none, and then ``plan`` does not know.
    """

    control_url: WebAddress = ""
    """Control API of a sandbox, for experiments that are given none.

    Default: none, and that is the sandbox that runs on this machine.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How ``gameday serve`` presents itself, and whom it believes."""

    public_url: WebAddress = ""
    """How people reach the service; the deeplinks of pages begin with it.

    Default: none, and that is the address it listens on, which is right on one's own machine only.
    """

    deploys_from: Text = ""
    """Whose rollouts are told as deploys: ``kubernetes/<context>/<namespace>``.

    Default: none: deploys are told by ``/hooks/deploy``.
    """

    stop_drills: Switch = False
    """Whether a real SEV-1 or SEV-2 that opens while a drill goes on stops all drills.

    Default: false: stopping is an order to every team, so somebody has to have asked for it.
    """

    pagerduty_webhook_secret: Secrets = ()
    """Secrets of PagerDuty's webhook subscriptions, several while one is exchanged.

    Default: none, and then ``/hooks/pagerduty`` is closed: nobody could prove to be PagerDuty.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Where the deeplinks of a page lead: URLs with ``{service}``, ``{slo}``, ``{from}``, ``{to}``
    (milliseconds) and ``{incident}``."""

    red: Template = ""
    """The dashboard of rate, errors and duration.

    Default: none, and that is the console's own view.
    """

    traces: Template = ""
    """The traces of the burn window. Default: none, likewise."""

    profile: Template = ""
    """The profile of the burn window. Default: none, likewise."""

    runbook: Template = ""
    """The runbook. Default: none, likewise."""

    def given(self) -> Mapping[str, str]:
        """Return the views that lead somewhere else, by name."""
        views = {"red": self.red, "traces": self.traces} | {
            "profile": self.profile,
            "runbook": self.runbook,
        }
        return {view: url for view, url in views.items() if url}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerSettings:
    """What carries pages to people; at most one of PagerDuty, Slack and a webhook."""

    pagerduty_key: Secret = field(default=NOTHING)
    """Key of an *Events API v2* integration of PagerDuty, 32 characters. Default: none."""

    pagerduty_url: WebAddress = "https://events.pagerduty.com"
    """Where PagerDuty takes events; https://events.eu.pagerduty.com for an account in Europe.

    Default: https://events.pagerduty.com, where accounts live that have not chosen Europe.
    """

    slack_url: Secret = field(default=NOTHING)
    """Incoming webhook of a Slack channel; whoever knows it may post. Default: none."""

    webhook_url: Secret = field(default=NOTHING)
    """Where pages are posted as JSON; secret, since many receivers know their senders by it alone.
    Default: none."""

    webhook_token: Secret = field(default=NOTHING)
    """Sent along as bearer token. Default: none."""

    webhook_secret: Secret = field(default=NOTHING)
    """Signs what is posted, so that the receiver can tell it from a stranger's. Default: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """Where a drill takes the pages of a system that sends them to it: of one whose file says
    ``pages: {webhook: true}``."""

    listen: Place = "127.0.0.1:8081"
    """Host and port that Alertmanager, or Grafana, sends them to, while a drill goes on.

    Default: 127.0.0.1:8081, beside ``gameday serve``: what others reach is for you to open.
    """

    url: WebAddress = ""
    """How Alertmanager reaches that; its receiver sends to this with ``/hooks/alertmanager`` behind
    it.

    Default: none, and that is the address listened on, where it is one of this machine's.
    """

    token: Secret = field(default=NOTHING)
    """What the sender shows as its bearer token; long, and random.

    Default: none, and then no such drill begins: anybody could say that a page had come.
    """

    @property
    def place(self) -> tuple[str, int]:
        """Return host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def address(self) -> str:
        """Return how senders reach it; empty: on every address of this machine, nobody knows."""
        is_everywhere = self.place[0] in ("0.0.0.0", "::")
        return self.url or ("" if is_everywhere else f"http://{self.listen}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSettings:
    """How a drill reaches people."""

    url: WebAddress = ""
    """How people reach a run that goes on; the links of its pages begin with it. That of a
    ``gameday serve`` on the same store and state folder will do.

    Default: none, and that is the run's own port on this machine, where its on-call sits.
    """

    escalates: Switch = False
    """Whether a drill that nobody acknowledges wakes the real rota, as a real incident does.

    Default: false: a drill wakes those who are in it, and nobody else.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Which running ``gameday serve`` the command line speaks to."""

    server: WebAddress = "http://127.0.0.1:8080"
    """Its address. Default: http://127.0.0.1:8080, where ``gameday serve`` listens by itself."""

    token: Secret = field(default=NOTHING)
    """A token of your own, made by ``gameday token create --role responder``.

    Default: none; better in the environment than in a file that others can read.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator may choose for one gameday process."""

    store: StoreSettings
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    run: RunSettings = field(default_factory=RunSettings)
    kube: KubeSettings = field(default_factory=KubeSettings)
    tools: ToolSettings = field(default_factory=ToolSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    links: LinkSettings = field(default_factory=LinkSettings)
    pager: PagerSettings = field(default_factory=PagerSettings)
    """The pager of the on-call and of the rota. Default: none; pages only stand in the list."""

    drill_pager: PagerSettings = field(default_factory=PagerSettings)
    """The pager of drills. Default: none; a drill's page only stands in the console."""

    hook: HookSettings = field(default_factory=HookSettings)
    drill: DrillSettings = field(default_factory=DrillSettings)
    client: ClientSettings = field(default_factory=ClientSettings)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Return the settings in force: this environment's (ours by default) over gameday.toml's.

        Raises:
            SpecError: a value is none of its kind, or the file holds what is no setting; all of it.
        """
        from gameday.settings.reading import find  # late: it loads a library of its own

        return find(environment).settings

    @property
    def state(self) -> Path:
        """Return the folder of the store of runs, the reports and the sandbox."""
        return self.store.state

    @property
    def database_url(self) -> str:
        """Return the database of the store: the one that is named, else SQLite in the state folder.

        A folder's name may hold what means something in a URL (``?``, ``%41``, a blank), so that
        SQLAlchemy writes it, which reads it again.
        """
        if self.store.database_url:
            return self.store.database_url
        from sqlalchemy import URL  # late: most commands' help needs no database

        file = URL.create("sqlite", database=str(self.store.state / "gameday.db"))
        return file.render_as_string(hide_password=False)

    @property
    def poll(self) -> timedelta:
        """Return how often a run looks at Prometheus."""
        return self.run.poll

    @property
    def recovery_budget(self) -> timedelta:
        """Return how long recovery is tried again before a fault is called stuck."""
        return self.run.recovery_budget

    @property
    def lease(self) -> timedelta:
        """Return how long a run's heartbeat may be silent before its sentinel takes over."""
        return self.run.lease

    @property
    def answer_patience(self) -> timedelta:
        """Return how long a run waits for a mitigation, counted from the page."""
        return self.run.answer_patience

    @property
    def detection_slack(self) -> timedelta:
        """Return what is waited for past the latest predicted page."""
        return self.run.detection_slack

    @property
    def kube_contexts(self) -> tuple[str, ...]:
        """Return the contexts of clusters that faults may be put into."""
        return self.kube.contexts

    @property
    def kube_namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that faults may touch."""
        return self.kube.namespaces

    @property
    def kube_disposable(self) -> tuple[str, ...]:
        """Return the contexts of clusters nobody depends on."""
        return self.kube.disposable
