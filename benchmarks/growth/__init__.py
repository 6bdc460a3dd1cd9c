"""How the figures grow: with the sessions, the time steps, the width, the connections."""
