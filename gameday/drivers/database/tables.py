"""The tables of the newest schema, as SQLAlchemy reads and writes them; migrations make them.

::

    facts      everything that happened, numbered in the order of the commits
      run?         ── runs        a game day that was played, with its undos and orders
      alert_group? ── incidents   what was derived last from a group's facts, for lists
                      (of runs and incidents the line outlives the facts: pruned_at, pruned_after)
    action_items  what is to be done, as the words of action_changes have made it
    postmortems   the newest draft, and what people made of it
    past_incidents ── past_items ── wordings    what others wrote of theirs; words that are alike
    exposures  how much of what incidents come of each value had
    claims     who does a duty now          tokens, audit   who may come in, and who changed what
"""

from __future__ import annotations

from typing import Any


class Tables:
    """Every table, by its name."""

    def __init__(self) -> None:
        import sqlalchemy as sa

        meta = sa.MetaData()

        def column(name: str, *kind: Any, **more: Any) -> Any:
            return sa.Column(name, *(kind or (sa.String,)), **{"nullable": False, **more})

        def number() -> Any:
            return sa.Column("number", sa.Integer, primary_key=True)

        self.facts = sa.Table(
            "facts",
            meta,
            number(),
            column("id"),
            column("run", nullable=True),
            # `group` is a word of SQL, and would have to be quoted by whoever looks in by hand.
            column("alert_group", key="group", nullable=True),
            column("kind"),
            column("fact", sa.Text),
        )
        self.runs = sa.Table(
            "runs",
            meta,
            column("id", primary_key=True),
            column("scenario"),
            column("target"),
            column("started_at"),
            column("ended_at", nullable=True),
            column("verdict", nullable=True),
            column("percent", sa.Float, nullable=True),
            column("system_percent", sa.Float, nullable=True),
            column("response_percent", sa.Float, nullable=True),
            column("learned_at", nullable=True),
            column("documents", sa.Text),
            column("result", sa.Text, nullable=True),
            column("pruned_at", nullable=True),
            column("pruned_after", nullable=True),
        )
        self.undos = sa.Table(
            "undos",
            meta,
            column("id", primary_key=True),
            column("run"),
            column("kind"),
            column("description"),
            column("command"),
            column("data", sa.Text),
            column("stored_at"),
            column("proven_at", nullable=True),
        )
        self.orders = sa.Table(
            "orders",
            meta,
            number(),
            column("kind"),
            column("run", nullable=True),
            column("reason"),
            column("by"),
            column("given_at"),
            column("lifted_at", nullable=True),
        )
        self.incidents = sa.Table(
            "incidents",
            meta,
            column("id", primary_key=True),
            column("alert_group", key="group"),
            column("service"),
            column("slo"),
            column("severity"),
            column("opened_at"),
            column("state"),
            column("drill", nullable=True),
            column("merged_into", nullable=True),
            column("pruned_at", nullable=True),
            column("pruned_after", nullable=True),
            column("began_at", nullable=True),
            column("acked_at", nullable=True),
            column("mitigated_at", nullable=True),
            column("cleared_at", nullable=True),
            column("closed_at", nullable=True),
            column("postmortem_at", nullable=True),
            column("team", nullable=True),
            column("region", nullable=True),
        )
        self.past_incidents = sa.Table(
            "past_incidents",
            meta,
            column("id", primary_key=True),
            column("source"),
            column("title", sa.Text),
            column("severity", nullable=True),
            column("began_at"),
            column("is_by_day", sa.Boolean),
            *(
                column(name, nullable=True)
                for name in (
                    *("detected_at", "acked_at", "mitigated_at", "cleared_at", "closed_at"),
                    "postmortem_at",
                )
            ),
            column("detected_in", sa.Float, nullable=True),
            column("recovered_in", sa.Float, nullable=True),
            *(
                column(name)
                for name in ("team", "service", "cause", "trigger", "pipeline", "region")
            ),
            column("spoiled"),
            column("contradictions", sa.Text),
        )
        self.past_items = sa.Table(
            "past_items",
            meta,
            column("id", primary_key=True),
            column("incident"),
            column("wording", sa.Text),
            column("component"),
            column("state"),
            column("filed_at", nullable=True),
            column("closed_at", nullable=True),
            column("in_time", sa.Integer, nullable=True),
            column("theme", sa.Integer, nullable=True),
            column("change", sa.Integer, nullable=True),
        )
        self.wordings = sa.Table(
            "wordings",
            meta,
            column("component", primary_key=True),
            column("signature", sa.Text, primary_key=True),
            column("theme", sa.Integer),
        )
        self.exposures = sa.Table(
            "exposures",
            meta,
            column("dimension", primary_key=True),
            column("value", primary_key=True),
            column("amount", sa.Float),
        )
        self.action_items = sa.Table(
            "action_items",
            meta,
            column("id", primary_key=True),
            column("cause", sa.Text),
            column("kind"),
            column("state"),
            column("service"),
            column("owner"),
            column("priority"),
            column("filed_at"),
            column("due_at"),
            column("closed_at", nullable=True),
            column("item", sa.Text),
        )
        self.action_changes = sa.Table(
            "action_changes",
            meta,
            number(),
            column("id", unique=True),
            column("item"),
            column("word"),
            column("at"),
            column("change", sa.Text),
        )
        self.postmortems = sa.Table(
            "postmortems",
            meta,
            column("id", primary_key=True),
            column("kind"),
            column("state"),
            column("service"),
            column("severity"),
            column("resolved_at"),
            column("due_at", nullable=True),
            column("published_at", nullable=True),
            column("postmortem", sa.Text),
        )
        self.claims = sa.Table(
            "claims",
            meta,
            column("key", primary_key=True),
            column("holder"),
            column("until"),
        )
        self.tokens = sa.Table(
            "tokens",
            meta,
            column("id", primary_key=True),
            column("hash", unique=True),
            column("role"),
            column("name"),
            column("created_at"),
            column("revoked_at", nullable=True),
        )
        self.audit = sa.Table(
            "audit",
            meta,
            number(),
            column("at"),
            column("who"),
            column("what"),
            column("about"),
        )
