"""The stores in a SQL database: runs, and incidents beside them in the same one.

SQLite in the state folder by default, PostgreSQL where ``GAMEDAY_DATABASE_URL`` names one. Both
stores are durable at every return, and share one schema, which is brought up to date when either is
opened.
"""

from gameday.drivers.database.incidents import IncidentDatabase
from gameday.drivers.database.runs import Database

__all__ = ["Database", "IncidentDatabase"]
