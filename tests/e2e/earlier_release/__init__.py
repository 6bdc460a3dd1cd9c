"""What release 700e510 left in its stores, and this release on a copy of it."""
