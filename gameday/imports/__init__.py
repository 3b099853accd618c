"""What others wrote of their incidents, read into ours: postmortems, logs and tables.

Pure: texts in, incidents out, each with what its record contradicts itself in. Nothing is guessed:
what a record does not say stays empty, and of two things that cannot both be true neither is taken.
"""
