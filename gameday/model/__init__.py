"""The nouns of a game day: frozen values that everybody speaks in.

Scenarios, SLOs, runbooks, the programme, pages and findings, what instruments show. Nothing here
reads a file, a clock or a socket; `gameday.spec` makes these values out of files, and every room
above reads them. Quantities and the calendar they are made of live here as well.
"""
