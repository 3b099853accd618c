"""Where the flywheel's history comes from: files that others wrote, and our own store."""
