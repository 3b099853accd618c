"""When a run or an incident was pruned, and after how long, in the line of it that stays.

Lists have looked by the state and the beginning so far; the retention looks by the end of runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, empty."""
    for table in ("runs", "incidents"):
        op.add_column(table, sa.Column("pruned_at", sa.String))
        op.add_column(table, sa.Column("pruned_after", sa.String))
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"])
