"""The same single step on the servers that people would use instead, each as small as it gets.

Every one keeps the states in a dict in memory and runs the same step graph with one thread. A peer
has a folder with its `server.py` and the `requirements.txt` of an environment of its own.
"""
