"""Public fakes and test servers: product code for whoever tests a driver, a responder or a run.

`virtual` has a clock that owns time; `desk` and `telemetry` fake what a responder sees; `served`,
`proxy` and `monitored` put real sockets under a test, and so does `pagerduty`, which answers as
its namesake does; `memory` and `lease` stand in for a store and a sentinel; `experiments` draws
files for Chaos Toolkit, of `activities` without effect, and `agreement` compares what it makes of
them with what we do; `results` makes what a store keeps of a run. `rehearsal` plays whole runs:
on a `machine` of virtual time, in a `world` with its own Prometheus (`burning`), its people
(`oncall`) and the real `sentinel`, with `failures` at any call, `drawing` them from a seed and
checking `promises`. Nothing of the product imports this room.
"""
