"""Models as torch's exporters and other tools write them, and what must come of each."""
