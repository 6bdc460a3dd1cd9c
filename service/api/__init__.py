"""The HTTP edge: translates requests into calls and answers into JSON. Decides nothing."""
