"""What Alembic runs: the migrations, in the transaction that `schema` has begun."""

from alembic import context

from gameday.drivers.database.schema import TABLE

context.configure(connection=context.config.attributes["connection"], version_table=TABLE)
context.run_migrations()
