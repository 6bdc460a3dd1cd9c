"""What a session is and how it moves, without HTTP."""
