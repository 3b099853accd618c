"""Which pager carries whose pages, by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gameday.errors import UsageError
from gameday.ports import Clock, Pager
from gameday.settings import PagerSettings, Settings, variable


class PagerKind(StrEnum):
    """What carries a drill's pages to its on-call."""

    PAGERDUTY = "pagerduty"
    SLACK = "slack"
    WEBHOOK = "webhook"
    CONSOLE = "console"
    """The console, and nothing that rings."""


_KEYS = {
    PagerKind.PAGERDUTY: "pagerduty_key",
    PagerKind.SLACK: "slack_url",
    PagerKind.WEBHOOK: "webhook_url",
}
"""The setting that each stands on."""


def pagers_of(clock: Clock, settings: Settings) -> Mapping[str, Pager]:
    """Return the pager of each role that the settings name one for: of the on-call and the rota.

    The drills' is here, too: a run pages by it itself, and the service tells it what is left when
    the run is gone.

    Raises:
        UsageError: one cannot be right, or several are given for the same people.
    """
    found: dict[str, Pager] = {}
    pager = _pager("pager", settings.pager, clock)
    if pager is not None:
        found |= dict.fromkeys(("on-call", "rota"), pager)
    drills = drill_pager(clock, settings)
    return found if drills is None else found | {"drill on-call": drills}


def drill_pager(clock: Clock, settings: Settings, chosen: str | None = None) -> Pager | None:
    """Return what calls the on-call of a drill; None: the console is all there is.

    Args:
        chosen: a `PagerKind`; None: the one that the settings name, if they do.

    Raises:
        UsageError: what is chosen is not set up, or it cannot be right.
    """
    if chosen is None:
        return _pager("drill_pager", settings.drill_pager, clock)
    try:
        kind = PagerKind(chosen)
    except ValueError as error:
        kinds = ", ".join(PagerKind)
        raise UsageError(f"there is no pager {chosen!r}; {kinds} are") from error
    if kind is PagerKind.CONSOLE:
        return None
    if not _given(settings.drill_pager)[kind]:
        name = variable("drill_pager", _KEYS[kind])
        raise UsageError(f"--pager {kind} needs {name}; docs/pagers.md has more")
    return _of_kind(kind, settings.drill_pager, clock)


def _given(settings: PagerSettings) -> Mapping[PagerKind, str]:
    return {
        PagerKind.PAGERDUTY: settings.pagerduty_key.get_secret_value(),
        PagerKind.SLACK: settings.slack_url.get_secret_value(),
        PagerKind.WEBHOOK: settings.webhook_url.get_secret_value(),
    }


def _pager(table: str, settings: PagerSettings, clock: Clock) -> Pager | None:
    given = [kind for kind, value in _given(settings).items() if value]
    if len(given) > 1:
        names = " and ".join(variable(table, _KEYS[kind]) for kind in given)
        raise UsageError(f"{names} are pagers of the same people; choose one")
    return _of_kind(given[0], settings, clock) if given else None


def _of_kind(kind: PagerKind, settings: PagerSettings, clock: Clock) -> Pager:
    value = _given(settings)[kind]
    if kind is PagerKind.PAGERDUTY:
        from gameday.drivers.pagerduty import PagerDuty

        return PagerDuty(value, clock=clock, url=settings.pagerduty_url)
    if kind is PagerKind.SLACK:
        from gameday.drivers.slack import Slack

        return Slack(value, clock=clock)
    from gameday.drivers.webhook import Webhook

    secret = settings.webhook_secret.get_secret_value()
    token = settings.webhook_token.get_secret_value()
    return Webhook(value, clock=clock, secrets=[secret] if secret else (), token=token)
