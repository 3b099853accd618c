"""Claims, by which processes that share a store tell each other what they are about to do.

From here on the schema's revision stands in one table. The numbers that were looked at before are
raised too, so that a gameday that knows only them refuses the store instead of writing to it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table, and tell older ones to stay away."""
    op.create_table(
        "claims",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("until", sa.String, nullable=False),
    )
    op.execute("DELETE FROM incident_schema")
    op.execute("INSERT INTO incident_schema (version) VALUES (2)")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA user_version=2")
