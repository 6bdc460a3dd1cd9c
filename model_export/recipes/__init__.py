"""What decides the outcome of a training run, one record for each task."""
