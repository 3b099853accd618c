"""The shop a game day is played on: its source, its history, its visitors.

``source/`` is not part of gameday's own code: it is what lies in the shop's git repository, which
`gameday.sandbox.shop.history` makes, and it runs from a release of that repository.
"""
