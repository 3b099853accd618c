"""When incidents began, were answered and ended, in their lines; and those that others wrote down.

Incidents that are there already have empty columns until somebody asks for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

NEW = ("began_at", "acked_at", "mitigated_at", "cleared_at", "closed_at", "postmortem_at")
INSTANTS = ("detected_at", *NEW[1:])
OF = ("team", "service", "cause", "trigger", "pipeline", "region")


def upgrade() -> None:
    """Make the columns and the tables."""
    for name in (*NEW, "team", "region"):
        op.add_column("incidents", sa.Column(name, sa.String))
    op.create_table(
        "past_incidents",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("severity", sa.String),
        sa.Column("began_at", sa.String, nullable=False),
        sa.Column("is_by_day", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.String) for name in INSTANTS),
        sa.Column("detected_in", sa.Float),
        sa.Column("recovered_in", sa.Float),
        *(sa.Column(name, sa.String, nullable=False) for name in OF),
        sa.Column("spoiled", sa.String, nullable=False),
        sa.Column("contradictions", sa.Text, nullable=False),
    )
    op.create_table(
        "past_items",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("incident", sa.String, nullable=False),
        sa.Column("wording", sa.Text, nullable=False),
        sa.Column("component", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("filed_at", sa.String),
        sa.Column("closed_at", sa.String),
        sa.Column("in_time", sa.Integer),
        sa.Column("theme", sa.Integer),
        sa.Column("change", sa.Integer),
    )
    # Everything that is counted stands in an index, so that no row is read for it.
    counted = ["incident", "state", "filed_at", "in_time", "closed_at"]
    op.create_index("ix_past_items_incident", "past_items", counted)
    op.create_index("ix_past_items_theme", "past_items", ["theme", "incident", "state"])
    op.create_index("ix_past_items_change", "past_items", ["change"])
    op.create_table(
        "wordings",
        sa.Column("component", sa.String, primary_key=True),
        sa.Column("signature", sa.Text, primary_key=True),
        sa.Column("theme", sa.Integer, nullable=False),
    )
    op.create_table(
        "exposures",
        sa.Column("dimension", sa.String, primary_key=True),
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("amount", sa.Float, nullable=False),
    )
