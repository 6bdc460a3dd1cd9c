"""A process that serves: alone, or as one of several that share a port."""
