"""The commands of `python -m model_export`."""
