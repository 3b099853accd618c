"""The store in a SQL database: runs and incidents, and the one table of facts of both.

SQLite in the state folder by default, PostgreSQL where ``GAMEDAY_DATABASE_URL`` names one. It is
durable at every return; its schema is brought up to date when it is opened. Each file holds the
tables of one noun, on top of `connection` (one pool, one writer at a time) and `facts`.
"""

from gameday.drivers.database.database import Database

__all__ = ["Database"]
