"""The pure core: facts in, judgements out.

Here live the timeline of a run, the theory of burn-rate alerts, the diagnosis funnel, the rubric
and the scorecard. Everything is a frozen value or a function of its arguments: no clock, no
network, no file, no YAML, and never an import of ``gameday``. Whoever has a timeline can judge it
again years later with another rubric and no cluster.
"""
