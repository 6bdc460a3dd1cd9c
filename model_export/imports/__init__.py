"""Models trained elsewhere: each reader gives an `Original`."""
