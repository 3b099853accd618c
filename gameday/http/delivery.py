"""One message delivered to one URL: sent, tried again while that may help, never leaking a secret.

For the drivers of pagers only, which must not import each other; no other room reaches the network
with it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
import random
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from gameday.errors import NotWanted, PermanentDriverError, TemporaryDriverError, UsageError
from gameday.http.address import is_loopback
from gameday.http.masking import MASK, variants
from gameday.http.pace import Pace
from gameday.ports import Clock

__all__ = ["MASK", "Answer", "Delivery", "Patience", "clipped", "encoded", "retry_after"]

"""What a reader sees in the place of a secret."""

_TOO_MANY = 429
_RETRIED = frozenset({408, 425, _TOO_MANY})
_LONGEST_ANSWER = 64 * 1024
_LONGEST_REASON = 300
_SECRET = re.compile(r"[!-~]+")
_LABEL = rb"[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(_LABEL + rb"(?:\." + _LABEL + rb")*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a delivery is tried.

    Attributes:
        budget: from the first try to the last; what would begin later is not tried any more.
        timeout: of one try.
        first_pause: upper limit of the pause after the first failure, doubled after each further.
        longest_pause: where the doubling ends.
    """

    budget: timedelta = timedelta(seconds=90)
    """Longer than the 60 s window that PagerDuty counts calls in ("Events API Rate Limits")."""

    timeout: timedelta = timedelta(seconds=10)
    first_pause: timedelta = timedelta(milliseconds=500)
    longest_pause: timedelta = timedelta(seconds=30)

    def pause(self, failures: int, rng: random.Random) -> timedelta:
        """Return how long to wait after so many failures: anything up to the doubled pause.

        Drawn from the whole span, so that senders who failed together do not come back together.
        Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015 ("full
        jitter").
        """
        doubled = self.first_pause.total_seconds() * 2.0 ** min(failures - 1, 30)
        return timedelta(seconds=rng.uniform(0, min(doubled, self.longest_pause.total_seconds())))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the far side said.

    Attributes:
        text: the first 64 KiB of its body, as text.
        at: when it had come.
        tries: how many requests it took.
    """

    status: int
    text: str
    at: datetime
    tries: int

    def json(self) -> Any:
        """Return the body decoded, or None where it is not JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


