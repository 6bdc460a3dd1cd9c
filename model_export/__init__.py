"""Trains GRU models and turns them into bundles that the service serves.

Data flows data -> model -> train -> evaluate -> export -> rewrite -> verify -> package -> report.
"""
