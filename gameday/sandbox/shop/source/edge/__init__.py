"""The front door: spreads visitors over the regions."""
