"""The shop as pods: what starts its parts where a kubelet, and not the supervisor, keeps them.

Nothing of the shop is here twice. Its services, the proxy, the telemetry store and PostgreSQL are
those of the sandbox; this package gives them what the supervisor gives them elsewhere: a release
to run (`service`), a database with stock (`database`), and, since nobody outside a cluster can be
called from inside, a place where pages wait to be fetched (`mailbox`). `releases` prepares what the
image holds of the shop's history.
"""
