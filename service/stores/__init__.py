"""Where sessions live. Every store keeps the contract of `store.py`; tests/contract checks it."""
