"""The only rooms with a door outside: one tool each.

A driver fulfils a port of `gameday.ports` with one tool and raises only
`gameday.errors.DriverError`. None knows another; what several need lies below
them (`gameday.http`) or is put together above them, in the house.
"""
