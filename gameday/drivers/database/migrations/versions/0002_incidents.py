"""The store of incidents, as the first `gameday serve` made it: such a file has the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make what is not there."""
    op.create_table(
        "incident_schema",
        sa.Column("version", sa.Integer, primary_key=True),
        if_not_exists=True,
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("line", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("slo", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("opened_at", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("drill", sa.String),
        sa.Column("merged_into", sa.String),
        if_not_exists=True,
    )
    op.create_table(
        "incident_facts",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("line", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("hash", sa.String, nullable=False, unique=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("revoked_at", sa.String),
        if_not_exists=True,
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("about", sa.String, nullable=False),
        if_not_exists=True,
    )
    for table, columns in (
        ("incidents", ("line", "opened_at", "state")),
        ("incident_facts", ("line",)),
    ):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)
