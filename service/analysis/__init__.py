"""What recorded gates tell: NumPy alone, for the training report and for the page."""
