"""Somebody who answers pages.

The bot lives here: the reference responder. It is given a page and nothing else, opens the page's
deeplinks, reads what is behind them through ports, judges it with `gameday.diagnosis`, and hands
its findings to the incident's desk. It never sees a scenario, an injector or a driver.
"""
