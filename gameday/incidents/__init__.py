"""The one engine of incidents: what pages, responders and deadlines do to them, drills and real.

It turns what arrives from outside (webhooks, clicks, the bot's calls) into facts in the store, and
knows what is due of every incident. What differs between `gameday serve` and a run stands in
`terms`. It judges nothing and reaches the world through ports only.
"""
