"""One table of facts, of runs and of incidents, numbered in the order of the commits.

What a run recorded itself has a run and no group; what is said about an incident has a group, and a
run where a drill explains it. Facts keep their text. Old facts about a drill's incident get no run:
the run recorded the same page itself, and would be judged by two.
"""

import json
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

AT_ONCE = 1_000


def upgrade() -> None:
    """Move the facts of both tables into one; those of runs first, in the order they began."""
    op.rename_table("facts", "run_facts")
    facts = op.create_table(
        "facts",
        # A number is never given twice: whoever has read up to it would miss the second.
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("run", sa.String),
        sa.Column("alert_group", sa.String),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    last = _move_runs(facts)
    op.execute(f"""
        INSERT INTO facts (number, id, alert_group, kind, fact)
        SELECT {last} + row_number() OVER (ORDER BY number), id, line, kind, fact
        FROM incident_facts
    """)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            SELECT setval(pg_get_serial_sequence('facts', 'number'), max(number)) FROM facts
            HAVING max(number) IS NOT NULL
        """)
    op.drop_table("run_facts")
    op.drop_table("incident_facts")
    about_a_group, about_itself = sa.text("alert_group IS NOT NULL"), sa.text("alert_group IS NULL")
    for name, columns, where, unique in (
        ("ix_facts_id", ["id"], about_a_group, True),
        ("ix_facts_run_id", ["run", "id"], about_itself, True),
        ("ix_facts_run", ["run"], sa.text("run IS NOT NULL"), False),
        ("ix_facts_alert_group", ["alert_group"], about_a_group, False),
    ):
        op.create_index(
            name, "facts", columns, unique=unique, sqlite_where=where, postgresql_where=where
        )
    op.drop_index("ix_incidents_line", "incidents")
    op.execute("ALTER TABLE incidents RENAME COLUMN line TO alert_group")
    op.create_index("ix_incidents_alert_group", "incidents", ["alert_group"])


def _move_runs(facts: sa.Table) -> int:
    """Give the facts of runs their numbers and ids; return the last number."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("""
            SELECT f.run, f.kind, f.fact FROM run_facts f LEFT JOIN runs r ON r.id = f.run
            ORDER BY coalesce(r.started_at, ''), f.run, f.number
        """),
        execution_options={"yield_per": AT_ONCE},
    )
    number = 0
    times: Counter[tuple[str, str]] = Counter()
    for part in rows.partitions():
        moved = []
        for run, kind, fact in part:
            # Here and not in SQL: PostgreSQL's JSON takes no NUL, and a fact may hold one.
            id = json.loads(fact)["id"]
            number += 1
            times[run, id] += 1
            # A run whose store did not answer may have written two facts of one id; both stay.
            if times[run, id] > 1:
                id = f"{id}#{times[run, id]}"
            moved.append({"number": number, "id": id, "run": run, "kind": kind, "fact": fact})
        connection.execute(facts.insert(), moved)
    return number
