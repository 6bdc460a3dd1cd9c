"""The strong simple models of each field: what every network is scored against."""
