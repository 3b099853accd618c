"""Whether a page gets through to us where the system sends it: by which receiver, and what comes.

Alertmanager itself is asked where it is reached from here, at the addresses that Prometheus sends
to; newer ones hide where a webhook leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gameday.drivers.alertmanager import WATCHDOG, AlertmanagerState
from gameday.errors import DriverError, UsageError
from gameday.house.targets.examination.inquiry import Inquiry, NotAsked, Unmet
from gameday.house.targets.examination.look import LISTENS, WEBHOOK, Look
from gameday.house.targets.examination.pages import not_held_back, paging_labels
from gameday.house.targets.sent_here import Came
from gameday.model.slo import Slo
from gameday.rules.alert_routes import hooks_of, receivers

__all__ = ["webhook"]

SHOWN = "`http_config: {authorization: {credentials: …}}`"
"""How a receiver of Alertmanager's shows its token."""


def webhook(look: Look) -> Iterator[Inquiry]:
    """Ask after pages that are sent to us, for every SLO."""
    if look.system.spec.pages.webhook is None:
        return
    yield Inquiry(WEBHOOK, partial(_open, look))
    if look.sent_here.opens is not None:
        yield Inquiry("watchdog", partial(_watchdog, look))
    for slo in look.slos:
        yield Inquiry(f"page of {slo.id}", partial(_reached, look, slo))
        yield Inquiry(f"silences of {slo.id}", partial(_heard, look, slo))


async def _open(look: Look) -> str:
    here = look.sent_here
    if not here.settings.token.get_secret_value():
        raise Unmet(
            "no token is set by which a sender of pages is known",
            "set `[hook] token` (GAMEDAY_HOOK_TOKEN), and have the receiver show it:"
            f" {SHOWN} beside its url",
        )
    if not here.url:
        raise Unmet(
            f"takes pages on {here.settings.listen}, and how that is reached is not said",
            "set `[hook] url`: http://NAME-OF-THIS-MACHINE:PORT, as Alertmanager reaches it",
        )
    try:
        came = await look.came()
    except UsageError as error:
        raise Unmet("cannot be opened", f"{error}; or is a drill going on?") from error
    if came.denied and not came.anything:
        raise Unmet(
            f"somebody sends to {here.url} without that token",
            f"write the token of the settings into the receiver: {SHOWN} beside its url",
        )
    return f"takes pages at {here.url}"


async def _came(look: Look) -> Came:
    try:
        return await look.came()
    except UsageError as error:
        raise NotAsked(WEBHOOK) from error


async def _watchdog(look: Look) -> str:
    if (await _came(look)).beat:
        return "fires, and comes through"
    try:
        rules = await look.rules()
    except DriverError:  # what only speaks PromQL has none
        rules = None
    if rules is None or all(rule.name != WATCHDOG for rule in rules.alerts):
        return "none: that no page comes will prove nothing"
    raise Unmet(
        f"the rule {WATCHDOG} is loaded, and no beat of it came within"
        f" {LISTENS.total_seconds():g} s",
        "route it to the receiver that sends here, with a `group_interval` and a `repeat_interval`"
        " of a few seconds; an Alertmanager that was away hears of it once Prometheus'"
        " `--rules.alert.resend-delay` is over, a minute by itself. Until it comes, no page is"
        " proven to",
        bars=False,
    )


async def _reached(look: Look, slo: Slo) -> str:
    """Return that the alert of an SLO reaches a receiver that sends to us."""
    hook = look.sent_here.url
    if not hook:
        raise NotAsked(WEBHOOK)
    found = await look.sending()
    if found is None:
        if look.sent_here.opens is None or (await _came(look)).anything:
            return "what it sends comes here; its routes are not read from here"
        raise Unmet(
            "no Alertmanager that Prometheus sends to answers here, and nothing came within"
            f" {LISTENS.total_seconds():g} s",
            f"route a {WATCHDOG} here, or call the doctor where Alertmanager answers: until then no"
            " page is proven to come",
            bars=False,
        )
    _, configuration = found
    reached: dict[str, None] = {}
    for labels in await paging_labels(look, slo):
        reached |= dict.fromkeys(receivers(configuration, labels))
    if not reached:
        return "Alertmanager does not tell whom it reaches"
    wanted = look.system.spec.pages.receiver
    hooks = {name: hooks_of(configuration, name) for name in reached if wanted in (None, name)}
    for name, urls in hooks.items():
        if hook in urls:
            return f"goes to {name!r}, which sends to {hook}"
    hidden = [name for name, urls in hooks.items() if None in urls]
    for name in hidden:
        if name == wanted or "gameday" in name.lower():
            return f"goes to {name!r}; where that sends to, Alertmanager hides"
    shown = " and ".join(repr(name) for name in reached)
    if hidden:
        raise Unmet(
            f"goes to {shown}; where that sends to, Alertmanager hides",
            f"see that it is {hook}, and write pages.receiver: {hidden[0]}, or call it gameday",
            bars=False,
        )
    raise Unmet(
        f"goes to {shown}, and not to {hook}",
        "add a receiver with that url among its `webhook_configs`, and a route to it with"
        " `continue: true` before the others (`amtool config routes test`), or mend `[hook] url`",
    )


async def _heard(look: Look, slo: Slo) -> str:
    """Return that the alert of an SLO is not silenced now."""
    found = await look.sending()
    if found is None:
        return "its Alertmanager does not answer here"
    return await not_held_back(look, slo, AlertmanagerState(found[0]))
