"""The tools around SLOs: rule files, and how a budget stands."""
