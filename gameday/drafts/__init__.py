"""First documents of a system, drafted from what was seen of it: what was seen in, text out.

`survey` holds what a look at Prometheus and Alertmanager found, `choice` settles on one service,
its counters and its alert, or says what cannot be seen, `documents` writes, `blanks` finds what is
left to people. Nothing here asks anybody: `gameday.house` looks, and writes the files.
"""
