"""What many incidents teach that none of them teaches alone.

Pure: a chronicle in, a judgement out. Whether something is a pattern, and whether a time became
shorter, is a matter of statistics, and each says what this number of incidents could have shown.
"""
