"""Action items, and every word that was said of one.

Runs that have ended by now are noted as learned from: what they found would all be overdue.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables, and note which runs were learned from."""
    op.create_table(
        "action_items",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("priority", sa.String, nullable=False),
        sa.Column("filed_at", sa.String, nullable=False),
        sa.Column("due_at", sa.String, nullable=False),
        sa.Column("closed_at", sa.String),
        sa.Column("item", sa.Text, nullable=False),
    )
    op.create_index("ix_action_items_state", "action_items", ["state"])
    op.create_index("ix_action_items_filed_at", "action_items", ["filed_at"])
    op.create_table(
        "action_changes",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("item", sa.String, nullable=False),
        sa.Column("word", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
    )
    op.create_index("ix_action_changes_item", "action_changes", ["item"])
    op.add_column("runs", sa.Column("learned_at", sa.String))
    op.execute("UPDATE runs SET learned_at = ended_at WHERE ended_at IS NOT NULL")
