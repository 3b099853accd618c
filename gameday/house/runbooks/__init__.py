"""The tools around runbooks: read from files, held against rules, Prometheus and the web."""
