"""The sandbox's control API, in as many words as actions need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaoslib.exceptions import ActivityFailed


class Control:
    """The control API."""

    def __init__(self, url: str | None) -> None:
        """Find the API: this URL, else that of the settings, else the running sandbox's."""
        self._url = (url or _known_url()).rstrip("/")

    @property
    def url(self) -> str:
        """Where it is."""
        return self._url

    def get(self, path: str) -> Any:
        """Return the answer to a GET; `ActivityFailed` where there is none."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a POST; `ActivityFailed` where it is no."""
        answer = self._ask("POST", path, body)
        return answer if isinstance(answer, dict) else {}

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        import httpx

        from gameday.http.keys import auth_for
        from gameday.http.proof import NotProven

        try:
            answer = httpx.request(
                method,
                self._url + path,
                json=body,
                auth=auth_for(self._url),
                timeout=60,  # a deploy restarts processes and answers when they are ready
                trust_env=False,
                verify=self._url.startswith("https:"),  # certificates take a while to load
            )
            said = answer.json()
        except NotProven as problem:
            raise ActivityFailed(f"the control API: {problem}") from problem
        except httpx.ConnectError as problem:
            raise ActivityFailed(
                f"nobody listens at {self._url}: start the sandbox with `gameday sandbox up`"
            ) from problem
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            raise ActivityFailed(
                f"the control API at {self._url} does not answer ({type(problem).__name__}):"
                " check that the sandbox is up"
            ) from problem
        except ValueError as problem:
            raise ActivityFailed(f"{self._url}{path} answers with no JSON") from problem
        if not answer.is_success or (isinstance(said, dict) and said.get("ok") is False):
            reason = said.get("error", said) if isinstance(said, dict) else said
            raise ActivityFailed(f"{self._url} answers {answer.status_code} to {path}: {reason}")
        return said


def _known_url() -> str:
    # Late: what is imported here delays every fault.
    from gameday.errors import GamedayError
    from gameday.sandbox import state
    from gameday.settings import Settings

    try:
        settings = Settings.from_environment()
    except GamedayError as problem:
        raise ActivityFailed(str(problem)) from problem
    if settings.tools.control_url:
        return settings.tools.control_url
    sandbox = state.read(settings.state / "sandbox")
    if sandbox is None:
        raise ActivityFailed(
            "no sandbox is known: start it with `gameday sandbox up`, or give control_url"
        )
    return sandbox.control_url
