"""What is learned: runs, incidents and the store, held against the rules of `gameday.learning`."""
