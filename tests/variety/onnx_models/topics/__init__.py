"""The catalogue, topic by topic."""
