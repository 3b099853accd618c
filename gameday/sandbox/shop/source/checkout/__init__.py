"""Orders: what they cost and how they travel."""
