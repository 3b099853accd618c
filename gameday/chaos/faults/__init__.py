"""One file here is one fault, which declares all of itself as ``FAULT``.

Nothing else may live here: `gameday.chaos.registry` takes every module for a fault, and refuses one
that is none or leaves something out. What several faults share stands a folder above.
"""
