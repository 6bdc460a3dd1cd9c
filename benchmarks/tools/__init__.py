"""What rows, studies and curves measure with."""
