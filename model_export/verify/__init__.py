"""Checks that a bundle computes what it should; a failed check keeps it out of the repository."""
