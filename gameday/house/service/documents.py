"""What the console looks up beside an incident: its runbook, its SLO, the scale of its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from gameday.drivers.prometheus import Prometheus
from gameday.errors import DriverError, SpecError, UsageError
from gameday.model.runbook import Runbook
from gameday.model.slo import Slo, latency_limit
from gameday.ports import AlertSource
from gameday.spec import Catalogue
from gameday.spec.runbook import read_runbook


class IncidentDocuments:
    """The runbooks and SLOs around the folder the service was started in, read once.

    Files that cannot be read are left out and told of in `problems`: an incident is no time to
    refuse all of them for one.
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        catalogue = catalogue or Catalogue.around()
        self.problems: list[str] = []
        self._by_alert: dict[str, Runbook] = {}
        self._texts: dict[str, str] = {}
        self._slos: Mapping[str, Slo] = {}
        self._scales: dict[str, float] = {}
        for name in catalogue.runbooks():
            try:
                path = catalogue.runbook(name)
                found = read_runbook(path)
            except (SpecError, UsageError) as error:
                self.problems.append(str(error))
                continue
            if found.alert not in self._by_alert:
                self._by_alert[found.alert] = found
                self._texts[found.alert] = path.read_text(encoding="utf-8")
        try:
            read: Sequence[Slo] = catalogue.every_slo()
        except (SpecError, UsageError) as error:
            self.problems.append(str(error))
            read = ()
        self._slos = {slo.id: slo for slo in read}

    def runbook(self, alert: str) -> Runbook | None:
        """Return the runbook of an alert, or None."""
        return self._by_alert.get(alert)

    def runbook_text(self, alert: str) -> str:
        """Return the text of an alert's runbook; empty for none."""
        return self._texts.get(alert, "")

    def slower(self, slo: str) -> timedelta:
        """Return from when on a request breaks the SLO; zero where that is not known."""
        found = self._slos.get(slo)
        return (latency_limit(found) if found else None) or timedelta(0)

    async def time_scale(self, alerts: AlertSource | None, slo: str) -> float:
        """Return how many times faster time runs for an SLO; 1 where nothing says so."""
        if slo not in self._scales and isinstance(alerts, Prometheus):
            try:
                self._scales[slo] = await alerts.time_scale(slo=slo) or 1.0
            except DriverError:
                return 1.0  # asked again at the next page
        return self._scales.get(slo, 1.0)
