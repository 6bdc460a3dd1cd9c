"""From the wire to an operation and back: one folder for each protocol, none imports another."""
