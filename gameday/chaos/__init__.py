"""Chaos Toolkit actions and probes of gameday's own, usable by any ``chaos run``.

`downstream` spoils the hop between a service and one of its downstreams, `deploys` puts a change of
a service live, `processes` kills one. On a Kubernetes cluster `pods` die, `regions` are drained,
`workloads` are scaled to nothing or get a bad version, `networks` cut pods off or slow them, and
`pressure` stands beside them; `strays` finds what any of these left, `radius` counts what one would
touch, and `clusters` is what they all begin with.

Every action is an ordinary synchronous function with plain arguments; it raises
`chaoslib.exceptions.ActivityFailed` where the fault is not certainly in place, and leaves nothing
behind then. Every fault carries a name; its recovery takes back exactly what carries that name and
may be repeated.
"""
