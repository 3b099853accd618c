"""How the system did and how the response did, in a run's line of the list.

Runs that were judged before have one number, which stays.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns, empty."""
    op.add_column("runs", sa.Column("system_percent", sa.Float))
    op.add_column("runs", sa.Column("response_percent", sa.Float))