class Delivery:
    """The way to one receiver.

    What is said about one key arrives in the order it was given: a resolve waits for the page
    before it, which may still be trying. Overtaking would open an incident nobody closes. All that
    is sent keeps one pace, whatever it is about: a receiver that asks one sender to wait is asked
    by nobody, and then by the most urgent first.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        clock: Clock,
        secrets: Iterable[str] = (),
        hides_url: bool = False,
        is_private: bool = True,
        per_minute: int | None = None,
        patience: Patience | None = None,
        rng: random.Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember the way; nothing is opened until something is sent.

        Args:
            name: what the receiver is called in messages.
            url: where it listens.
            secrets: never shown, in no message and no log.
            hides_url: nor are the path and query of the URL.
            is_private: what is sent holds a secret, and goes over TLS or stays on this machine.
            per_minute: how many calls it takes in any minute; None: it has not said.
            patience: how long to try.
            rng: draws the pauses.
            transport: another way than the network, for tests.

        Raises:
            UsageError: the URL or a secret cannot be used; the message does not show it.
        """
        self.name = name
        self._url, parts = _read_url(name, url)
        self.place = f"{parts.scheme}://{parts.host}" + (f":{parts.port}" if parts.port else "")
        """Scheme, host and port: all of the URL that is ever shown."""
        secrets = [s for s in secrets if s]
        for secret in secrets:
            if not _SECRET.fullmatch(secret):
                raise UsageError(
                    f"{name}: the secret holds a blank, a line end or a character beyond ASCII;"
                    " copy it again without what stands around it"
                )
        local = is_loopback(parts.host)
        if (is_private or parts.password) and parts.scheme == "http" and not local:
            raise UsageError(
                f"{name} at {self.place}: a secret would travel in the clear; use https"
            )
        self._hidden = variants([*secrets, *_hidden_in(self._url, hides_url=hides_url)])
        self._clock = clock
        self._patience = patience or Patience()
        self._rng = rng or random.Random()
        self._transport = transport
        self._is_local = local
        self._pace = Pace(clock, per_minute=per_minute)
        self._turns: dict[str, _Turn] = {}

    def __repr__(self) -> str:
        return f"<Delivery to {self.name} at {self.place}>"

    def masked(self, text: str) -> str:
        """Return the text with every secret covered."""
        for secret in self._hidden:
            text = text.replace(secret, MASK)
        return text

    async def send(
        self,
        key: str,
        body: bytes,
        *,
        path: str = "",
        urgency: int = 0,
        headers: Callable[[datetime], Mapping[str, str]] = lambda _: {},
        reason: Callable[[Answer], str] = lambda answer: answer.text,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Answer:
        """Post the body and return the first answer that is a 2xx.

        No answer, 408, 425, 429 and 5xx are tried again until the patience ends, after a pause
        that is never shorter than a ``Retry-After``. Redirects are not followed: the secret is
        for this receiver only.

        Args:
            key: what is sent under one key goes one after the other.
            body: JSON, ready.
            path: appended to the URL.
            urgency: the smallest goes first.
            headers: made anew for each try, out of its instant.
            reason: the receiver's words out of an answer that says no.
            is_wanted: asked before each try whether there is still a cause for it.

        Raises:
            NotWanted: there was none any more before the first.
            TemporaryDriverError: the patience ended, or would before the receiver wants to be
                asked again; ``retry_after`` says when that is.
            PermanentDriverError: it answers no.
        """
        async with self._turn(key):
            held = self._pace.held()
            if held >= self._patience.budget:
                raise TemporaryDriverError(
                    f"{self.name} at {self.place} asked a call before this one to wait; it is "
                    f"asked again in {held.total_seconds():.0f} s",
                    retry_after=held,
                )
            await self._pace.turn(urgency)
            if not is_wanted():
                raise NotWanted(f"{self.name} at {self.place} was not asked: the cause is gone")
            began = self._clock.elapsed()
            for tries in itertools.count(1):
                left = self._patience.budget - (self._clock.elapsed() - began)
                timeout = min(self._patience.timeout, max(left, timedelta(milliseconds=1)))
                wait = timedelta(0)
                cause: Exception | None = None
                try:
                    answer, wait = await self._post(path, body, headers, tries, timeout)
                except (httpx.HTTPError, TimeoutError, OSError) as error:
                    cause, trouble = error, self._trouble(error, timeout)
                else:
                    if 200 <= answer.status < 300:
                        return answer
                    words = self._words(reason(answer))
                    trouble = f"answers {answer.status}: {words}"
                    if answer.status < 500 and answer.status not in _RETRIED:
                        raise PermanentDriverError(f"{self.name} at {self.place} {trouble}")
                pause = max(wait, self._patience.pause(tries, self._rng))
                if cause is None and (wait or answer.status == _TOO_MANY):
                    self._pace.hold(pause)
                spent = self._clock.elapsed() - began
                if spent + pause >= self._patience.budget:
                    asked = f"; it asks to wait {wait.total_seconds():.0f} s" if wait else ""
                    raise TemporaryDriverError(
                        f"{self.name} at {self.place} {trouble}{asked}; given up after"
                        f" {_times(tries)} in {spent.total_seconds():.1f} s",
                        retry_after=pause,
                    ) from cause
                await self._clock.sleep(pause)
                await self._pace.turn(urgency)
                spent = self._clock.elapsed() - began
                if not is_wanted() or spent >= self._patience.budget:
                    why = "given up" if is_wanted() else "its cause is gone, and it is given up"
                    raise TemporaryDriverError(
                        f"{self.name} at {self.place} {trouble}; {why} after"
                        f" {_times(tries)} in {spent.total_seconds():.1f} s"
                    ) from cause
            raise AssertionError("counting never ends")

    def unaccepted(self, answer: Answer, expected: str) -> PermanentDriverError:
        """Return the error for a 2xx that does not say what this receiver says when it accepts."""
        said = self._words(answer.text) if answer.text.strip() else "nothing"
        return PermanentDriverError(
            f"{self.name} at {self.place} answers {answer.status} with {said!r} where {expected}"
            " was expected: take it that nothing was accepted, and check the URL"
        )

    async def _post(
        self,
        path: str,
        body: bytes,
        headers: Callable[[datetime], Mapping[str, str]],
        tries: int,
        timeout: timedelta,
    ) -> tuple[Answer, timedelta]:
        seconds = timeout.total_seconds()
        known = {
            "content-type": "application/json",
            "user-agent": "gameday",
            # A compressed answer could be small here and endless once unpacked.
            "accept-encoding": "identity",
        }
        hidden = _HIDDEN.set((*self._hidden, self._url))
        try:
            # One limit around all of it: a receiver that drips byte by byte never lets a limit
            # per read run out.
            async with (
                asyncio.timeout(seconds),
                httpx.AsyncClient(
                    timeout=seconds,
                    transport=self._transport,
                    trust_env=not self._is_local,
                    verify=self._url.startswith("https:"),
                ) as client,
                client.stream(
                    "POST",
                    self._url + path,
                    content=body,
                    headers={**known, **headers(self._clock.now())},
                ) as answer,
            ):
                said = await _beginning(answer)
        finally:
            _HIDDEN.reset(hidden)
        now = self._clock.now()
        text = said[:_LONGEST_ANSWER].decode("utf-8", "replace")
        # Only where it says "later": elsewhere the header means something else.
        later = answer.status_code in _RETRIED or answer.status_code >= 500
        wait = retry_after(answer.headers.get("retry-after"), now) if later else timedelta(0)
        return Answer(answer.status_code, text, now, tries), wait

    def _trouble(self, error: Exception, timeout: timedelta) -> str:
        said = self._words(str(error)) if str(error) else type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in said:
            raise PermanentDriverError(
                f"{self.name} at {self.place} shows a certificate that cannot be trusted: {said}"
            ) from error
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return f"does not answer within {timeout.total_seconds():.1f} s"
        return f"does not answer ({type(error).__name__}: {said})"

    def _words(self, text: str) -> str:
        # Covered before it is cut: half a secret would not be found any more.
        line = " ".join(self.masked(text).split())
        return line[:_LONGEST_REASON] or "no reason given"

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(key, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                self._turns.pop(key, None)


class _Turn:
    """Who may speak about one key now."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0


async def _beginning(answer: httpx.Response) -> bytes:
    """Return the first 64 KiB of a body as it came, never unpacked."""
    if answer.is_stream_consumed:  # other transports than the network may hand it over whole
        return answer.content
    said = b""
    async for piece in answer.aiter_raw():
        said += piece
        if len(said) >= _LONGEST_ANSWER:
            break
    return said


def encoded(value: Any) -> bytes:
    """Return compact JSON in UTF-8 of anything; what JSON does not know is written as text."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is no character, and no receiver would take the message for its sake.
    return text.encode("utf-8", "replace")


def clipped(text: str, longest: int) -> str:
    """Return the text, or its beginning with a mark that says how much there was."""
    if len(text) <= longest:
        return text
    mark = f"… [cut, {len(text)} characters]"
    return text[: max(0, longest - len(mark))] + mark


def retry_after(value: str | None, now: datetime) -> timedelta:
    """Return how long a ``Retry-After`` asks to wait, in seconds or as a date; else nothing.

    Source: RFC 9110, section 10.2.3.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return timedelta(0)
    # A date without a zone is one in GMT.
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return max(timedelta(0), instant - now)


def _plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < 20:
        if isinstance(value, Mapping):
            return {str(k): _plain(v, depth + 1) for k, v in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [_plain(v, depth + 1) for v in value]
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _times(tries: int) -> str:
    return "one try" if tries == 1 else f"{tries} tries"


def _read_url(name: str, url: str) -> tuple[str, httpx.URL]:
    hint = f"{name}: the URL is not one; write https://host/path"
    try:
        parts = httpx.URL(url)
        whole = str(parts)
    except (httpx.InvalidURL, UnicodeError, TypeError):
        # The cause would show the URL.
        raise UsageError(hint) from None
    is_host = _HOST.fullmatch(parts.raw_host) is not None
    if parts.scheme not in {"http", "https"} or not is_host or parts.fragment:
        raise UsageError(hint)
    return whole.rstrip("/") if parts.raw_path == b"/" else whole, parts


def _hidden_in(url: str, *, hides_url: bool) -> list[str]:
    parts = urlsplit(url)
    found = [parts.password or "", unquote(parts.password or "")]
    if hides_url:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        # Its parts as well, since a receiver may repeat any of them. Short ones (`services`) are
        # no secrets, and covering them would spoil the message.
        pieces = re.split(r"[/?&=]", target)
        found += [target.strip("/"), *(p for p in pieces if len(p) >= 12)]
    return found


_HIDDEN: ContextVar[tuple[str, ...]] = ContextVar("hidden", default=())


class _Masking(logging.Filter):
    """Covers the secrets of the request at hand: httpx logs every URL, and ours may be secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        hidden = _HIDDEN.get()
        if hidden:
            text = record.getMessage()
            for secret in hidden:
                text = text.replace(secret, MASK)
            record.msg, record.args = text, ()
        return True


logging.getLogger("httpx").addFilter(_Masking())
