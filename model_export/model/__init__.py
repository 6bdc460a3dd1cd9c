"""The network: GRU layers of both reset variants between a front and a head."""
