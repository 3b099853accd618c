"""Pages out into a Slack channel, through an incoming webhook.

Sources: Slack's documentation, "Sending messages using incoming webhooks", "Formatting text for
app surfaces" (escaping), "Reference: Block Kit" (lengths), "Rate limits" (one message a second),
"Improving error conditions for Incoming Webhooks" (the words behind 400, 403, 404 and 410).
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import OrderedDict
from datetime import datetime
from typing import Any

import httpx

from gameday.http.delivery import Answer, Delivery, Patience, clipped, encoded
from gameday.model.notification import Action, Notification, Receipt
from gameday.ports import Clock

__all__ = ["Slack"]

_TITLES = {
    Action.PAGE: ":rotating_light: *Page*",
    Action.ACKNOWLEDGE: ":eyes: *Acknowledged*",
    Action.RESOLVE: ":white_check_mark: *Resolved*",
}
_LINKS = {"red": "RED", "traces": "Traces", "profile": "Profile", "runbook": "Runbook"}
# A section takes 3,000 characters and a message, though nowhere promised, about 13,000 in all
# (slackapi/bolt-js#2509): 2,500 + 10 × 400 + 4 × 1,000 + the rest stay below.
_LONGEST_SUMMARY = 2_500
_LONGEST_FIELD = 400
_LONGEST_LINK = 1_000
_MOST_FIELDS = 10
_REMEMBERED = 10_000
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_REMEDIES = {
    "action_prohibited": "an administrator of the workspace restricts who may post there",
    "channel_is_archived": "the channel is archived; unarchive it or make a webhook for another",
    "channel_not_found": "the channel is gone; make a webhook for another",
    "invalid_blocks": "Slack refuses the layout of the message; please report this",
    "invalid_payload": "Slack cannot read the message; check that the URL is an incoming webhook's",
    "invalid_token": "the URL is not valid any more; copy it again from the Slack app",
    "no_active_hooks": "the webhook is switched off; switch it on in the Slack app",
    "no_service": "the webhook was removed or switched off; make a new one in the Slack app",
    "no_team": "the workspace is gone or the URL is mistyped; copy it again from the Slack app",
    "no_text": "the message is empty; please report this",
    "posting_to_general_channel_denied": "the workspace restricts who may post in #general",
    "rate_limited": "too many messages for this webhook",
    "rollup_error": "an error of Slack's own",
    "team_disabled": "the workspace is switched off",
    "user_not_found": "who made the webhook is gone; make a new one",
}


class Slack:
    """One incoming webhook of Slack; fulfils `gameday.ports.Pager`. Mattermost takes the same.

    Slack knows no key: an incident's messages are not tied together there, and a message once
    posted stays. So that repeats do not fill the channel, what was posted is remembered in this
    process until the incident is resolved. After a lost answer a message may stand there twice,
    which is better than not at all.
    """

    name = "Slack"

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        patience: Patience | None = None,
        rng: random.Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember the webhook; nothing is opened until the first page.

        Args:
            url: of the incoming webhook. Whoever knows it may post, so that only its host is
                ever shown.
            patience: how long to try.
            rng: draws the pauses between tries.
            transport: another way than the network, for tests.

        Raises:
            UsageError: the URL cannot be right.
        """
        self._clock = clock
        self._delivery = Delivery(
            self.name,
            url,
            clock=clock,
            hides_url=True,
            patience=patience,
            rng=rng,
            transport=transport,
        )
        self._posted: OrderedDict[str, set[str]] = OrderedDict()

    async def page(self, notification: Notification) -> Receipt:
        """Post the page with its links."""
        return await self._post(Action.PAGE, notification)

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Post that a responder has it."""
        return await self._post(Action.ACKNOWLEDGE, notification)

    async def resolve(self, notification: Notification) -> Receipt:
        """Post that it is over."""
        return await self._post(Action.RESOLVE, notification)

    async def _post(self, action: Action, notification: Notification) -> Receipt:
        key = notification.key
        message, notes = _message(action, notification)
        body = encoded(message)
        digest = hashlib.sha256(body).hexdigest()
        if digest in self._posted.get(key, ()):
            return self._receipt(action, key, self._clock.now(), tries=0, notes=())
        answer = await self._delivery.send(
            key,
            body,
            urgency=notification.urgency,
            reason=_reason,
            is_wanted=notification.is_wanted,
        )
        if answer.text.strip() != "ok":
            raise self._delivery.unaccepted(answer, "'ok'")
        self._remember(action, key, digest)
        return self._receipt(action, key, answer.at, tries=answer.tries, notes=notes)

    def _remember(self, action: Action, key: str, digest: str) -> None:
        # What comes after a resolve belongs to a new incident, and is posted again.
        known = self._posted.pop(key, set()) if action is not Action.RESOLVE else set()
        self._posted[key] = known | {digest}
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)

    def _receipt(
        self, action: Action, key: str, at: datetime, *, tries: int, notes: tuple[str, ...]
    ) -> Receipt:
        said = "ok" if tries else ""
        return Receipt(self.name, action, key, at, said=said, tries=tries, notes=notes)


def _message(action: Action, notification: Notification) -> tuple[dict[str, Any], tuple[str, ...]]:
    notes: list[str] = []
    summary = _escaped(notification.headline, _LONGEST_SUMMARY)
    if summary.endswith(_CUT):
        notes.append(f"the summary was cut from {len(notification.headline)} characters")
    blocks = [_section(f"{_TITLES[action]} {summary}")]
    if action is Action.PAGE:
        facts = {
            "Service": notification.service,
            "Severity": notification.severity.value,
            **notification.details,
        }
        shown = list(facts.items())[:_MOST_FIELDS]
        if len(facts) > len(shown):
            notes.append(f"{len(facts) - len(shown)} details were left out: Slack takes ten fields")
        blocks.append({"type": "section", "fields": [_field(name, v) for name, v in shown]})
        if links := _links(notification, notes):
            blocks.append(_section(" · ".join(links)))
    about = f"{_escaped(notification.source, 200)} · {_escaped(notification.key, 200)}"
    blocks.append({"type": "context", "elements": [_text(about)]})
    message = {
        # What phones and screen readers show; blocks alone would leave the alert empty.
        "text": f"{_TITLES[action]} {_escaped(notification.service, 200)}: {summary}",
        "blocks": blocks,
        # A preview would open the deeplink, and look as if a responder had.
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return message, tuple(notes)


def _links(notification: Notification, notes: list[str]) -> list[str]:
    named = [(text, getattr(notification.links, field)) for field, text in _LINKS.items()]
    found = []
    for text, url in [("Incident", notification.incident), *named]:
        if not url:
            continue
        # These would end the link early.
        target = re.sub(r"[<>|\s\x00-\x1f]", lambda m: f"%{ord(m[0]):02X}", url)
        target = target.replace("&", "&amp;")
        if not re.match(r"https?://", url):
            notes.append(f"the link {text} was left out: it is not a web address")
        elif len(target) > _LONGEST_LINK:
            notes.append(f"the link {text} was left out: it has {len(url)} characters")
        else:
            found.append(f"<{target}|{text}>")
    return found


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _field(name: str, value: Any) -> dict[str, Any]:
    said = "" if value is None else str(value)
    return _text(f"*{_escaped(name, 100)}*\n{_escaped(said, _LONGEST_FIELD - 110)}")


def _text(text: str) -> dict[str, Any]:
    # Verbatim: names of channels and addresses in an alert's text stay text.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


_CUT = "… [cut]"


def _escaped(text: str, longest: int) -> str:
    """Return the text with Slack's three control characters escaped, cut between characters."""
    pieces = [_ESCAPED.get(character, character) for character in clipped(text, 2 * longest)]
    if sum(map(len, pieces)) <= longest and len(text) <= longest:
        return "".join(pieces)
    left = longest - len(_CUT)
    kept = []
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            break
        kept.append(piece)
    return "".join(kept) + _CUT


def _reason(answer: Answer) -> str:
    said = answer.text.strip()
    decoded = answer.json()
    word = decoded.get("error", said) if isinstance(decoded, dict) else said
    remedy = _REMEDIES.get(str(word))
    return f"{word}: {remedy}" if remedy else str(word)
