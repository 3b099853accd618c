"""Public fakes and test servers: product code for whoever tests a driver, a responder or a run.

`virtual` has a clock that owns time; `desk` and `telemetry` fake what a responder sees; `served`
and `proxy` put real sockets under a test. Nothing of the product imports this room.
"""
