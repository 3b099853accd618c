"""Faults, as Chaos Toolkit actions and probes of gameday's own, usable by any ``chaos run``.

One file in `faults` is one fault, and declares all of itself (`declaration`); `registry` knows them
all, and refuses one that leaves something out (`completeness`). Whoever needs to know a fault asks
there: `radius` counts what an experiment would touch, `strays` finds and takes out what bears a
run's mark. What several faults share: `parameters`, `hops` of a proxy, the sandbox's `control` API,
`clusters` with their `selection` of pods, `controllers` and `namesakes`. The remaining modules hold
the names by which experiments have always called our functions.

Every action is an ordinary synchronous function with plain arguments; it raises
`chaoslib.exceptions.ActivityFailed` where the fault is not certainly in place, and leaves nothing
behind then. Every fault carries a name; its recovery takes back exactly what carries that name and
may be repeated.
"""
