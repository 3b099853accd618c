"""The system a game day is played on when there is no cluster: a small shop, run for real.

Here live the shop and its history, the TCP proxy between its tiers, the store of its telemetry,
and the supervisor that keeps all of it running. Nothing in here knows scenarios, runs or
responders: what a game day wants of the sandbox goes through its addresses (`state`), its control
API and the proxy's.
"""
