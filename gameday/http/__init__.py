"""How gameday speaks HTTP to other people's tools.

Asking a tool and delivering a message to a receiver: time limits, tries, pauses, and errors without
secrets. Drivers call it; nothing here knows any tool.
"""
