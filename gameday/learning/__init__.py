"""What a run teaches: the draft of a postmortem, and runbook tasks with patches.

And what a postmortem lacks or accuses people of, before others read it.

Pure: timelines and texts in, texts out. The house fetches and stores.
"""
