"""The door that webhooks, deeplinks and responders come through: HTTP, API and console.

`service` is the one application, over an engine of incidents; `process` serves it for `gameday
serve`, `drill` for a run. It turns requests into calls and answers; nothing is decided here.
"""
