"""The parts of OpenSLO v1: indicators, alert policies, and the documents they refer to.

Read through `gameday.spec.slo`, the door of this room. What the standard allows and gameday cannot
keep its word on is refused by name and line, never half understood.
"""
