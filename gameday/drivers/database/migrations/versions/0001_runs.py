"""The store of runs, as the first gameday made it: such a file has the tables already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is not there."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("scenario", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("started_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String),
        sa.Column("verdict", sa.String),
        sa.Column("percent", sa.Float),
        sa.Column("documents", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        if_not_exists=True,
    )
    op.create_table(
        "facts",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "undos",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("stored_at", sa.String, nullable=False),
        sa.Column("proven_at", sa.String),
        if_not_exists=True,
    )
    op.create_table(
        "orders",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("run", sa.String),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("given_at", sa.String, nullable=False),
        sa.Column("lifted_at", sa.String),
        if_not_exists=True,
    )
    for table, column in (("runs", "started_at"), ("undos", "run"), ("orders", "run")):
        op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)
