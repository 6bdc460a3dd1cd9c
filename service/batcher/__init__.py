"""Many callers, one run: a queue that forms groups, and the arithmetic that runs a group."""
