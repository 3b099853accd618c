"""A TCP proxy with bad weather on demand, spoken to as one speaks to Toxiproxy.

One process holds many proxies; each listens on loopback and forwards bytes to one upstream.
A *toxic* spoils one direction of a proxy: ``upstream`` is client → server, ``downstream`` is
server → client. Toxics come and go over an HTTP API with Toxiproxy's paths, bodies and status
codes, and act at once on connections that are already open.

    client ──▶ Link(upstream):   stage ─▶ stage ─▶ outlet ──▶ server
    client ◀── outlet ◀─ stage ◀─ stage   :Link(downstream) ◀── server

The rooms: `toxic` (what a toxic is), `stage` (what it does to bytes), `link` (the chain of one
direction), `connection` (two sockets and two links), `proxy` (a listener with its toxics),
`registry` (all proxies), `api` (HTTP), ``__main__`` (the process).

What differs from Toxiproxy, on purpose: a toxic may carry ``ttl`` (milliseconds) and then removes
itself; randomness is seeded; a connection keeps its draw for a toxic, so that a changed toxicity
only ever adds or only ever frees connections; an empty listen address means loopback, not every
interface; removing a toxic never waits.

Nothing here imports from other rooms of gameday. The sandbox's supervisor starts it.
"""
