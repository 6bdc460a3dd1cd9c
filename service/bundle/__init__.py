"""A model on disk: what its manifest says, and whether its files are what it says."""
