"""What a run teaches: the draft of a postmortem, and runbook tasks with patches.

Pure: timelines and texts in, texts out. The house fetches and stores.
"""
