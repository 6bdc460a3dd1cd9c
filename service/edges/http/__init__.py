"""What every protocol over HTTP shares: the door, bodies, headers, problems, events."""
