"""Postmortems: the newest draft, what people made of it, and what was published."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "postmortems",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("resolved_at", sa.String, nullable=False),
        sa.Column("due_at", sa.String),
        sa.Column("published_at", sa.String),
        sa.Column("postmortem", sa.Text, nullable=False),
    )
    op.create_index("ix_postmortems_resolved_at", "postmortems", ["resolved_at"])
