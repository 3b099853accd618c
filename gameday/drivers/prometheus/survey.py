"""Prometheus, looked at for the first time: which metrics, services, alerts and Alertmanagers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gameday.drivers.prometheus.server import Prometheus, quoted
from gameday.errors import PermanentDriverError

__all__ = ["PrometheusSurvey"]

_SENT_TO = ("/api/v2/alerts", "/api/v1/alerts")


class PrometheusSurvey(Prometheus):
    """One Prometheus server, asked what there is."""

    async def metrics_among(self, names: Sequence[str]) -> frozenset[str]:
        """Return which of these metrics it has, or had a while ago."""
        pattern = "|".join(sorted(set(names)))
        asked = [("match[]", f"{{__name__=~{quoted(pattern)}}}")]
        data = await self._get("/api/v1/label/__name__/values", asked)
        if not isinstance(data, list):
            raise self._is_none()
        return frozenset(str(name) for name in data) & frozenset(names)

    async def values_of(self, selector: str, label: str) -> tuple[str, ...]:
        """Return the values that a label of these series has now, sorted."""
        found = await self._instant(f"count by ({label}) ({selector})")
        return tuple(sorted({s.labels[label] for s in found if s.labels.get(label)}))

    async def labels_of(self, selector: str) -> tuple[str, ...]:
        """Return the labels that these series have, or had a while ago; none where it is not told.

        Not every tool that speaks PromQL tells the labels of some series only.
        """
        try:
            data = await self._get("/api/v1/labels", [("match[]", selector)])
        except PermanentDriverError:
            return ()
        return tuple(map(str, data)) if isinstance(data, list) else ()

    async def told_by(self, selector: str, labels: Sequence[str]) -> Sequence[Mapping[str, str]]:
        """Return how these series differ now by some of their labels, each way once."""
        found = await self._instant(f"count by ({', '.join(labels)}) ({selector})")
        return [one.labels for one in found]

    async def alertmanagers(self) -> tuple[str, ...] | None:
        """Return the base URLs of the Alertmanagers it sends to; None where it does not tell."""
        try:
            data = await self._get("/api/v1/alertmanagers")
            found = [str(one["url"]) for one in data["activeAlertmanagers"]]
        except (PermanentDriverError, KeyError, TypeError):
            return None  # what only speaks PromQL need not tell
        bases = []
        for url in found:
            ending = next((end for end in _SENT_TO if url.endswith(end)), "")
            bases.append(url.removesuffix(ending).rstrip("/"))
        return tuple(dict.fromkeys(bases))

    def _is_none(self) -> PermanentDriverError:
        return PermanentDriverError(
            f"{self.url} answers, but not as Prometheus does: check the URL"
        )
