"""What is learnt from which data, and how well it was learnt: one object for each task."""
