"""The systems a run plays on, wired to the drivers that reach them."""
