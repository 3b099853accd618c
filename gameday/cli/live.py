"""The live view of a run: what happened, what is awaited, how fast the budget burns."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from gameday.drivers.clock import SteadyClock
from gameday.report.progress import PHASES, reached, sentence
from scoring.timeline import Fact, Kind

if TYPE_CHECKING:
    from gameday.conductor import Conductor
    from gameday.house.run.stories import Story
    from gameday.ledger import Ledger
    from gameday.plan import Plan

BAR = 24


class LiveView:
    """A Rich live display on stderr; a context manager."""

    def __init__(self, run: str, story: Story) -> None:
        from rich.console import Console
        from rich.live import Live

        self._run = run
        self._story = story
        self._plan: Plan | None = None
        self._conductor: Conductor | None = None
        self._facts: list[Fact] = []
        self._clock = SteadyClock()
        self._started = self._clock.now()
        self._live = Live(
            console=Console(stderr=True),
            get_renderable=self._render,
            refresh_per_second=4,
            transient=False,
        )

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def follow(self, plan: Plan, ledger: Ledger, conductor: Conductor) -> None:
        """Show this run from now on."""
        self._plan, self._conductor = plan, conductor
        ledger.listen(self._facts.append)

    def _render(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now = self._clock.now()
        title = self._story.scenario.metadata.title or self._story.scenario.metadata.name
        head = Text(f"{title}", style="bold")
        head.append(f"   run {self._run} · {(now - self._started).total_seconds():.0f} s", "dim")
        table = Table.grid(padding=(0, 2))
        injected = reached(self._facts, Kind.FAULT_INJECTED)
        awaited = False
        for name, kind in PHASES:
            fact = reached(self._facts, kind)
            if fact is None:
                mark = "…" if not awaited else " "
                style = "yellow" if not awaited else "dim"
                note = "awaited" if not awaited else ""
                awaited = True
                table.add_row(mark, Text(name, style), "", Text(note, "dim"))
                continue
            since = ""
            if injected is not None:
                seconds = (fact.happened_at - injected.happened_at).total_seconds()
                since = f"{seconds:+.1f} s"
            words = sentence(fact)
            table.add_row(Text("✓", "green"), name, since, Text(words, "dim", overflow="ellipsis"))
        return Group(head, self._burn(), table)

    def _burn(self) -> Any:
        from rich.text import Text

        rates = self._conductor.watch.burn_rates if self._conductor else {}
        line = Text("burn rate  ", "dim")
        for long in ("5m", "1h", "30m", "6h"):
            rate = rates.get(long)
            if long in rates:
                filled = 0 if rate is None else min(BAR // 4, round(rate / 14.4 * (BAR // 4)))
                style = "red" if rate is not None and rate >= 6 else "green"
                line.append(f"{long} ", "dim")
                line.append("no data" if rate is None else f"{rate:4.1f} ", style)
                line.append("▇" * filled + "  ", style)
        return line
