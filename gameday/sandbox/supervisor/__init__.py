"""The process that keeps the sandbox running: starts, watches, restarts, takes orders.

One daemon per sandbox, `python -m gameday.sandbox.supervisor`; `gameday.sandbox.lifecycle` starts
and ends it, `gameday.drivers.sandbox` talks to its control API.
"""
