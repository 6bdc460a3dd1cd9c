"""What an operator can count and time: every metric, where its numbers are, how it is shown."""
