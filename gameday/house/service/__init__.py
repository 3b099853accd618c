"""`gameday serve` put together."""
