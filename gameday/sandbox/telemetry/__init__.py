"""The sandbox's traces, profiles and deploy markers, behind the APIs production tools speak.

One small process keeps the last minutes in memory. In: OTLP/HTTP traces, Pyroscope's push,
Grafana annotations. Out: Jaeger's query API v3, Pyroscope's querier and its older render call,
Grafana annotations, and plain HTML pages where a page's deeplinks lead. The drivers written
against it are therefore the drivers for Jaeger, Pyroscope and Grafana.

It is not the store of runs and facts (`gameday.ports.Store`): nothing here outlives the sandbox.
Started as ``python -m gameday.sandbox.telemetry`` by the sandbox's supervisor; the shop and the
drivers reach it over HTTP only.
"""
