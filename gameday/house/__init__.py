"""The composition root: the one place that knows which driver fulfils which port.

The command line asks here for things that work (`open_store`, `play`, `judge`); the rooms below
never look for each other.
"""
