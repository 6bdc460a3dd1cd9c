"""Figures of models trained on public data, by the recipes in recipes/: `make figures`."""
