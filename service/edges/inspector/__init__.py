"""The page at `/`: looks into a live model, works offline, needs no build step."""
