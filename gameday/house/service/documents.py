"""What the console looks up beside an incident: its runbook, its SLO, the scale of its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from gameday.drivers.prometheus import Prometheus
from gameday.errors import DriverError, SpecError, UsageError
from gameday.house.run.play import latency_limit
from gameday.model.runbook import Runbook
from gameday.model.slo import Slo
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
        self._slos: Mapping[str, Slo] = {}
        self._scales: dict[str, float] = {}
        for name in catalogue.runbooks():
            try:
                found = read_runbook(catalogue.runbook(name))
            except (SpecError, UsageError) as error:
                self.problems.append(str(error))
                continue
            self._by_alert.setdefault(found.alert, found)
        try:
            read: Sequence[Slo] = catalogue.every_slo()
        except (SpecError, UsageError) as error:
            self.problems.append(str(error))
            read = ()
        self._slos = {slo.id: slo for slo in read}

    def runbook(self, alert: str) -> Runbook | None:
        """Return the runbook of an alert, or None."""
        return self._by_alert.get(alert)

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
