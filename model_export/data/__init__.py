"""A text or a table, split by time."""
