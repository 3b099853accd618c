"""Kubernetes: one cluster's API, in as many words as faults and targets need.

`connect` opens a context of a kubeconfig, or the cluster this process runs in; what it returns is a
`Cluster`. Objects are JSON as the API server writes it, and versions are discovered, because the
servers in the field differ. The rooms: `access` (which cluster, by which credentials), `identity`
(whether it is still that one which answers), `transport` (one request), `cluster` (requests with
timeouts and retries), `changes` (what a list and a watch tell), `resources` (what the server
offers), `refusals` (an answer that says no, as an error of ours), `fences` (what the settings allow
to be touched), `selectors`.

Calls block, as the library beneath does; a caller that awaits uses `asyncio.to_thread`. A cluster
may be used by several threads at once.
"""

from __future__ import annotations

from gameday.drivers.kubernetes.access import connect
from gameday.drivers.kubernetes.changes import Listing, WatchEvent
from gameday.drivers.kubernetes.cluster import Cluster
from gameday.drivers.kubernetes.fences import PROTECTED, Fences

__all__ = ["PROTECTED", "WatchEvent", "Cluster", "Fences", "Listing", "connect"]
